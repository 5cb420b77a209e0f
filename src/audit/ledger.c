#include "ledger.h"

#include <pthread.h>
#include <stdatomic.h>

#define T_ENTRY "ledger"
#define T_HEAD "ledger.head"
#define T_TIME "ledger.time"
#define T_JOIN "ledger.join"
#define OWNER_WARD STR("ward")

enum { ENTRY_FIXED = 1 + 8 + SHA256_SIZE * 2 + 1 };

struct shard {
    uint64_t next;                    /* seq of the next record */
    unsigned char head[SHA256_SIZE];  /* hash of the last */
    bool doubtful;                    /* a commit ended without an answer: read the head again */
};

struct ledger {
    struct store *store;
    struct shard shards[LEDGER_SHARDS];
    _Atomic uint64_t visible[LEDGER_SHARDS]; /* `next`, for readers */
    _Atomic uint64_t appended;               /* records since start, for joins */
    uint64_t joined;                         /* `appended` at the last join */
    pthread_mutex_t lock;                    /* guards the stack of free shards */
    pthread_cond_t some;
    uint32_t free[LEDGER_SHARDS];
    size_t n_free;
};

static struct skey shard_key(uint32_t shard)
{
    struct skey k = skey();
    key_u32(&k, shard);
    return k;
}

static struct skey entry_key(uint32_t shard, uint64_t seq)
{
    struct skey k = shard_key(shard);
    key_u64(&k, seq);
    return k;
}

static uint64_t be64(const char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static struct err *load_head(struct store *s, uint32_t shard, struct shard *out)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(s, TXN_READ, &t));
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(4096);
    struct skey k = shard_key(shard);
    struct str v;
    TRY(txn_get(t, T_HEAD, key_of(&k), a, &v));
    *out = (struct shard){0};
    if (v.p == NULL)
        return NULL;
    if (v.n != 8 + SHA256_SIZE)
        return err_detail(err_new(ERR_CORRUPT, "The audit ledger is damaged."), "head size");
    out->next = be64(v.p);
    memcpy(out->head, v.p + 8, SHA256_SIZE);
    return NULL;
}

struct err *ledger_open(struct store *s, struct ledger **out)
{
    struct ledger *l = calloc(1, sizeof *l);
    CHECK(l != NULL);
    l->store = s;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->some, NULL);
    for (uint32_t i = 0; i < LEDGER_SHARDS; i++) {
        struct err *e = load_head(s, i, &l->shards[i]);
        if (e != NULL) {
            ledger_close(l);
            return e;
        }
        atomic_store(&l->visible[i], l->shards[i].next);
        l->free[l->n_free++] = LEDGER_SHARDS - 1 - i; /* low numbers on top: few shards stay hot */
    }
    *out = l;
    return NULL;
}

