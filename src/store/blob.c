/* On disk: DIR/ab/abcdef… (fan-out by the id's first two digits) and DIR/tmp for what is being
 * written. A file is its frames, one after the other: ciphertext of up to BLOB_FRAME bytes and a
 * tag; all but the last are full. An empty blob is one empty frame. */
#include "blob.h"

#include "../crypto/crypto.h"
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SEALED_FRAME = BLOB_FRAME + GCM_TAG_SIZE, NAME_SIZE = 4 + BLOB_ID_SIZE + 1, NAME_TRIES = 8 };

static const char temporary[] = "tmp";

struct blobs {
    int dir_fd;
};

/* What every frame of a blob is bound to. */
struct binding {
    struct secret *key;
    size_t n; /* of context and id */
    char aad[BLOB_CONTEXT_MAX + BLOB_ID_SIZE + 9]; /* context, id, frame number, last mark */
};

struct blob_writer {
    struct blobs *blobs;
    int fd;
    struct blob_id id;
    struct binding binding;
    uint64_t frame, size;
    bool failed; /* a write failed: what is in the file is not what was given */
    size_t n;    /* bytes waiting in room */
    unsigned char room[SEALED_FRAME];
};

struct blob_reader {
    int fd;
    struct binding binding;
    uint64_t size, frames;
    uint64_t held; /* the frame in room; UINT64_MAX: none */
    unsigned char room[SEALED_FRAME];
};

/* -- folders and names ------------------------------------------------------------------------- */

static struct err *sync_folder_at(int dir_fd, const char *name)
{
    int fd CLEANUP(close_fd) = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open blob folder");
    if (fsync(fd) != 0)
        return err_errno(errno, "fsync blob folder");
    return NULL;
}

/* All of them before the first blob, and onto the disk: one made in passing could be found by a
 * second writer, which would answer before the first had made it last. */
static struct err *make_folders(int dir_fd)
{
    bool made = false;
    for (int i = -1; i < 256; i++) {
        char name[3];
        (void)snprintf(name, sizeof name, "%02x", (unsigned)i & 255);
        if (mkdirat(dir_fd, i < 0 ? temporary : name, 0700) == 0)
            made = true;
        else if (errno != EEXIST)
            return err_errno(errno, "mkdir");
    }
    return made ? sync_folder_at(dir_fd, ".") : NULL;
}

struct err *blobs_open(const char *dir, struct blobs **out)
{
    TRY(folder_make(dir));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open blob folder");
    struct err *e = make_folders(fd);
    if (e != NULL) {
        close(fd);
        return e;
    }
    struct blobs *b = malloc(sizeof *b);
    CHECK(b != NULL);
    b->dir_fd = fd;
    *out = b;
    return NULL;
}

void blobs_close(struct blobs *b)
{
    if (b == NULL)
        return;
    close(b->dir_fd);
    free(b);
}

static bool id_valid(struct str id)
{
    if (id.n != BLOB_ID_SIZE)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!(id.p[i] >= '0' && id.p[i] <= '9') && !(id.p[i] >= 'a' && id.p[i] <= 'f'))
            return false;
    return true;
}

static void new_id(struct blob_id *id)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char b[BLOB_ID_SIZE / 2];
    rand_bytes(b, sizeof b);
    for (size_t i = 0; i < sizeof b; i++) {
        id->hex[2 * i] = digits[b[i] >> 4];
        id->hex[2 * i + 1] = digits[b[i] & 15];
    }
    id->hex[BLOB_ID_SIZE] = '\0';
}

static void temporary_name(const struct blob_id *id, char out[NAME_SIZE])
{
    (void)snprintf(out, NAME_SIZE, "%s/%s", temporary, id->hex);
}

static void final_name(const struct blob_id *id, char out[NAME_SIZE])
{
    (void)snprintf(out, NAME_SIZE, "%.2s/%s", id->hex, id->hex);
}

/* -- frames ------------------------------------------------------------------------------------ */

