/* The form: "WARDKEY1", store id (16), check value (16), wrapped store key (60), and SHA-256 over
 * all before it, so that damage is told from a wrong key. */
#include "keyfile.h"

#include "../core/arena.h"
#include "../crypto/crypto.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
    MAGIC_SIZE = 8,
    CHECK_SIZE = 16,
    WRAPPED_SIZE = AES_KEY_SIZE + GCM_OVERHEAD,
    AT_ID = MAGIC_SIZE,
    AT_CHECK = AT_ID + STORE_ID_SIZE,
    AT_WRAPPED = AT_CHECK + CHECK_SIZE,
    AT_SUM = AT_WRAPPED + WRAPPED_SIZE,
    FILE_SIZE = AT_SUM + SHA256_SIZE,
    SCRATCH_BYTES = 16 * 1024,
};

static const char magic[] = "WARDKEY1";
static const char file_name[] = "ward.key";
static const char temporary_name[] = "ward.key.new";

/* What tells a root key from another without telling anything about it. */
static void check_value(const struct secret *root, const unsigned char *id, unsigned char *out)
{
    hkdf_sha256(root, str_of(id, STORE_ID_SIZE), STR("ward root key check"), out, CHECK_SIZE);
}

static struct str binding(struct arena *a, const unsigned char *id)
{
    return arena_concat(a, STR("ward store key"), str_of(id, STORE_ID_SIZE));
}

static struct err *parse(const unsigned char *file, const struct secret *root,
                         unsigned char *out_id, struct secret **out_key)
{
    unsigned char sum[SHA256_SIZE], check[CHECK_SIZE];
    sha256(str_of(file, AT_SUM), sum);
    if (memcmp(file, magic, MAGIC_SIZE) != 0 || memcmp(file + AT_SUM, sum, sizeof sum) != 0)
        return err_new(ERR_CORRUPT, "The store's key file (ward.key) is damaged; restore it from a "
                                    "backup.");
    check_value(root, file + AT_ID, check);
    if (!str_eq_secret(str_of(file + AT_CHECK, CHECK_SIZE), str_of(check, CHECK_SIZE)))
        return err_new(ERR_DENIED, "The root key given is not the one this store was made with; "
                                   "give that one, or another data directory.");
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    TRY(key_unwrap(root, binding(a, file + AT_ID), str_of(file + AT_WRAPPED, WRAPPED_SIZE),
                   out_key));
    memcpy(out_id, file + AT_ID, STORE_ID_SIZE);
    return NULL;
}

static struct err *write_new(const char *dir, const unsigned char *file)
{
    char path[PATH_SIZE], temporary[PATH_SIZE];
    TRY(path_join(dir, file_name, path));
    TRY(path_join(dir, temporary_name, temporary));
    int fd CLEANUP(close_fd) = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(errno, "create key file");
    TRY(write_all(fd, file, FILE_SIZE));
    if (fsync(fd) != 0)
        return err_errno(errno, "fsync key file");
    if (rename(temporary, path) != 0)
        return err_errno(errno, "rename key file");
    return folder_sync(dir);
}

static struct err *make(const char *dir, const struct secret *root)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SCRATCH_BYTES);
    unsigned char file[FILE_SIZE];
    memcpy(file, magic, MAGIC_SIZE);
    rand_bytes(file + AT_ID, STORE_ID_SIZE);
    check_value(root, file + AT_ID, file + AT_CHECK);
    struct secret *key = NULL;
    TRY(secret_random(AES_KEY_SIZE, &key));
    struct str wrapped = key_wrap(a, root, binding(a, file + AT_ID), key);
    secret_free(key);
    CHECK(wrapped.n == WRAPPED_SIZE);
    memcpy(file + AT_WRAPPED, wrapped.p, wrapped.n);
    sha256(str_of(file, AT_SUM), file + AT_SUM);
    return write_new(dir, file);
}

struct err *keyfile_open(const char *dir, const struct secret *root_key, bool may_make,
                         unsigned char out_id[STORE_ID_SIZE], struct secret **out_store_key)
{
    char path[PATH_SIZE];
    TRY(path_join(dir, file_name, path));
    int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && may_make) {
        TRY(make(dir, root_key));
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0 && errno == ENOENT)
        return err_new(ERR_CORRUPT, "The store has data but no key file (ward.key); restore it "
                                    "from a backup.");
    if (fd < 0)
        return err_errno(errno, "open key file");
    unsigned char file[FILE_SIZE + 1];
    ssize_t n = read(fd, file, sizeof file);
    if (n < 0)
        return err_errno(errno, "read key file");
    if (n != FILE_SIZE)
        memset(file, 0, sizeof file); /* of another size: damaged */
    return parse(file, root_key, out_id, out_store_key);
}