void ledger_close(struct ledger *l)
{
    if (l == NULL)
        return;
    pthread_cond_destroy(&l->some);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static uint32_t lease(struct ledger *l)
{
    pthread_mutex_lock(&l->lock);
    while (l->n_free == 0)
        pthread_cond_wait(&l->some, &l->lock);
    uint32_t shard = l->free[--l->n_free];
    pthread_mutex_unlock(&l->lock);
    return shard;
}

static void give_back(struct ledger *l, uint32_t shard)
{
    pthread_mutex_lock(&l->lock);
    l->free[l->n_free++] = shard;
    pthread_cond_signal(&l->some);
    pthread_mutex_unlock(&l->lock);
}

static void entry_hash(uint32_t shard, uint64_t seq, const unsigned char prev[SHA256_SIZE],
                       const struct ledger_record *r, unsigned char out[SHA256_SIZE])
{
    struct buf head CLEANUP(buf_clear) = BUF_INIT(512);
    buf_add(&head, prev, SHA256_SIZE);
    buf_u32(&head, shard);
    buf_u64(&head, seq);
    buf_u64(&head, (uint64_t)r->time_ms);
    buf_char(&head, (char)r->flags);
    buf_str(&head, r->account);
    buf_char(&head, '\0');
    const struct str parts[] = {buf_view(&head), r->json};
    hash_parts(HASH_SHA256, parts, ARRAY_LEN(parts), out);
}

static struct err *put_entry(struct txn *t, uint32_t shard, uint64_t seq,
                             const unsigned char prev[SHA256_SIZE],
                             const unsigned char hash[SHA256_SIZE], const struct ledger_record *r)
{
    struct buf v CLEANUP(buf_clear) = BUF_INIT(LEDGER_RECORD_MAX + 1024);
    (void)buf_reserve(&v, ENTRY_FIXED + r->account.n + r->json.n);
    buf_char(&v, (char)r->flags);
    buf_u64(&v, (uint64_t)r->time_ms);
    buf_add(&v, prev, SHA256_SIZE);
    buf_add(&v, hash, SHA256_SIZE);
    buf_char(&v, (char)r->account.n);
    buf_str(&v, r->account);
    buf_str(&v, r->json);
    TRY(buf_check(&v));
    struct skey k = entry_key(shard, seq);
    TRY(txn_put_new(t, T_ENTRY, r->account, key_of(&k), buf_view(&v)));
    struct skey by_time = skey();
    key_str(&by_time, r->account);
    key_u64(&by_time, (uint64_t)r->time_ms);
    key_u32(&by_time, shard);
    key_u64(&by_time, seq);
    return txn_put_new(t, T_TIME, r->account, key_of(&by_time), STR(""));
}

/* Appends to `now`, the shard's state as it will be if the transaction commits. */
static struct err *append_all(struct txn *t, uint32_t shard, struct shard *now,
                              const struct ledger_record *recs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(recs[i].account.n > 0 && recs[i].account.n < 64);
        if (recs[i].json.n > LEDGER_RECORD_MAX)
            return err_new(ERR_LIMIT, "The audit record of this call is too large.");
        unsigned char hash[SHA256_SIZE];
        entry_hash(shard, now->next, now->head, &recs[i], hash);
        TRY(put_entry(t, shard, now->next, now->head, hash, &recs[i]));
        memcpy(now->head, hash, SHA256_SIZE);
        now->next++;
    }
    struct buf v CLEANUP(buf_clear) = BUF_INIT(64);
    buf_u64(&v, now->next);
    buf_add(&v, now->head, SHA256_SIZE);
    struct skey k = shard_key(shard);
    return txn_put_new(t, T_HEAD, OWNER_WARD, key_of(&k), buf_view(&v));
}

struct err *ledger_commit(struct ledger *l, struct txn **t, const struct ledger_record *recs,
                          size_t n)
{
    if (n == 0)
        return txn_commit(t);
    uint32_t i = lease(l);
    struct shard *s = &l->shards[i];
    struct err *e = s->doubtful ? load_head(l->store, i, s) : NULL;
    struct shard now = *s;
    if (e == NULL)
        e = append_all(*t, i, &now, recs, n);
    if (e == NULL) {
        e = txn_commit(t);
        if (e == NULL) {
            *s = now;
            atomic_store_explicit(&l->visible[i], now.next, memory_order_release);
            atomic_fetch_add_explicit(&l->appended, n, memory_order_relaxed);
        } else {
            s->doubtful = !err_is(e, ERR_CONFLICT);
        }
    } else {
        txn_abort(t);
    }
    give_back(l, i);
    return e;
}

struct err *ledger_append(struct ledger *l, const struct ledger_record *recs, size_t n)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(l->store, TXN_WRITE, &t));
    return ledger_commit(l, &t, recs, n);
}

/* -- reading ----------------------------------------------------------------------------------- */

static struct err *decode_entry(struct arena *a, uint32_t shard, uint64_t seq, struct str v,
                                struct ledger_entry *out)
{
    size_t account_n = v.n >= ENTRY_FIXED ? (unsigned char)v.p[ENTRY_FIXED - 1] : 0;
    if (v.n < ENTRY_FIXED + account_n)
        return err_detail(err_new(ERR_CORRUPT, "The audit ledger is damaged."), "entry size");
    *out = (struct ledger_entry){.shard = shard, .seq = seq};
    out->rec.flags = (unsigned char)v.p[0];
    out->rec.time_ms = (int64_t)be64(v.p + 1);
    memcpy(out->prev, v.p + 9, SHA256_SIZE);
    memcpy(out->hash, v.p + 9 + SHA256_SIZE, SHA256_SIZE);
    out->rec.account = arena_str(a, str_take(str_skip(v, ENTRY_FIXED), account_n));
    out->rec.json = arena_str(a, str_skip(v, ENTRY_FIXED + account_n));
    return NULL;
}

