/* Code packages: checked, kept in the store in chunks, and unpacked for running. */
#include "room.h"

#include "crypto/crypto.h"
#include "zip.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { WALK_FDS = 16 };

static struct skey chunk_key(uint64_t code_id, uint32_t chunk)
{
    struct skey k = skey();
    key_u64(&k, code_id);
    key_u32(&k, chunk);
    return k;
}

static struct err *nowhere(void *ctx UNUSED, struct str piece UNUSED)
{
    return NULL;
}

/* Everything that could go wrong when it is unpacked goes wrong here first. */
struct err *code_check(struct arena *a, struct str zip)
{
    struct zip z;
    struct err *e = NULL;
    if (zip.n > LAMBDA_ZIP_MAX)
        return err_aws(413, "RequestTooLargeException",
                       "The code package is larger than 52428800 bytes.");
    e = zip_read(a, zip, LAMBDA_UNZIPPED_MAX, &z);
    for (size_t i = 0; e == NULL && i < z.n; i++)
        if (!z.v[i].folder)
            e = zip_unpack(&z.v[i], nowhere, NULL);
    if (e == NULL)
        return NULL;
    struct err *named = err_aws(400, "InvalidParameterValueException", "%s", e->message);
    err_free(e);
    return named;
}

struct err *code_store(struct call *c, struct function *f, struct str zip)
{
    unsigned char sum[SHA256_SIZE];
    struct str owner = function_owner(c->arena, f->account, f->id);
    sha256(zip, sum);
    f->code_sha256 = enc_base64(c->arena, str_of(sum, sizeof sum));
    f->code_size = (int64_t)zip.n;
    f->code_id = rand_u64() >> 1;
    uint32_t chunk = 0;
    for (struct str rest = zip; rest.n > 0; rest = str_skip(rest, LAMBDA_CHUNK)) {
        struct skey k = chunk_key(f->code_id, chunk++);
        TRY(txn_put_new(c->txn, LAMBDA_T_CODE, owner, key_of(&k), str_take(rest, LAMBDA_CHUNK)));
    }
    return NULL;
}

struct err *code_delete(struct txn *t, uint64_t code_id)
{
    for (uint32_t i = 0; i <= LAMBDA_ZIP_MAX / LAMBDA_CHUNK; i++) {
        struct skey k = chunk_key(code_id, i);
        TRY(txn_del(t, LAMBDA_T_CODE, key_of(&k)));
    }
    return NULL;
}

struct err *code_load(struct txn *t, struct arena *a, const struct function *f, struct str *out)
{
    size_t n = (size_t)f->code_size, have = 0;
    char *zip = arena_alloc_raw(a, n + 1);
    for (uint32_t i = 0; have < n; i++) {
        struct skey k = chunk_key(f->code_id, i);
        struct str chunk;
        TRY(txn_peek(t, LAMBDA_T_CODE, key_of(&k), a, &chunk));
        if (chunk.n == 0 || chunk.n > n - have)
            return err_new(ERR_CORRUPT, "The function's code cannot be read.");
        memcpy(zip + have, chunk.p, chunk.n);
        have += chunk.n;
    }
    *out = str_of(zip, n);
    return NULL;
}

/* -- unpacking --------------------------------------------------------------------------------- */

static struct err *write_piece(void *ctx, struct str piece)
{
    int fd = *(int *)ctx;
    while (piece.n > 0) {
        ssize_t n = write(fd, piece.p, piece.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(errno, "unpack a function's code");
        piece = str_skip(piece, (size_t)n);
    }
    return NULL;
}

/* Opens the folder that holds `name`, making what is missing; nothing is followed out of `dir`,
 * which the caller owns alone and which holds no links. */
static struct err *make_folders(int dir, struct str name)
{
    char path[ZIP_NAME_MAX + 1];
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '/')
            continue;
        memcpy(path, name.p, i);
        path[i] = '\0';
        if (mkdirat(dir, path, 0755) == 0) {
            if (fchmodat(dir, path, 0755, 0) != 0) /* whatever the umask */
                return err_errno(errno, "fchmod");
        } else if (errno != EEXIST) {
            return err_errno(errno, "mkdir");
        }
    }
    return NULL;
}

static struct err *unpack_one(int dir, const struct zip_entry *e)
{
    char path[ZIP_NAME_MAX + 1];
    TRY(make_folders(dir, e->name));
    if (e->folder)
        return NULL;
    memcpy(path, e->name.p, e->name.n);
    path[e->name.n] = '\0';
    int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "open");
    struct err *err = zip_unpack(e, write_piece, &fd);
    /* The sandbox's user is another one: what the owner may read or run, it may. */
    unsigned mode = (e->mode & 0100) != 0 ? 0555 : 0444;
    if (err == NULL && fchmod(fd, mode) != 0)
        err = err_errno(errno, "fchmod");
    close(fd);
    return err;
}

/* Code must not take the room that the store needs for its records. */
static struct err *check_room(int dir, size_t bytes)
{
    struct statvfs v;
    if (fstatvfs(dir, &v) != 0 || (uint64_t)v.f_bavail * v.f_frsize > DISK_RESERVE_BYTES + bytes)
        return NULL;
    return err_new(ERR_FULL, "There is no room on the disk for the function's code.");
}

struct err *code_unpack(struct str zip, const char *path)
{
    struct zip z;
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(16 * 1024 * 1024);
    TRY(zip_read(a, zip, LAMBDA_UNZIPPED_MAX, &z));
    if (mkdir(path, 0755) != 0)
        return err_errno(errno, "mkdir");
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_errno(errno, "open");
    struct err *e = fchmod(dir, 0755) == 0 ? check_room(dir, z.total) : err_errno(errno, "fchmod");
    for (size_t i = 0; e == NULL && i < z.n; i++)
        e = unpack_one(dir, &z.v[i]);
    close(dir);
    return e;
}

static int remove_one(const char *path, const struct stat *st UNUSED, int type UNUSED,
                      struct FTW *at UNUSED)
{
    return remove(path);
}

struct err *dir_remove(const char *path)
{
    if (nftw(path, remove_one, WALK_FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
        return err_errno(errno, "remove a folder of functions' code");
    return NULL;
}
