/* verify.h: digest files, the log files they name, and what is wrong with either. Private to scan.
 *
 * AWS CloudTrail user guide, "CloudTrail digest file structure". In three steps: everything is
 * listed (verify_list), every digest is read and the log files that it names are hashed, by several
 * threads (verify_read_all), and then the digests are put into chains and judged (verify_chains).
 * Memory: about 200 bytes for each log file and 2 KiB for each digest.
 * Thread rule: one thread, but for verify_note() and what verify_read_all() runs. */
#ifndef WARD_SCAN_VERIFY_H
#define WARD_SCAN_VERIFY_H

#include "../core/json.h"
#include "../crypto/crypto.h"
#include "source.h"
#include "unpack.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    DIGEST_BYTES_MAX = 32 * 1024 * 1024, /* inflated */
    DIGEST_DEPTH_MAX = 8,
    DIGEST_MEMBER_MAX = 4096, /* of the texts that are kept */
    VERIFY_FILES_MAX = 64 * 1024 * 1024,
    KEYS_MAX = 4096,
    REGIONS_MAX = 64,
    PLACE_MAX = 1024,
    VERIFY_FINDINGS_MAX = 100000, /* that are listed; all are counted */
    VERIFY_THREADS_MAX = 64,
};
enum { HOUR_MS = 3600 * 1000 };

/* Where CloudTrail puts a file: …/ACCOUNT/CloudTrail[-Digest]/REGION/YYYY/MM/DD/NAME. Views. */
struct place {
    struct str tail; /* from ACCOUNT on: what names a file whatever it was copied into */
    struct str account, kind, region, name;
    int64_t time_ms; /* of the name; INT64_MIN: none */
};
bool place_of(struct str path, struct place *out); /* false: not of that shape */

/* A digest's name: ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_TIME[_backfill].json.gz */
struct digest_name {
    struct str chain; /* REGION_TRAIL_HOMEREGION: what a chain's digests share */
    struct str trail, home;
    struct str head, end; /* the name before and behind the time */
    bool backfill;
};
bool digest_name_of(struct str name, struct digest_name *out);

struct verify_file { /* one that was found */
    struct str folder, name;
    atomic_uint claims; /* digests that name it */
};

struct verify_slot {
    struct verify_file *file; /* NULL: free */
    uint32_t hash;
};


struct digest {
    struct str path, key, bucket, account, region;
    struct digest_name name; /* of its key */
    struct str end_text, fingerprint;
    struct str prev_key, prev_bucket, prev_hash, prev_signature;
    struct str signature; /* STR_NONE: not at hand */
    int64_t start_ms, end_ms;
    unsigned char sha[SHA256_SIZE];
    size_t logs_good, logs_bad;
    struct digest *prev, *next; /* that it is joined with */
    bool good; /* signed, and its text is what was signed */
};

struct public_key {
    struct str der, fingerprint; /* fingerprint STR_NONE: of any digest */
    struct rsa_public *rsa;      /* NULL: it is not a key */
};

struct finding_note {
    struct str file, text;
    const char *kind;
};

struct verify_progress {
    bool on;     /* a terminal */
    bool listed; /* files and bytes are final */
    int64_t start_ms, shown_ms;
    uint64_t files, bytes; /* to be read */
    atomic_ullong files_done, bytes_done, bytes_out;
};

struct verify {
    struct arena *a;
    struct scan_source source;
    VEC(struct str) digest_paths;
    VEC(struct digest *) digests;
    VEC(struct public_key) keys;
    struct verify_slot *files; /* a hash table by the place's tail, digests too */
    size_t files_cap, n_files, n_other; /* other: not of CloudTrail */
    struct str last_folder;
    struct arena *worker_arenas[VERIFY_THREADS_MAX];
    int64_t since_ms, until_ms; /* INT64_MIN, INT64_MAX: all */
    bool until_now, until_set;
    int threads;

    pthread_mutex_t lock; /* the findings, and `a` while threads run */
    VEC(struct finding_note) findings;
    size_t n_findings, faults; /* faults: what could not be read */
    atomic_size_t logs_good, logs_bad;
    size_t n_unnamed_other; /* Insights and the like, which no digest names */
    size_t logs_pending; /* newer than the newest digest, and none is due yet */
    struct verify_progress progress;
};

/* One finding. `kind` is one of verify_out.c's table. */
void verify_note(struct verify *v, struct str file, const char *kind, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The same, for what could not be read: the exit code will be 2. */
void verify_fault(void *verify, const char *name, const char *what);

/* -- verify_files.c -- */
void verify_list(struct verify *v);
struct verify_file *verify_file_get(const struct verify *v, const struct place *p);
/* Each file, in no order: for (size_t i = 0; (f = verify_file_each(v, &i)) != NULL;) */
struct verify_file *verify_file_each(const struct verify *v, size_t *i);
struct str verify_file_path(struct arena *a, const struct verify_file *f);
bool verify_file_place(const struct verify_file *f, struct place *out); /* without its tail */

/* Whether a file at `path` is where `key` says; what was copied may lack what is before the
 * account, or before AWSLogs/. */
bool place_fits(struct str path, struct str key);

/* -- verify_read.c -- */
void verify_read_all(struct verify *v);

/* -- verify_keys.c -- */
struct err *verify_keys(struct verify *v, const char *path) MUST_CHECK;
/* Public keys of the API, over the time and the regions of the digests that were listed. */
struct err *verify_keys_api(struct verify *v) MUST_CHECK;

/* -- verify_chain.c -- */
/* Sorts the digests by chain and time; then digests.v[from] to [verify_chain_end()) are one. */
void verify_chains(struct verify *v);
size_t verify_chain_end(const struct verify *v, size_t from);

/* -- verify_out.c -- */
void verify_print(struct verify *v, bool json);
void verify_show_progress(struct verify *v);

#endif