static struct err *read_shard(struct txn *t, struct arena *a, uint32_t shard, uint64_t *next,
                              struct ledger_entry *out, size_t max, size_t *n)
{
    struct cursor *c CLEANUP(cursor_free_ptr) = NULL;
    struct skey prefix = shard_key(shard), from = entry_key(shard, *next);
    struct scan sc = {.prefix = key_of(&prefix), .from = key_of(&from)};
    TRY(txn_scan(t, T_ENTRY, &sc, &c));
    while (*n < max) {
        bool more;
        struct str key, value;
        TRY(cursor_next(c, &more, &key, &value));
        if (!more)
            break;
        uint64_t seq;
        uint32_t in_key;
        if (!key_take_u32(&key, &in_key) || !key_take_u64(&key, &seq) || seq != *next)
            return err_detail(err_new(ERR_CORRUPT, "The audit ledger is damaged."),
                              "shard %u: gap at %llu", shard, (unsigned long long)*next);
        TRY(decode_entry(a, shard, seq, value, &out[(*n)++]));
        (*next)++;
    }
    return NULL;
}

void ledger_cursor_end(struct ledger *l, struct ledger_cursor *out)
{
    for (uint32_t i = 0; i < LEDGER_SHARDS; i++)
        out->next[i] = atomic_load_explicit(&l->visible[i], memory_order_acquire);
}

struct err *ledger_read(struct ledger *l, struct txn *t, struct arena *a, struct ledger_cursor *c,
                        struct ledger_entry *out, size_t max, size_t *out_n)
{
    size_t n = 0;
    for (uint32_t i = 0; i < LEDGER_SHARDS && n < max; i++)
        if (c->next[i] < atomic_load_explicit(&l->visible[i], memory_order_acquire))
            TRY(read_shard(t, a, i, &c->next[i], out, max, &n));
    *out_n = n;
    return NULL;
}

struct err *ledger_scan(struct ledger *l UNUSED, struct txn *t, struct arena *a,
                        struct str account, int64_t from_ms, int64_t to_ms,
                        bool (*fn)(void *ctx, const struct ledger_entry *e), void *ctx)
{
    struct skey prefix = skey(), from = skey();
    key_str(&prefix, account);
    key_str(&from, account);
    key_u64(&from, (uint64_t)to_ms + 1);
    struct cursor *c CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {.prefix = key_of(&prefix), .from = key_of(&from), .reverse = true,
                      .keys_only = true};
    TRY(txn_scan(t, T_TIME, &sc, &c));
    for (;;) {
        bool more;
        struct str key, value, entry, none;
        TRY(cursor_next(c, &more, &key, &value));
        if (!more)
            return NULL;
        uint64_t time_ms, seq;
        uint32_t shard;
        if (!key_take_str(a, &key, &none) || !key_take_u64(&key, &time_ms) ||
            !key_take_u32(&key, &shard) || !key_take_u64(&key, &seq))
            return err_new(ERR_CORRUPT, "The audit ledger's index is damaged.");
        if ((int64_t)time_ms < from_ms)
            return NULL;
        struct skey k = entry_key(shard, seq);
        TRY(txn_peek(t, T_ENTRY, key_of(&k), a, &entry));
        if (entry.p == NULL)
            return err_new(ERR_CORRUPT, "The audit ledger lacks an entry that its index names.");
        struct ledger_entry e;
        TRY(decode_entry(a, shard, seq, entry, &e));
        if (!fn(ctx, &e))
            return NULL;
    }
}

/* -- joins ------------------------------------------------------------------------------------- */

