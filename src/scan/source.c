#include "source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS_OPEN_MAX = 256, PATH_BYTES_MAX = 64 * 1024, LAST_FOLDERS = 64 };

struct folder {
    DIR *dir;
    size_t name_n; /* length of the path up to here, with its '/' */
    bool digests;  /* it, or one around it, is named as those of digests are */
};

/* The folder that a thread opened its last file in: files come folder by folder, and the way down
 * from the root is longer than all the rest of opening. */
struct last_folder {
    pthread_mutex_t lock;
    char *path; /* NULL: none is open */
    size_t n;   /* with its '/' */
    int fd;
};

struct files {
    char *const *paths;
    size_t n, next;
    bool digests;
    struct source_notes *notes;
    struct folder open[FOLDERS_OPEN_MAX];
    int depth;
    struct buf path;
    struct last_folder last[LAST_FOLDERS]; /* by thread */
};

static bool digest_folder(struct str path)
{
    return str_find(path, STR("/CloudTrail-Digest/")) >= 0;
}

static bool takes_name(struct str name, bool digests)
{
    static const char *const ends[] = {".json.gz", ".json", ".gz", ".jsonl", ".ndjson"};
    if (str_ends_c(name, ".metadata.json")) /* what stands beside a digest, see verify */
        return false;
    if (!digests && str_find(name, STR("_CloudTrail-Digest_")) >= 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (str_ends_c(name, ends[i]))
            return true;
    }
    return false;
}

bool source_takes(struct str path, bool digests)
{
    return takes_name(path, digests) && (digests || !digest_folder(path));
}

const char *source_why(const struct scan_source *s, const char *name, int errnum, char *out)
{
    char text[128];
    if (s->why == NULL || !s->why(s->ctx, name, out, SOURCE_WHY_MAX))
        snprintf(out, SOURCE_WHY_MAX, "%s", strerror_r(errnum, text, sizeof text));
    return out;
}

static const char not_a_file[] = "neither a file nor a folder (a pipe, a socket or a device)";

static void fault(struct files *f, const char *name, int errnum)
{
    char text[128];
    f->notes->fault(f->notes->ctx, name, strerror_r(errnum, text, sizeof text));
}

