/* verify.h: digest files, the log files they name, and what is wrong with either. Private to scan.
 *
 * AWS CloudTrail user guide, "CloudTrail digest file structure".
 * Thread rule: one thread, but for verify_log(), which is safe from any. */
#ifndef WARD_SCAN_VERIFY_H
#define WARD_SCAN_VERIFY_H

#include "../core/json.h"
#include "../core/map.h"
#include "../crypto/crypto.h"
#include "source.h"

enum { DIGEST_BYTES_MAX = 64 * 1024 * 1024, LOG_BYTES_MAX = 256 * 1024 * 1024, KEYS_MAX = 4096,
       VERIFY_FINDINGS_MAX = 100000 };

struct log_ref { /* a log file as a digest names it */
    struct str key;
    unsigned char sha[SHA256_SIZE];
    const char *fault; /* what is wrong with it; set by verify_log() */
};

struct digest {
    struct str path, key, bucket, account, region, trail;
    struct str end_text, fingerprint, prev_key, prev_hash, prev_signature;
    struct str signature; /* STR_NONE: not at hand */
    int64_t start_ms, end_ms;
    unsigned char sha[SHA256_SIZE];
    struct log_ref *logs;
    size_t n_logs;
    struct digest *prev, *next;
    bool good; /* signed, and its text is what was signed */
};

struct public_key {
    struct str der, fingerprint;
};

struct on_disk {
    struct str path;
    bool named;
};

/* What one thread reads with, kept from file to file. */
struct verify_reader {
    struct libdeflate_decompressor *inflate;
    struct buf raw, out;
};

struct verify {
    struct arena *a;
    VEC(struct digest *) digests;
    VEC(struct public_key) keys;
    struct verify_reader reader; /* of the main thread */
    struct map logs; /* key from "AWSLogs/" on -> struct on_disk */
    struct buf out;
    bool json;
    size_t findings, faults;
    size_t logs_good, logs_bad;
};

void verify_note(struct verify *v, struct str file, const char *kind, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* From "AWSLogs/" on; STR_NONE if it has no such part. */
struct str verify_key_of(struct str path);
struct err *verify_collect(struct verify *v, char *const *paths, size_t n) MUST_CHECK;
struct err *verify_keys(struct verify *v, const char *path) MUST_CHECK;
void verify_reader_init(struct verify_reader *r);
void verify_reader_clear(struct verify_reader *r);

/* The whole text of a file, inflated if it is gzip; valid until the next call. *out_why: what keeps
 * it from being read (static), or bytes after the stream. */
bool verify_text(struct verify_reader *r, const char *path, size_t max, struct str *out_text,
                 const char **out_why);
void verify_log(struct verify *v, struct verify_reader *r, struct log_ref *l);
void verify_chains(struct verify *v);

#endif
