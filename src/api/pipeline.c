/* The straight line. Read from top to bottom:
 *
 *   accept, parse      http/server.c, entry.c
 *   identify           identify.c
 *   authenticate       authenticate.c
 *   decode             codec_decode, types only
 *   authorise          authorise.c        \
 *   validate           shape_validate      |
 *   handler            the room            | one transaction, run again after a conflict
 *   audit              record.c            |
 *   commit             ledger_commit      /
 *   respond            entry.c
 *
 * Nothing answers a client without passing through here; internal calls (internal.c) join at
 * authorise. */
#include "line.h"
#include "../core/log.h"

#include <stdatomic.h>

const struct need NO_NEEDS[1] = {{0}};

enum { RETRY_PAUSE_US = 200, REFUSALS_A_SECOND = 50 };

static struct err *validate(struct line *l)
{
    struct call *c = &l->c;
    if (c->op->input == NULL || c->room->validation_code == NULL)
        return NULL;
    return shape_validate(l->arena, c->op->input, c->in, c->room->validation_code);
}

/* The record of what succeeded, with what the handler changed, in one commit. What was only read is
 * recorded in a transaction of its own, durable before the answer. */
static struct err *audit_and_commit(struct line *l)
{
    struct call *c = &l->c;
    if (c->row->unrecorded && c->row->effect == OP_READ) {
        txn_abort(&c->txn);
        return NULL;
    }
    struct line_records r CLEANUP(line_records_clear) = {0};
    TRY(line_record(l, NULL, &r));
    if (c->row->effect == OP_WRITE)
        return ledger_commit(c->ward->ledger, &c->txn, r.v, r.n);
    txn_abort(&c->txn);
    return ledger_append(c->ward->ledger, r.v, r.n);
}

/* Once through the transaction. */
static struct err *attempt(struct line *l)
{
    struct call *c = &l->c;
    enum txn_mode mode = c->row->effect == OP_WRITE ? TXN_WRITE : TXN_LOOK;
    l->extras.n = 0;
    c->n_extra_headers = 0;
    c->out = c->op->output_size == 0 ? NULL : arena_alloc(l->arena, c->op->output_size);
    TRY(store_begin(c->ward->store, mode, &c->txn));
    /* A streamed body was let in by line_begin_body(), as with AWS once for the request. */
    if (!l->body_began) {
        TRY(line_authorise(l));
        TRY(validate(l));
    }
    TRY(line_check_disk(l));
    TRY(c->row->handler(c, c->in, c->out));
    TRY(arena_check(l->arena));
    return audit_and_commit(l);
}

/* A moment for the other side of a conflict, longer each time and never the same for two. */
static void pause_after_conflict(int n)
{
    uint64_t most = (uint64_t)RETRY_PAUSE_US << (n < 6 ? n : 6);
    struct timespec t = {0, (long)(rand_u64() % most) * 1000};
    nanosleep(&t, NULL);
}

struct err *line_transact(struct line *l)
{
    struct call *c = &l->c;
    struct err *e = NULL;
    for (int n = 0; n < CALL_ATTEMPTS; n++) {
        park_prepare(l);
        e = attempt(l);
        txn_abort(&c->txn);
        if (!err_is(e, ERR_CONFLICT))
            return e;
        err_free(e);
        pause_after_conflict(n);
    }
    return err_aws(503, "ServiceUnavailable",
                   "Too many requests change the same resource at once; try again.");
}

struct err *line_begin_body(struct line *l)
{
    struct call *c = &l->c;
    TRY(store_begin(c->ward->store, TXN_LOOK, &c->txn));
    struct err *e = line_authorise(l);
    if (e == NULL)
        e = validate(l);
    if (e == NULL)
        e = line_check_disk(l);
    if (e == NULL) {
        l->body_began = true;
        e = c->row->body->begin(c);
    }
    txn_abort(&c->txn);
    return e;
}

/* -- refusals and failures --------------------------------------------------------------------- */

/* Requests that name no account cost a client nothing to send: their records are limited by rate,
 * so that they cannot fill the disk. What is left out is counted in the log. */
static bool within_rate(void)
{
    static _Atomic int64_t second;
    static _Atomic int64_t count;
    int64_t now = clock_mono_ms() / 1000, then = atomic_load(&second);
    if (now != then && atomic_compare_exchange_strong(&second, &then, now)) {
        int64_t left_out = atomic_exchange(&count, 0) - REFUSALS_A_SECOND;
        if (left_out > 0)
            log_warn("%lld refused requests of unknown callers were not recorded one by one",
                     (long long)left_out);
    }
    return atomic_fetch_add(&count, 1) < REFUSALS_A_SECOND;
}

void line_record_refusal(struct line *l, const struct err *e)
{
    struct call *c = &l->c;
    if (c->row != NULL && c->row->unrecorded)
        return;
    if (c->account.n == 0 && l->resources.n == 0 && !within_rate())
        return;
    struct line_records r CLEANUP(line_records_clear) = {0};
    struct err *f = line_record(l, e, &r);
    if (f == NULL)
        f = ledger_append(c->ward->ledger, r.v, r.n);
    /* The call failed already and changed nothing: its answer stands even if the disk is full. */
    log_err(LOG_ERROR, "a refusal could not be recorded", f);
}
