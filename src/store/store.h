/* store.h: the key-value port. Named tables, ordered binary keys, snapshot reads, transactions with
 * conflict detection, ordered scans, durable commit. Nothing outside src/store knows the engine.
 *
 * Encryption. Every file of the engine is encrypted beneath the key order (its own data key,
 * wrapped by the store key), and every value is sealed above it with AES-256-GCM under the data key
 * of its owner, with its table and key as associated data.
 *
 * Owners. An owner is a text "ACCOUNT" or "ACCOUNT/what/ever" ("123456789012/s3/my-bucket"), or
 * "ward" for what belongs to the installation. An owner's data key is made at its first write,
 * wrapped by the account's key, which is wrapped by the root key. store_owner_destroy() destroys
 * the data key: what it sealed is then beyond recovery.
 *
 * Transactions. TXN_READ sees one snapshot. TXN_WRITE sees a snapshot and its own writes; every key
 * it reads with txn_get or writes is checked at commit, and txn_commit answers ERR_CONFLICT if
 * another transaction changed one: run the whole again. Keys seen by a scan are not checked, so a
 * handler that depends on a scan (an empty bucket, a free name) also gets and puts a row that
 * stands for the whole. A scan sees the transaction's own writes, also those made while it is open,
 * so a loop may delete what it walks over. A success of txn_commit is durable; concurrent commits
 * share an fsync.
 *
 * Lifetimes: a value from txn_get is copied to the arena; a cursor's key and value are views until
 * its next step. All cursors must be freed before the transaction ends.
 *
 * Limits: STORE_KEY_MAX, STORE_VALUE_MAX (ERR_LIMIT). Errors: ERR_IO, ERR_FULL (no space: reads go
 * on; commits keep 32 MiB of the disk free), ERR_CORRUPT (a value failed its seal, or its owner was
 * destroyed).
 *
 * Thread rule: a store may be used from any thread; a transaction belongs to one at a time. */
#ifndef WARD_STORE_STORE_H
#define WARD_STORE_STORE_H

#include "../core/arena.h"
#include "../core/buf.h"
#include "../crypto/secret.h"

enum {
    STORE_KEY_MAX = 4096,
    STORE_VALUE_MAX = 8 * 1024 * 1024,
    STORE_TXN_BYTES_MAX = 64 * 1024 * 1024,
    STORE_OWNER_MAX = 256,
};

struct store;
struct txn;
struct cursor;
struct jv;

struct store_options {
    const char *dir;               /* made when missing, mode 0700 */
    const struct secret *root_key; /* AES_KEY_SIZE bytes */
    size_t cache_bytes;            /* block cache; 0: 8 MiB */
};

/* Opens or creates. Errors: ERR_DENIED with a plain message when the root key is not the store's,
 * ERR_EXISTS when another process has it open. */
struct err *store_open(const struct store_options *o, struct store **out) MUST_CHECK;
struct err *store_open_memory(struct store **out) MUST_CHECK; /* tests: nothing is written */
void store_close(struct store *s); /* all transactions must have ended; NULL is fine */

/* Gives back memory that can be had again: cached blocks of the engine's files. */
void store_rest(struct store *s);

/* TXN_LOOK is TXN_READ whose snapshot is taken with the first row that must be read from the store:
 * for those who may find all that they want among the rows kept decoded (txn_look). */
enum txn_mode { TXN_READ, TXN_WRITE, TXN_LOOK };

struct err *store_begin(struct store *s, enum txn_mode mode, struct txn **out) MUST_CHECK;
struct err *txn_commit(struct txn **t) MUST_CHECK; /* ends it, whatever the result; *t = NULL */
void txn_abort(struct txn **t);                    /* NULL in *t is fine; for CLEANUP() */

/* Absent: *out is STR_NONE and no error. */
struct err *txn_get(struct txn *t, const char *table, struct str key, struct arena *a,
                    struct str *out) MUST_CHECK;
/* The same without conflict detection, for rows that many change and this one only looks at. */
struct err *txn_peek(struct txn *t, const char *table, struct str key, struct arena *a,
                     struct str *out) MUST_CHECK;
struct err *txn_put(struct txn *t, const char *table, struct str owner, struct str key,
                    struct str value) MUST_CHECK;
/* A put that reads nothing and conflicts with nothing: for keys that only one writer can make
 * (ledger rows, unique ids). */
struct err *txn_put_new(struct txn *t, const char *table, struct str owner, struct str key,
                        struct str value) MUST_CHECK;
struct err *txn_del(struct txn *t, const char *table, struct str key) MUST_CHECK; /* absent: fine */

