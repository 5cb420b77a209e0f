/* Files of the program: read whole, written whole. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

const char *cli_path(struct arena *a, const char *dir, const char *name)
{
    return arena_fmt(a, "%s/%s", dir, name).p;
}

struct err *file_read(struct arena *a, const char *path, size_t max, struct str *out)
{
    int fd CLEANUP(close_fd) = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        int cause = errno;
        struct err *e = err_new(cause == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s cannot be read: %s.",
                                path, strerror(cause));
        return e;
    }
    if (st.st_size < 0 || (size_t)st.st_size > max)
        return err_new(ERR_LIMIT, "%s is larger than %zu bytes.", path, max);
    char *p = arena_alloc(a, (size_t)st.st_size + 1);
    size_t n = 0;
    while (n < (size_t)st.st_size) {
        ssize_t got = read(fd, p + n, (size_t)st.st_size - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_new(ERR_IO, "%s cannot be read: %s.", path, strerror(errno));
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *out = str_of(p, n);
    return NULL;
}

static struct err *write_all(int fd, struct str content)
{
    while (content.n > 0) {
        ssize_t n = write(fd, content.p, content.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(errno, "write");
        content = str_skip(content, (size_t)n);
    }
    return fsync(fd) == 0 ? NULL : err_errno(errno, "fsync");
}

static struct err *sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    int fd CLEANUP(close_fd) = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        return err_errno(errno, "fsync of a folder");
    return NULL;
}

struct err *file_write(const char *path, struct str content, int mode)
{
    char temp[PATH_MAX];
    /* Of this process's own: another may write the same file, and neither is to end the other's. */
    if (snprintf(temp, sizeof temp, "%s.%ld.new", path, (long)getpid()) >= (int)sizeof temp)
        return err_new(ERR_LIMIT, "The path %s is too long.", path);
    /* Anew, so that nobody else holds it open or leads it elsewhere: the folder may be shared. */
    unlink(temp);
    int fd CLEANUP(close_fd) = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return err_new(ERR_IO, "%s cannot be written: %s.", path, strerror(errno));
    struct err *e = write_all(fd, content);
    if (e == NULL && (fchmod(fd, (mode_t)mode) != 0 || rename(temp, path) != 0))
        e = err_new(ERR_IO, "%s cannot be written: %s.", path, strerror(errno));
    if (e != NULL) {
        unlink(temp);
        return e;
    }
    return sync_folder(path);
}

struct err *share_path(struct arena *a, const char *relative, const char **out)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return err_errno(errno, "readlink");
    exe[n] = '\0';
    const char *dir = dirname(exe);
    const char *tries[] = {
        cli_path(a, dir, relative),                                        /* build tree */
        arena_fmt(a, "%s/../%s", dir, relative).p,                          /* source tree */
        arena_fmt(a, "%s/../share/ward/%s", dir, relative).p,               /* installed */
    };
    for (size_t i = 0; i < ARRAY_LEN(tries); i++)
        if (access(tries[i], R_OK) == 0) {
            *out = tries[i];
            return NULL;
        }
    return err_new(ERR_NOT_FOUND, "%s is not there: neither beside the program nor installed.",
                   relative);
}
