/* source.h: where log files come from.
 *
 * A source names its objects one after another and opens them; folders are one kind, and a bucket
 * is another one that a program with a client adds. next() is called by one thread at a time (the
 * scan's lock), the rest from any worker; a handle belongs to one thread. */
#ifndef WARD_SCAN_SOURCE_H
#define WARD_SCAN_SOURCE_H

#include "../core/buf.h"

struct scan_object {
    struct buf name; /* shown in findings, and what open() takes; reused from call to call */
    uint64_t size;   /* 0: not known */
};

struct scan_source {
    void *ctx;
    /* false: no more. What cannot be listed goes to fault() of the notes, from within next(). */
    bool (*next)(void *ctx, struct scan_object *out);
    /* 0, or errno. */
    int (*open)(void *ctx, const char *name, void **out_handle);
    ptrdiff_t (*read)(void *handle, void *buf, size_t n); /* below 0: -errno */
    void (*close)(void *handle);
    void (*clear)(void *ctx);

    /* The rest may be NULL. What the object's metadata says under `name`; false: nothing. */
    bool (*meta)(void *handle, const char *name, struct buf *out);
    /* Why the last open() or read() of `name` failed, if there is more to say than errno does:
     * into out[n]. */
    bool (*why)(void *ctx, const char *name, char *out, size_t n);
    /* Each read waits for a peer, so that this many readers at a time are worth having whatever
     * the number of processors. 0: no more than there are of those. */
    int readers;
};

struct source_notes {
    void *ctx;
    void (*fault)(void *ctx, const char *name, const char *what);
    uint64_t skipped; /* files that are not named like logs */
    bool no_sizes;    /* the sizes of objects are not asked for: one call less for each */
};

enum { SOURCE_WHY_MAX = 320 };

/* Files and folders. With `digests`, digest files are given too. The paths stay the caller's. */
struct scan_source source_files(char *const *paths, size_t n, bool digests,
                                struct source_notes *notes);

/* Whether a file of that path is one to read, by its name alone. */
bool source_takes(struct str path, bool digests);

/* What went wrong with `name`, into out[SOURCE_WHY_MAX]; the source's own words if it has some. */
const char *source_why(const struct scan_source *s, const char *name, int errnum, char *out);

#endif
