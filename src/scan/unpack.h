/* unpack.h: a log file's text, from gzip or plain, in bounded memory.
 *
 * A file that fits is inflated at once with libdeflate; what does not fit, or is broken, is
 * inflated as a stream with zlib, so that what stands before the break is still read. Where the
 * bytes come from is a callback, so that a bucket will do as well as a file.
 *
 * Log files are small. Some can be kept inflated one behind another, and their text be taken
 * afterwards: what inflates and what reads the text then stay in the processor's caches, and do
 * not push each other out of them with every file.
 * Thread rule: one thread at a time for each struct unpack. */
#ifndef WARD_SCAN_UNPACK_H
#define WARD_SCAN_UNPACK_H

#include "feed.h"

enum { UNPACK_STREAM_BYTES = 2 * RECORD_BYTES_MAX, UNPACK_IN_BYTES = 2 * 1024 * 1024 };
#define UNPACK_OUT_MAX ((uint64_t)4 * 1024 * 1024 * 1024) /* inflated bytes of one file */
enum { UNPACK_RATIO_MAX = 200, UNPACK_RATIO_FROM = 64 * 1024 * 1024 }; /* a bomb, past this size */

/* Up to n bytes into buf; 0 at the end, below 0: -errno. */
typedef ptrdiff_t unpack_read(void *ctx, void *buf, size_t n);

struct unpack {
    struct libdeflate_decompressor *whole;
    char *in, *out, *window;
    size_t in_cap, out_cap;
    size_t in_kept, out_kept; /* of both, bytes of the files that are kept */
    size_t in_n;              /* of `in` behind those, bytes of the file at hand */
    uint64_t bytes_in, bytes_out;
    bool in_end; /* nothing behind what is in `in` */
    unpack_read *read;
    void *ctx;
    int read_error;
    /* Where the text goes: returns how much of it was taken. */
    size_t (*take)(void *sink, const char *p, size_t n, bool last);
    void (*fault)(void *sink, const char *what);
    void *sink;
};

void unpack_init(struct unpack *u, size_t out_cap);
void unpack_clear(struct unpack *u);
void unpack_file(struct unpack *u);

/* A file that is kept: as it was read, and its text. Both are in the unpack. */
struct unpacked {
    struct str raw, text;
};
/* Reads the file, and keeps it if all of it fits beside those kept before, and nothing is wrong
 * with it. false: the others are to be dealt with now, and then unpack_rest() is to be called. */
bool unpack_keep(struct unpack *u, struct unpacked *out);
/* Goes on as unpack_file() does with the file that was not kept. Forgets the others. */
void unpack_rest(struct unpack *u);
void unpack_forget(struct unpack *u);

#endif
