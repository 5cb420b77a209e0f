/* recent.h: the log files that this container has worked on lately.
 *
 * S3 may notify twice and Lambda may run a function again; what is remembered here keeps a file
 * from raising its alerts twice, as long as the same container gets it. A file that failed is
 * remembered with how far it came, and goes on from there. The oldest entry makes room.
 * Thread rule: one thread at a time. */
#ifndef GOODBUY_RECENT_H
#define GOODBUY_RECENT_H

#include "core/str.h"

enum { RECENT_MAX = 256, RECENT_ID_BYTES = 32 };

struct recent_file {
    unsigned char id[RECENT_ID_BYTES];
    size_t done; /* records before this one are finished with */
    bool complete;
};

struct recent {
    struct recent_file v[RECENT_MAX];
    size_t n, next; /* `next` is replaced next */
};

/* The entry of this content; a new one if there is none. Valid until the next call. */
struct recent_file *recent_get(struct recent *r, struct str bucket, struct str key,
                               struct str version, struct str etag);

#endif
