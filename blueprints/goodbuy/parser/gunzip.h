/* gunzip.h: one gzip stream (RFC 1952) inflated window by window.
 *
 * Memory is the window and zlib's state, whatever the file is. Errors: ERR_CORRUPT (not gzip, torn,
 * its checksum fails, or bytes follow its end), ERR_LIMIT (more than `out_max` would come out: a
 * bomb, or a file that this function is not for), and whatever the sink returns. What the sink has
 * seen before an error was not yet covered by the checksum. Thread rule: a pure function. */
#ifndef GOODBUY_GUNZIP_H
#define GOODBUY_GUNZIP_H

#include "core/str.h"

enum { GUNZIP_WINDOW = 64 * 1024 };

struct err *gunzip(struct str file, size_t out_max,
                   struct err *(*sink)(void *ctx, struct str bytes), void *ctx) MUST_CHECK;

#endif
