/* engine.h: private to src/store: what an engine must offer beneath the port of store.h.
 *
 * An engine keeps one ordered space of binary keys. It knows no tables, owners or seals; limits are
 * checked above it. Two engines exist: RocksDB (rocks.cpp), and memory (memory.c) for tests.
 *
 * A write transaction sees a snapshot and its own writes. A tracked get, put or del puts the key
 * under conflict detection: commit answers ERR_CONFLICT when another transaction changed it after
 * the snapshot. An untracked put does not. A cursor sees the snapshot and this transaction's
 * writes, also those made while it is open.
 *
 * Thread rule: an engine may be used from any thread; a transaction and its cursors belong to one
 * at a time. Also included from C++, so no C-only constructs here. */
#ifndef WARD_STORE_ENGINE_H
#define WARD_STORE_ENGINE_H

#include "../core/str.h"
#include "../crypto/secret.h"

enum { STORE_ID_SIZE = 16 };

struct engine;        /* begins with a `const struct engine_ops *ops` */
struct engine_txn;
struct engine_cursor;

struct engine_ops {
    struct err *(*begin)(struct engine *e, bool write, struct engine_txn **out);
    void (*abort)(struct engine_txn *t);          /* ends it */
    struct err *(*commit)(struct engine_txn *t);  /* ends it, whatever the result; durable */

    /* *out is STR_NONE when absent; a view until the transaction's next call. */
    struct err *(*get)(struct engine_txn *t, struct str key, bool track, struct str *out);
    struct err *(*put)(struct engine_txn *t, struct str key, struct str value, bool track);
    struct err *(*del)(struct engine_txn *t, struct str key); /* tracked */

    /* Keys in [lower, upper); an empty `upper` has no end. Starts before the first key (or, in
     * reverse, behind the last). The bounds are copied. */
    struct err *(*scan)(struct engine_txn *t, struct str lower, struct str upper, bool reverse,
                        struct engine_cursor **out);
    /* One step. *key is STR_NONE at the end; views until the next call on the cursor or a write of
     * its transaction. */
    struct err *(*next)(struct engine_cursor *c, struct str *key, struct str *value);
    void (*cursor_free)(struct engine_cursor *c);

    /* Rewrites what is stored in [lower, upper), so that deleted rows leave the disk. */
    struct err *(*scrub)(struct engine *e, struct str lower, struct str upper);
    void (*rest)(struct engine *e); /* drops what it only caches */
    void (*close)(struct engine *e);
};

struct engine {
    const struct engine_ops *ops;
    /* Set by who opened it: called before what is stored may change by itself (after a failed write
     * the log is read again, and may hold what nobody was told of), when no transaction lives. */
    void (*changes)(void *arg);
    void *changes_arg;
};

struct err *memory_open(struct engine **out) MUST_CHECK;

struct rocks_options {
    const char *dir;                /* made when missing */
    const struct secret *store_key; /* wraps the key of each file; AES_KEY_SIZE bytes */
    const unsigned char *store_id;  /* STORE_ID_SIZE bytes, bound into each wrapping */
    size_t cache_bytes;
    uint64_t reserve_bytes; /* commits answer ERR_FULL when less is free on the disk; 0: no look */
};

/* ERR_EXISTS when another process has it open. */
struct err *rocks_open(const struct rocks_options *o, struct engine **out) MUST_CHECK;

#endif