static struct err *bind_to(struct binding *b, const unsigned char *key, struct str context,
                           const struct blob_id *id)
{
    if (context.n > BLOB_CONTEXT_MAX)
        return err_new(ERR_LIMIT, "A name in the request is too long to be stored.");
    if (context.n > 0)
        memcpy(b->aad, context.p, context.n);
    memcpy(b->aad + context.n, id->hex, BLOB_ID_SIZE);
    b->n = context.n + BLOB_ID_SIZE;
    struct secret *given = NULL;
    TRY(secret_new(str_of(key, AES_KEY_SIZE), &given));
    unsigned char own[AES_KEY_SIZE];
    hkdf_sha256(given, str_of(id->hex, BLOB_ID_SIZE), STR("ward blob"), own, sizeof own);
    secret_free(given);
    struct err *e = secret_new(str_of(own, sizeof own), &b->key);
    secret_wipe(own, sizeof own);
    return e;
}

/* The associated data of one frame, and its nonce. */
static struct str frame_aad(struct binding *b, uint64_t frame, bool last,
                            unsigned char nonce[GCM_NONCE_SIZE])
{
    char *p = b->aad + b->n;
    memset(nonce, 0, GCM_NONCE_SIZE);
    for (int i = 0; i < 8; i++) {
        p[i] = (char)(frame >> (56 - 8 * i));
        nonce[GCM_NONCE_SIZE - 8 + i] = (unsigned char)p[i];
    }
    p[8] = last;
    return str_of(b->aad, b->n + 9);
}

static struct err *check_room(int dir_fd)
{
    struct statvfs v;
    if (fstatvfs(dir_fd, &v) == 0 &&
        (uint64_t)v.f_bavail * v.f_frsize < BLOB_DISK_RESERVE_BYTES)
        return err_new(ERR_FULL, "Ward has no room left on its disk; make room, then try again.");
    return NULL;
}

/* -- writing ----------------------------------------------------------------------------------- */

static void free_writer(struct blob_writer *w)
{
    close_fd(&w->fd);
    secret_free(w->binding.key);
    secret_wipe(w->room, sizeof w->room);
    free(w);
}

/* A new file under an id that no blob has. */
static struct err *create_file(struct blob_writer *w)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        char from[NAME_SIZE], to[NAME_SIZE];
        new_id(&w->id);
        temporary_name(&w->id, from);
        final_name(&w->id, to);
        if (faccessat(w->blobs->dir_fd, to, F_OK, 0) == 0)
            continue;
        w->fd = openat(w->blobs->dir_fd, from, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (w->fd >= 0)
            return NULL;
        if (errno != EEXIST)
            break;
    }
    return err_errno(errno, "create blob");
}

struct err *blob_begin(struct blobs *b, const unsigned char key[32], struct str context,
                       struct blob_writer **out)
{
    TRY(check_room(b->dir_fd));
    struct blob_writer *w = calloc(1, sizeof *w);
    CHECK(w != NULL);
    w->blobs = b;
    w->fd = -1;
    struct err *e = create_file(w);
    if (e != NULL) {
        free_writer(w);
        return e;
    }
    e = bind_to(&w->binding, key, context, &w->id);
    if (e != NULL) {
        blob_abandon(w);
        return e;
    }
    *out = w;
    return NULL;
}

static struct err *put_frame(struct blob_writer *w, bool last)
{
    unsigned char nonce[GCM_NONCE_SIZE];
    struct str aad = frame_aad(&w->binding, w->frame, last, nonce);
    TRY(check_room(w->blobs->dir_fd));
    gcm_seal_nonce(secret_bytes(w->binding.key), nonce, aad, str_of(w->room, w->n), w->room);
    TRY(write_all(w->fd, w->room, w->n + GCM_TAG_SIZE));
    w->frame++;
    w->n = 0;
    return NULL;
}

