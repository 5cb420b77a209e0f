/* ledger.h: the append-only, hash-chained record of every call.
 *
 * Each record is a CloudTrail event in JSON. It is committed in the same transaction as the effect
 * it describes: ledger_commit() appends the records to the caller's transaction and commits both.
 *
 * The chain must not serialise writers, so it has shards. A committing thread leases a free shard,
 * chains its records there (hash = SHA-256(previous hash, account, time, flags, JSON)), and gives
 * the shard back after the commit; 64 writers share an fsync and never wait for each other. Every
 * few seconds a join row binds the heads of all shards into one chain of joins, so that cutting the
 * end off one shard is found out as well.
 *
 * Tables: ledger (shard u32, seq u64) -> entry; ledger.head (shard) -> seq, hash; ledger.time
 * (account, time_ms, shard, seq) -> nothing; ledger.join (seq) -> heads. Times are the record's.
 *
 * Errors: those of the store; a record that cannot be written fails the call.
 * Thread rule: safe from any thread. */
#ifndef WARD_AUDIT_LEDGER_H
#define WARD_AUDIT_LEDGER_H

#include "../crypto/crypto.h"
#include "../store/store.h"

enum { LEDGER_SHARDS = 128, LEDGER_RECORD_MAX = 256 * 1024 };

enum ledger_flag {
    LEDGER_DATA = 1,      /* a data event (else a management event) */
    LEDGER_READ_ONLY = 2,
    LEDGER_ERROR = 4,     /* refused or failed */
    LEDGER_INTERNAL = 8,  /* made by a service, not by a client */
};

struct ledger;

struct ledger_record {
    struct str account; /* recipientAccountId; never empty ("ward" for what has no account) */
    int64_t time_ms;
    unsigned flags;
    struct str json;
};

struct err *ledger_open(struct store *s, struct ledger **out) MUST_CHECK;
void ledger_close(struct ledger *l);

/* Appends and commits; *t is ended and NULL afterwards, whatever the result. ERR_CONFLICT: nothing
 * happened, run the transaction again. */
struct err *ledger_commit(struct ledger *l, struct txn **t, const struct ledger_record *recs,
                          size_t n) MUST_CHECK;
/* A transaction of their own: reads, refusals, failures. */
struct err *ledger_append(struct ledger *l, const struct ledger_record *recs, size_t n) MUST_CHECK;

/* Binds the heads, if anything was appended since the last join. The scheduler calls it. */
struct err *ledger_join(struct ledger *l) MUST_CHECK;

struct ledger_entry {
    uint32_t shard;
    uint64_t seq;
    struct ledger_record rec; /* views into the arena */
    unsigned char hash[SHA256_SIZE], prev[SHA256_SIZE];
};

/* How far a reader has come: the next seq of each shard. Zero starts at the beginning. */
struct ledger_cursor {
    uint64_t next[LEDGER_SHARDS];
};

/* Where the ledger ends now: a reader that starts here sees what comes from now on. */
void ledger_cursor_end(struct ledger *l, struct ledger_cursor *out);

/* Up to `max` entries after the cursor, which moves; *out_n 0: nothing new. Within a shard in
 * order, and never past an entry that could still be followed by an earlier one (commits are
 * visible in order within a shard). Arena memory. */
struct err *ledger_read(struct ledger *l, struct txn *t, struct arena *a, struct ledger_cursor *c,
                        struct ledger_entry *out, size_t max, size_t *out_n) MUST_CHECK;

/* Newest first for one account within [from_ms, to_ms]: calls fn for each until it answers false.
 */
struct err *ledger_scan(struct ledger *l, struct txn *t, struct arena *a, struct str account,
                        int64_t from_ms, int64_t to_ms,
                        bool (*fn)(void *ctx, const struct ledger_entry *e), void *ctx) MUST_CHECK;

struct ledger_report {
    uint64_t entries, joins;
    uint64_t faults;      /* 0: the chain is whole */
    char first_fault[160];
};
/* Reads everything and recomputes every hash. `progress` may be NULL. */
struct err *ledger_verify(struct ledger *l, struct ledger_report *out,
                          void (*progress)(void *ctx, uint64_t done), void *ctx) MUST_CHECK;

#endif