/* -- rows kept decoded ---------------------------------------------------------------------------
 * For small rows that nearly every request reads and few change: keys, users, buckets. The decoded
 * form stays in memory while the stored row stays what it is, so a look usually costs a search in a
 * table. It sees what txn_peek would, or what was committed meanwhile; never less than was
 * acknowledged before the transaction began, nor less than its snapshot. After a write of its own
 * to the table a transaction sees its own row.
 *
 * Objects are shared and must not be changed. `decode` sees the plain text for the time of the call
 * and says about how many bytes the object takes; what it leaves in memory stays there until the
 * row is changed or pushed out, so secrets belong into struct secret. `key` as for txn_peek. The
 * object lives as long as the arena; absent: NULL. */
struct row_form {
    struct err *(*decode)(struct str text, void **out, size_t *out_bytes);
    void (*free)(void *object);
};
struct err *txn_look(struct txn *t, const char *table, const struct row_form *form, struct str key,
                     struct arena *a, const void **out) MUST_CHECK;
/* The same for rows that are JSON documents without secrets. */
struct err *txn_look_json(struct txn *t, const char *table, struct str key, struct arena *a,
                          const struct jv **out) MUST_CHECK;

/* -- gates ---------------------------------------------------------------------------------------
 * Many transactions that depend on one thing and do not change it (objects put into a bucket) would
 * all wait for each other's commits if each read the row that stands for it with txn_get: the check
 * at commit is exclusive for each key. Instead they pass a gate, which reads one of GATE_STRIPES
 * rows, chosen at random; who takes the thing away shuts the gate, which writes all of them, and so
 * conflicts with everybody who passed and has not committed. Passing costs one read; shutting
 * GATE_STRIPES writes. */
enum { GATE_STRIPES = 512 };
struct err *txn_gate_pass(struct txn *t, struct arena *a, struct str gate) MUST_CHECK;
struct err *txn_gate_shut(struct txn *t, struct str owner, struct str gate) MUST_CHECK;

/* Called after a successful commit, on the committing thread, in order. */
void txn_on_commit(struct txn *t, void (*fn)(void *), void *arg);

struct scan {
    struct str prefix;  /* keys that begin with it */
    struct str from;    /* forward: first key >= from; reverse: first key <= from; none: the end */
    bool after;         /* exclude `from` itself */
    bool reverse;
    bool keys_only;     /* values are not opened: cheaper */
};

struct err *txn_scan(struct txn *t, const char *table, const struct scan *sc, struct cursor **out)
    MUST_CHECK;
/* *out_more false: the end; key and value untouched. */
struct err *cursor_next(struct cursor *c, bool *out_more, struct str *key, struct str *value)
    MUST_CHECK;
void cursor_free(struct cursor *c);
void cursor_free_ptr(struct cursor **c); /* for CLEANUP() */

/* Durable, and the wrapped key's bytes are gone from the engine's files when it returns, which
 * takes tens of milliseconds. Transactions that write for the owner meanwhile get ERR_CONFLICT. */
struct err *store_owner_destroy(struct store *s, struct str owner) MUST_CHECK;

/* A secret of the installation, made at first use, kept wrapped under the root key: token keys, the
 * CA's key and the like. `name` is a literal. */
struct err *store_secret(struct store *s, const char *name, size_t size, struct secret **out)
    MUST_CHECK;
/* The same for a secret made elsewhere; get answers NULL in *out when there is none. */
struct err *store_secret_put(struct store *s, const char *name, const struct secret *v) MUST_CHECK;
struct err *store_secret_get(struct store *s, const char *name, struct secret **out) MUST_CHECK;

/* Bytes under `owner`'s data key for use outside the store (blob keys): seals and opens like a
 * value; `context` is the associated data. Arena memory. */
struct err *store_seal(struct store *s, struct arena *a, struct str owner, struct str context,
                       struct str plain, struct str *out) MUST_CHECK;
struct err *store_unseal(struct store *s, struct arena *a, struct str context, struct str sealed,
                         struct str *out) MUST_CHECK;

/* -- keys ----------------------------------------------------------------------------------------
 * Composed keys whose byte order is the order of their parts: a text part is ended by 00 01, and a
 * 00 inside it is written 00 ff; integers are big-endian. key_tail() is a last text part, raw.
 *
 *     struct skey k = skey();  key_str(&k, account); key_u64(&k, seq);  txn_get(t, T, key_of(&k)…)
 *
 * Never allocates. Overlong keys are cut and marked: txn_* then answer ERR_LIMIT. */
struct skey {
    size_t n;
    bool over;
    char p[1200];
};

struct skey skey(void);
void key_str(struct skey *k, struct str part);
void key_c(struct skey *k, const char *part);
void key_u64(struct skey *k, uint64_t v);
void key_u32(struct skey *k, uint32_t v);
void key_tail(struct skey *k, struct str part);
struct str key_of(const struct skey *k); /* a view into k */

/* Reading them back; false: not of the form. */
bool key_take_str(struct arena *a, struct str *rest, struct str *out);
bool key_take_u64(struct str *rest, uint64_t *out);
bool key_take_u32(struct str *rest, uint32_t *out);

#endif