struct err *blob_write(struct blob_writer *w, struct str data)
{
    if (w->failed)
        return err_new(ERR_IO, "An earlier part could not be written.");
    w->size += data.n;
    while (data.n > 0) {
        if (w->n == BLOB_FRAME) { /* only now is it known not to be the last */
            struct err *e = put_frame(w, false);
            if (e != NULL) {
                w->failed = true;
                return e;
            }
        }
        size_t n = BLOB_FRAME - w->n < data.n ? BLOB_FRAME - w->n : data.n;
        memcpy(w->room + w->n, data.p, n);
        w->n += n;
        data = str_skip(data, n);
    }
    return NULL;
}

/* To its place; never onto another blob. */
static struct err *move_in(struct blob_writer *w)
{
    int dir_fd = w->blobs->dir_fd;
    char from[NAME_SIZE], to[NAME_SIZE], folder[3] = {w->id.hex[0], w->id.hex[1], '\0'};
    temporary_name(&w->id, from);
    final_name(&w->id, to);
    int rc = renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE);
    if (rc != 0 && errno == EINVAL) /* a file system without it: ids are random enough */
        rc = renameat(dir_fd, from, dir_fd, to);
    if (rc != 0)
        return err_errno(errno, "rename blob");
    return sync_folder_at(dir_fd, folder);
}

struct err *blob_finish(struct blob_writer *w, struct blob_id *out_id, uint64_t *out_size)
{
    struct err *e = NULL;
    if (w->failed)
        e = err_new(ERR_IO, "An earlier part could not be written.");
    if (e == NULL)
        e = put_frame(w, true);
    if (e == NULL && fsync(w->fd) != 0)
        e = err_errno(errno, "fsync blob");
    if (e == NULL)
        e = move_in(w);
    if (e != NULL) {
        blob_abandon(w);
        return e;
    }
    *out_id = w->id;
    *out_size = w->size;
    free_writer(w);
    return NULL;
}

void blob_abandon(struct blob_writer *w)
{
    if (w == NULL)
        return;
    char name[NAME_SIZE];
    temporary_name(&w->id, name);
    (void)unlinkat(w->blobs->dir_fd, name, 0); /* else the sweep at the next start does it */
    free_writer(w);
}

/* -- reading ----------------------------------------------------------------------------------- */

static struct err *damaged(const char *what)
{
    return err_detail(err_new(ERR_CORRUPT, "Stored data failed its integrity check."), "blob: %s",
                      what);
}

static uint64_t frames_of(uint64_t size)
{
    return size == 0 ? 1 : (size - 1) / BLOB_FRAME + 1;
}

static struct err *open_file(struct blob_reader *r, struct blobs *b, const struct blob_id *id)
{
    if (!id_valid(str_of(id->hex, strnlen(id->hex, sizeof id->hex))))
        return damaged("an id of no known form");
    char name[NAME_SIZE];
    final_name(id, name);
    r->fd = openat(b->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0 && errno == ENOENT)
        return err_detail(err_new(ERR_NOT_FOUND, "The object's data is not there (any more)."),
                          "blob: no file");
    struct stat st;
    if (r->fd < 0 || fstat(r->fd, &st) != 0)
        return err_errno(errno, "open blob");
    if (r->size > INT64_MAX / 2 ||
        (uint64_t)st.st_size != r->size + r->frames * GCM_TAG_SIZE)
        return damaged("a file of another size than was stored");
    return NULL;
}

struct err *blob_open(struct blobs *b, const struct blob_id *id, const unsigned char key[32],
                      struct str context, uint64_t size, struct blob_reader **out)
{
    struct blob_reader *r = calloc(1, sizeof *r);
    CHECK(r != NULL);
    r->fd = -1;
    r->size = size;
    r->frames = frames_of(size);
    r->held = UINT64_MAX;
    struct err *e = open_file(r, b, id);
    if (e == NULL)
        e = bind_to(&r->binding, key, context, id);
    if (e != NULL) {
        blob_reader_free(r);
        return e;
    }
    *out = r;
    return NULL;
}

