/* source.h: where log files come from.
 *
 * A source names its objects one after another and opens them; folders are one kind, and a bucket
 * is another one that a program with a client can add. next() is called under the scan's lock, the
 * rest from any worker. */
#ifndef WARD_SCAN_SOURCE_H
#define WARD_SCAN_SOURCE_H

#include "../core/buf.h"

struct scan_object {
    struct buf name; /* shown in findings, and what open() takes; reused from call to call */
    uint64_t size;   /* 0: not known */
};

struct scan_source {
    void *ctx;
    /* false: no more. What cannot be listed goes to fault() of the scan by `listen`. */
    bool (*next)(void *ctx, struct scan_object *out);
    /* 0, or errno. */
    int (*open)(void *ctx, const char *name, void **out_handle);
    ptrdiff_t (*read)(void *handle, void *buf, size_t n); /* below 0: -errno */
    void (*close)(void *handle);
    void (*clear)(void *ctx);
};

struct source_notes {
    void *ctx;
    void (*fault)(void *ctx, const char *name, const char *what);
    uint64_t skipped; /* files that are not named like logs */
};

/* Files and folders. With `digests`, digest files are given too. The paths stay the caller's. */
struct scan_source source_files(char *const *paths, size_t n, bool digests,
                                struct source_notes *notes);

#endif