static struct err *last_join(struct txn *t, struct arena *a, uint64_t *out_seq,
                             unsigned char out_hash[SHA256_SIZE])
{
    struct cursor *c CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {.reverse = true};
    TRY(txn_scan(t, T_JOIN, &sc, &c));
    bool more;
    struct str key, value;
    TRY(cursor_next(c, &more, &key, &value));
    *out_seq = 0;
    memset(out_hash, 0, SHA256_SIZE);
    if (!more)
        return NULL;
    uint64_t seq;
    if (!key_take_u64(&key, &seq) || value.n < SHA256_SIZE)
        return err_new(ERR_CORRUPT, "The audit ledger's joins are damaged.");
    (void)a;
    *out_seq = seq + 1;
    memcpy(out_hash, value.p, SHA256_SIZE);
    return NULL;
}

/* A join row: its hash, then what is hashed: the previous join's hash, the heads' seq and hash. */
struct err *ledger_join(struct ledger *l)
{
    uint64_t appended = atomic_load(&l->appended);
    if (appended == l->joined)
        return NULL;
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(256 * 1024);
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(l->store, TXN_WRITE, &t));
    uint64_t seq;
    unsigned char prev[SHA256_SIZE], hash[SHA256_SIZE];
    TRY(last_join(t, a, &seq, prev));
    struct buf body CLEANUP(buf_clear) = BUF_INIT(LEDGER_SHARDS * 64 + 64);
    buf_add(&body, prev, SHA256_SIZE);
    for (uint32_t i = 0; i < LEDGER_SHARDS; i++) {
        struct skey k = shard_key(i);
        struct str head;
        TRY(txn_peek(t, T_HEAD, key_of(&k), a, &head));
        if (head.p != NULL && head.n == 8 + SHA256_SIZE) {
            buf_u32(&body, i);
            buf_str(&body, head);
        }
    }
    sha256(buf_view(&body), hash);
    struct buf row CLEANUP(buf_clear) = BUF_INIT(LEDGER_SHARDS * 64 + 128);
    buf_add(&row, hash, SHA256_SIZE);
    buf_str(&row, buf_view(&body));
    struct skey k = skey();
    key_u64(&k, seq);
    TRY(txn_put_new(t, T_JOIN, OWNER_WARD, key_of(&k), buf_view(&row)));
    TRY(txn_commit(&t));
    l->joined = appended;
    return NULL;
}

/* -- verification ------------------------------------------------------------------------------ */

static void fault(struct ledger_report *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fault(struct ledger_report *r, const char *fmt, ...)
{
    if (r->faults++ > 0)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r->first_fault, sizeof r->first_fault, fmt, ap);
    va_end(ap);
}

struct walk { /* the joins say which hash must stand at (shard, seq - 1) */
    struct ledger_report *report;
    void (*progress)(void *ctx, uint64_t done);
    void *ctx;
};

static struct err *verify_shard(struct store *s, uint32_t shard, uint64_t end, struct walk *w,
                                unsigned char head[SHA256_SIZE])
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(64 * 1024 * 1024);
    unsigned char expect[SHA256_SIZE] = {0};
    for (uint64_t next = 0; next < end;) {
        struct txn *t CLEANUP(txn_abort) = NULL;
        TRY(store_begin(s, TXN_READ, &t));
        struct ledger_entry entries[64];
        size_t n = 0;
        struct err *e = read_shard(t, a, shard, &next, entries, ARRAY_LEN(entries), &n);
        if (e != NULL) {
            fault(w->report, "shard %u, entry %llu: %s", shard, (unsigned long long)next,
                  e->detail[0] ? e->detail : e->message);
            err_free(e);
            return NULL;
        }
        for (size_t i = 0; i < n; i++) {
            unsigned char hash[SHA256_SIZE];
            entry_hash(shard, entries[i].seq, entries[i].prev, &entries[i].rec, hash);
            if (memcmp(entries[i].prev, expect, SHA256_SIZE) != 0 ||
                memcmp(entries[i].hash, hash, SHA256_SIZE) != 0)
                fault(w->report, "shard %u, entry %llu: the hash does not match", shard,
                      (unsigned long long)entries[i].seq);
            memcpy(expect, entries[i].hash, SHA256_SIZE);
        }
        w->report->entries += n;
        if (n == 0) {
            fault(w->report, "shard %u ends at entry %llu of %llu", shard,
                  (unsigned long long)next, (unsigned long long)end);
            return NULL;
        }
        if (w->progress != NULL)
            w->progress(w->ctx, w->report->entries);
        arena_reset(a);
    }
    memcpy(head, expect, SHA256_SIZE);
    return NULL;
}