static size_t frame_size(const struct blob_reader *r, uint64_t frame)
{
    return frame + 1 < r->frames ? BLOB_FRAME : (size_t)(r->size - frame * BLOB_FRAME);
}

/* Brings a frame into the reader's room, opened in place. */
static struct err *hold(struct blob_reader *r, uint64_t frame)
{
    if (r->held == frame)
        return NULL;
    r->held = UINT64_MAX;
    size_t n = frame_size(r, frame) + GCM_TAG_SIZE, done = 0;
    while (done < n) {
        ssize_t got = pread(r->fd, r->room + done, n - done,
                            (off_t)(frame * SEALED_FRAME + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(errno, "read blob");
        if (got == 0)
            return damaged("a file that was cut off");
        done += (size_t)got;
    }
    unsigned char nonce[GCM_NONCE_SIZE];
    struct str aad = frame_aad(&r->binding, frame, frame + 1 == r->frames, nonce);
    if (!gcm_open_nonce(secret_bytes(r->binding.key), nonce, aad, str_of(r->room, n), r->room))
        return damaged("a frame does not open: it was altered or moved, or the key is another");
    r->held = frame;
    return NULL;
}

struct err *blob_read(struct blob_reader *r, uint64_t offset, void *to, size_t n, size_t *out_n)
{
    size_t done = 0;
    while (done < n && offset < r->size) {
        uint64_t frame = offset / BLOB_FRAME;
        TRY(hold(r, frame));
        size_t at = (size_t)(offset % BLOB_FRAME);
        size_t part = frame_size(r, frame) - at;
        if (part > n - done)
            part = n - done;
        memcpy((char *)to + done, r->room + at, part);
        done += part;
        offset += part;
    }
    /* An empty blob, too, must prove that it is one. */
    if (r->size == 0)
        TRY(hold(r, 0));
    *out_n = done;
    return NULL;
}

void blob_reader_free(struct blob_reader *r)
{
    if (r == NULL)
        return;
    close_fd(&r->fd);
    secret_free(r->binding.key);
    secret_wipe(r->room, sizeof r->room);
    free(r);
}

/* -- deleting ---------------------------------------------------------------------------------- */

struct err *blob_delete(struct blobs *b, const struct blob_id *id)
{
    if (!id_valid(str_of(id->hex, strnlen(id->hex, sizeof id->hex))))
        return damaged("an id of no known form");
    char name[NAME_SIZE];
    final_name(id, name);
    if (unlinkat(b->dir_fd, name, 0) != 0 && errno != ENOENT)
        return err_errno(errno, "delete blob");
    return NULL;
}

struct sweep {
    bool (*live)(void *ctx, struct str id_hex); /* NULL: none is */
    void *ctx;
    size_t removed;
};

static struct err *sweep_folder(int dir_fd, const char *folder, struct sweep *s)
{
    int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? NULL : err_errno(errno, "open blob folder");
    DIR *d = fdopendir(fd);
    CHECK(d != NULL);
    struct err *e = NULL;
    const struct dirent *entry;
    while (e == NULL && (entry = readdir(d)) != NULL) {
        struct str id = str_c(entry->d_name);
        if (!id_valid(id) || (s->live != NULL && s->live(s->ctx, id)))
            continue;
        if (unlinkat(fd, entry->d_name, 0) == 0)
            s->removed++;
        else if (errno != ENOENT)
            e = err_errno(errno, "delete blob");
    }
    closedir(d);
    return e;
}

struct err *blobs_sweep(struct blobs *b, bool (*live)(void *ctx, struct str id_hex), void *ctx,
                        size_t *out_removed)
{
    struct sweep s = {.live = NULL, .ctx = ctx, .removed = 0};
    TRY(sweep_folder(b->dir_fd, temporary, &s));
    s.live = live;
    for (int i = 0; i < 256; i++) {
        char folder[3];
        (void)snprintf(folder, sizeof folder, "%02x", i);
        TRY(sweep_folder(b->dir_fd, folder, &s));
    }
    *out_removed = s.removed;
    return NULL;
}