static void enter(struct files *f)
{
    if (f->depth == FOLDERS_OPEN_MAX) {
        f->notes->fault(f->notes->ctx, f->path.p, "folders nest deeper than 256 levels");
        return;
    }
    int fd = open(f->path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        fault(f, f->path.p, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    buf_truncate(&f->path, strlen(f->path.p));
    if (!str_ends_c(buf_view(&f->path), "/"))
        buf_char(&f->path, '/');
    f->open[f->depth++] = (struct folder){d, f->path.n, digest_folder(buf_view(&f->path))};
}

static void path_set(struct files *f, size_t keep, const char *name)
{
    buf_truncate(&f->path, keep);
    buf_c(&f->path, name);
    buf_add(&f->path, "", 1);
}

static bool give(struct files *f, struct scan_object *out, uint64_t size)
{
    buf_reset(&out->name);
    buf_c(&out->name, f->path.p);
    buf_add(&out->name, "", 1);
    out->size = size;
    return true;
}

/* The next entry of the innermost folder; false: none was a file to read. */
static bool step(struct files *f, struct scan_object *out)
{
    struct folder *top = &f->open[f->depth - 1];
    errno = 0;
    struct dirent *d = readdir(top->dir);
    if (d == NULL) {
        if (errno != 0) {
            path_set(f, top->name_n, "");
            fault(f, f->path.p, errno);
        }
        closedir(top->dir);
        f->depth--;
        return false;
    }
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
        return false;
    if (top->name_n + strlen(d->d_name) + 1 > PATH_BYTES_MAX) {
        f->notes->fault(f->notes->ctx, d->d_name, "the path is too long");
        return false;
    }
    path_set(f, top->name_n, d->d_name);
    struct stat st = {.st_mode = S_IFREG};
    if ((d->d_type != DT_REG || !f->notes->no_sizes) &&
        fstatat(dirfd(top->dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        fault(f, f->path.p, errno);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        enter(f);
        return false;
    }
    /* A link to a folder could lead round and round; one to a file is read. */
    if (S_ISLNK(st.st_mode) && (stat(f->path.p, &st) != 0 || !S_ISREG(st.st_mode))) {
        f->notes->fault(f->notes->ctx, f->path.p, "a link that does not lead to a file; a folder "
                                                  "behind a link is read if it is named itself");
        return false;
    }
    bool takes = takes_name(str_c(d->d_name), f->digests) && (f->digests || !top->digests);
    if (takes && !S_ISREG(st.st_mode)) {
        f->notes->fault(f->notes->ctx, f->path.p, not_a_file);
        return false;
    }
    if (!takes) {
        f->notes->skipped++;
        return false;
    }
    return give(f, out, (uint64_t)st.st_size);
}

static bool files_next(void *ctx, struct scan_object *out)
{
    struct files *f = ctx;
    for (;;) {
        if (f->depth > 0) {
            if (step(f, out))
                return true;
            continue;
        }
        if (f->next == f->n)
            return false;
        const char *path = f->paths[f->next++];
        struct stat st;
        bool there = stat(path, &st) == 0;
        if (!there || strlen(path) + 1 > PATH_BYTES_MAX) {
            fault(f, path, there ? ENAMETOOLONG : errno);
            continue;
        }
        path_set(f, 0, path);
        if (S_ISREG(st.st_mode))
            return give(f, out, (uint64_t)st.st_size);
        if (S_ISDIR(st.st_mode))
            enter(f);
        else
            f->notes->fault(f->notes->ctx, path, not_a_file);
    }
}

static unsigned thread_number(void)
{
    static atomic_uint next;
    static _Thread_local unsigned mine;
    if (mine == 0)
        mine = atomic_fetch_add(&next, 1) + 1;
    return mine;
}

static void last_folder_set(struct last_folder *l, const char *name, size_t n)
{
    if (l->path != NULL)
        close(l->fd);
    free(l->path);
    l->path = strndup(name, n);
    CHECK(l->path != NULL);
    l->n = n;
    l->fd = open(l->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (l->fd < 0) {
        free(l->path);
        l->path = NULL;
    }
}

/* Like open(name, flags). */
static int open_below(struct files *f, const char *name, int flags)
{
    const char *slash = strrchr(name, '/');
    size_t n = slash == NULL ? 0 : (size_t)(slash - name) + 1;
    struct last_folder *l = &f->last[thread_number() % LAST_FOLDERS];
    if (n == 0 || pthread_mutex_trylock(&l->lock) != 0)
        return open(name, flags);
    if (l->path == NULL || l->n != n || memcmp(l->path, name, n) != 0)
        last_folder_set(l, name, n);
    struct stat st;
    int fd = l->path == NULL ? -1 : openat(l->fd, name + n, flags), was = errno;
    /* A folder that was removed may have been made anew. */
    bool gone = fd < 0 && (l->path == NULL || fstat(l->fd, &st) != 0 || st.st_nlink == 0);
    pthread_mutex_unlock(&l->lock);
    errno = was;
    return gone ? open(name, flags) : fd;
}

struct opened {
    int fd;
    bool sized;
    uint64_t left; /* of the bytes that it had when it was opened */
};

static int files_open(void *ctx, const char *name, void **out_handle)
{
    /* It may have become something else since it was listed; a pipe must not hold the scan. */
    int fd = open_below(ctx, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st = {0};
    if (fd < 0)
        return errno;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return S_ISDIR(st.st_mode) ? EISDIR : ENOTSUP;
    }
    struct opened *o = malloc(sizeof *o);
    CHECK(o != NULL);
    /* Some filesystems say 0 of files that have bytes. */
    *o = (struct opened){fd, st.st_size > 0, (uint64_t)st.st_size};
    *out_handle = o;
    return 0;
}

static ptrdiff_t files_read(void *handle, void *buf, size_t n)
{
    struct opened *o = handle;
    if (o->sized && o->left < n)
        n = o->left;
    while (n > 0) {
        ssize_t r = read(o->fd, buf, n);
        if (r >= 0) {
            o->left -= o->sized ? (uint64_t)r : 0;
            return r;
        }
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

static void files_close(void *handle)
{
    close(((struct opened *)handle)->fd);
    free(handle);
}

static void files_clear(void *ctx)
{
    struct files *f = ctx;
    while (f->depth > 0)
        closedir(f->open[--f->depth].dir);
    for (int i = 0; i < LAST_FOLDERS; i++) {
        if (f->last[i].path != NULL)
            close(f->last[i].fd);
        free(f->last[i].path);
        pthread_mutex_destroy(&f->last[i].lock);
    }
    buf_clear(&f->path);
    free(f);
}

struct scan_source source_files(char *const *paths, size_t n, bool digests,
                                struct source_notes *notes)
{
    struct files *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    f->paths = paths;
    f->n = n;
    f->digests = digests;
    f->notes = notes;
    buf_init(&f->path, PATH_BYTES_MAX);
    for (int i = 0; i < LAST_FOLDERS; i++)
        pthread_mutex_init(&f->last[i].lock, NULL);
    return (struct scan_source){.ctx = f, .next = files_next, .open = files_open,
                                .read = files_read, .close = files_close, .clear = files_clear};
}