static struct err *entry_hash_at(struct txn *t, struct arena *a, uint32_t shard, uint64_t seq,
                                 unsigned char out[SHA256_SIZE], bool *found)
{
    struct skey k = entry_key(shard, seq);
    struct str v;
    TRY(txn_peek(t, T_ENTRY, key_of(&k), a, &v));
    *found = v.p != NULL && v.n >= ENTRY_FIXED;
    if (*found)
        memcpy(out, v.p + 9 + SHA256_SIZE, SHA256_SIZE);
    return NULL;
}

static struct err *verify_join(struct txn *t, struct arena *a, uint64_t seq, struct str row,
                               const unsigned char prev[SHA256_SIZE], struct ledger_report *r)
{
    unsigned char hash[SHA256_SIZE];
    struct str body = str_skip(row, SHA256_SIZE);
    sha256(body, hash);
    if (row.n < 2 * SHA256_SIZE || memcmp(hash, row.p, SHA256_SIZE) != 0 ||
        memcmp(body.p, prev, SHA256_SIZE) != 0) {
        fault(r, "join %llu: the hash does not match", (unsigned long long)seq);
        return NULL;
    }
    for (struct str rest = str_skip(body, SHA256_SIZE); rest.n > 0;) {
        uint32_t shard;
        uint64_t next;
        unsigned char at[SHA256_SIZE];
        bool found = false;
        if (!key_take_u32(&rest, &shard) || !key_take_u64(&rest, &next) || rest.n < SHA256_SIZE)
            break;
        if (next > 0)
            TRY(entry_hash_at(t, a, shard, next - 1, at, &found));
        if (next > 0 && (!found || memcmp(at, rest.p, SHA256_SIZE) != 0))
            fault(r, "join %llu: shard %u was changed or cut off before entry %llu",
                  (unsigned long long)seq, shard, (unsigned long long)next);
        rest = str_skip(rest, SHA256_SIZE);
    }
    return NULL;
}

static struct err *verify_joins(struct store *s, struct ledger_report *r)
{
    struct arena *each CLEANUP(arena_free_ptr) = arena_new(64 * 1024 * 1024);
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(s, TXN_READ, &t));
    struct cursor *c CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {0};
    TRY(txn_scan(t, T_JOIN, &sc, &c));
    unsigned char prev[SHA256_SIZE] = {0};
    for (uint64_t expect = 0;; expect++) {
        bool more;
        struct str key, value;
        uint64_t seq;
        TRY(cursor_next(c, &more, &key, &value));
        if (!more)
            return NULL;
        if (!key_take_u64(&key, &seq) || seq != expect)
            fault(r, "join %llu is missing", (unsigned long long)expect);
        TRY(verify_join(t, each, expect, value, prev, r));
        if (value.n >= SHA256_SIZE)
            memcpy(prev, value.p, SHA256_SIZE);
        r->joins++;
        arena_reset(each);
    }
}

struct err *ledger_verify(struct ledger *l, struct ledger_report *out,
                          void (*progress)(void *ctx, uint64_t done), void *ctx)
{
    struct ledger_report report = {0};
    struct walk w = {&report, progress, ctx};
    for (uint32_t i = 0; i < LEDGER_SHARDS; i++) {
        struct shard s;
        unsigned char head[SHA256_SIZE];
        TRY(load_head(l->store, i, &s));
        memcpy(head, s.head, SHA256_SIZE);
        TRY(verify_shard(l->store, i, s.next, &w, head));
        if (memcmp(head, s.head, SHA256_SIZE) != 0)
            fault(&report, "shard %u: the head does not match the last entry", i);
    }
    TRY(verify_joins(l->store, &report));
    *out = report;
    return NULL;
}
