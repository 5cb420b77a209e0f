/* feed.h: text in, records out.
 *
 * The text is {"Records": […]}, a list of records, or one record after another, and any number of
 * these; or records within what other tools put around them (wrap.h), whose offset is then that of
 * what is around. Faults name the offset and cost as little as can be: a broken line its line, a
 * broken record of a list that record, a broken list its rest. The first FEED_FAULTS_TOLD of a file
 * are told one by one, the others counted. Thread rule: one thread at a time for each
 * struct feed. */
#ifndef WARD_SCAN_FEED_H
#define WARD_SCAN_FEED_H

#include "../core/buf.h"
#include "record.h"

enum { FEED_SLICE_BYTES = 256 * 1024, RECORD_BYTES_MAX = 1024 * 1024, FEED_FAULTS_TOLD = 20,
       FEED_HEAD_BYTES = 512 /* tell what a file is */ };

struct feed_sink {
    void *ctx;
    void (*record)(void *ctx, struct record *r, uint64_t offset);
    void (*fault)(void *ctx, uint64_t offset, const char *what);
};

enum feed_mode { FEED_OUT, FEED_LINE /* to its end */, FEED_LIST, FEED_SKIP /* a record of it */,
                 FEED_TAIL, FEED_DEAD };

struct feed_skip {
    uint64_t depth;
    bool in_string, escaped;
};

struct feed {
    struct feed_sink sink;
    struct record r;
    struct split sp;
    enum feed_mode mode;
    struct split inner; /* of a record that stands as text within another */
    struct buf text;    /* that text */
    bool wrapped;    /* the list is a member "Records" or its like, */
    bool outer;      /* of an object that stands in a list itself; */
    int level;       /* brackets open around it */
    bool comma;      /* in a list: an element came before */
    int depth;       /* FEED_TAIL: open brackets */
    struct feed_skip skip;
    uint64_t base;   /* offset of the first byte not yet taken */
    uint64_t records;
    uint64_t faults; /* of this file */
    bool any;        /* something was read */
    bool known;      /* the file's beginning was looked at */
};

void feed_init(struct feed *f, const struct paths *paths, struct feed_sink sink);
void feed_clear(struct feed *f);
void feed_start(struct feed *f); /* another file */
/* Takes what it can of p[0, n) and returns how much; the rest comes again in front of more. With
 * `last`, everything is taken. */
size_t feed_take(struct feed *f, const char *p, size_t n, bool last);

#endif
