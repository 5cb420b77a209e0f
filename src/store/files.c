#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct err *path_join(const char *dir, const char *name, char *out)
{
    int n = snprintf(out, PATH_SIZE, "%s/%s", dir, name);
    if (n < 0 || n >= PATH_SIZE)
        return err_new(ERR_LIMIT, "The path of the data directory is too long.");
    return NULL;
}

void close_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

struct err *folder_sync(const char *dir)
{
    int fd CLEANUP(close_fd) = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open folder");
    if (fsync(fd) != 0)
        return err_errno(errno, "fsync folder");
    return NULL;
}

struct err *folder_make(const char *dir)
{
    if (mkdir(dir, 0700) != 0)
        return errno == EEXIST ? NULL : err_errno(errno, "mkdir");
    char parent[PATH_SIZE];
    TRY(path_join(dir, "..", parent));
    return folder_sync(parent);
}

struct err *write_all(int fd, const void *p, size_t n)
{
    const char *from = p;
    while (n > 0) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_errno(errno, "write");
        from += done;
        n -= (size_t)done;
    }
    return NULL;
}
