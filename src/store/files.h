/* files.h: private to src/store: small steps with files that must survive power loss. */
#ifndef WARD_STORE_FILES_H
#define WARD_STORE_FILES_H

#include "../core/str.h"

enum { PATH_SIZE = 4096 };

/* dir/name into out[PATH_SIZE]; ERR_LIMIT when it does not fit. */
struct err *path_join(const char *dir, const char *name, char *out) MUST_CHECK;

/* Makes the folder, mode 0700, and makes its name durable; there already: fine. */
struct err *folder_make(const char *dir) MUST_CHECK;
struct err *folder_sync(const char *dir) MUST_CHECK;

struct err *write_all(int fd, const void *p, size_t n) MUST_CHECK;

/* For CLEANUP(): closes what is not negative. */
void close_fd(const int *fd);

#endif
