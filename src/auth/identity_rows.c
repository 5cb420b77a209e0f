#include "identity_int.h"

/* -- keys -------------------------------------------------------------------------------------- */

static bool table_is(const char *table, const char *name)
{
    return strcmp(table, name) == 0;
}

/* IAM's names are unique without regard to case, so the key holds the name in lower case. The name
 * of a managed policy is the end of its ARN: unique whatever the path. */
static struct str folded(struct arena *a, const char *table, struct str name)
{
    if (table_is(table, "iam.policy"))
        name = str_skip(name, (size_t)(str_rfind_char(name, '/') + 1));
    char *low = arena_cstr(a, name.p == NULL ? STR("") : name);
    for (size_t i = 0; i < name.n; i++)
        if (low[i] >= 'A' && low[i] <= 'Z')
            low[i] = (char)(low[i] - 'A' + 'a');
    return str_of(low, name.n);
}

struct skey iam_row_key(struct arena *a, const char *table, struct str account, struct str name)
{
    struct skey k = skey();
    if (table_is(table, "iam.key")) {
        key_tail(&k, name);
        return k;
    }
    key_str(&k, account);
    key_tail(&k, folded(a, table, name));
    return k;
}

/* Found under the folded name; it is the row meant only if it is written the same. */
bool iam_row_is(const char *table, const struct jv *row, struct str name)
{
    if (table_is(table, "iam.policy"))
        return str_eq(jv_s(jv_get(row, "arn")), name);
    if (table_is(table, "iam.key") || table_is(table, "iam.account"))
        return true;
    return str_eq(jv_s(jv_get(row, "name")), name);
}

/* -- one row ----------------------------------------------------------------------------------- */

static void wipe_str(void *arg)
{
    struct str *s = arg;
    secret_wipe((void *)(uintptr_t)s->p, s->n);
}

void arena_wipe_later(struct arena *a, struct str s)
{
    if (s.n == 0)
        return;
    struct str *keep = ARENA_NEW(a, struct str);
    *keep = s;
    arena_on_free(a, wipe_str, keep);
}

static struct err *row_parse(struct arena *a, const char *table, struct str text, struct jv **out)
{
    struct err *e = json_parse(a, text, 16, out);
    if (e != NULL) {
        e = err_detail(e, "table %s", table);
        e->kind = ERR_CORRUPT;
    }
    if (table_is(table, "iam.key")) { /* holds a secret access key, twice now */
        arena_wipe_later(a, text);
        if (e == NULL)
            arena_wipe_later(a, jv_s(jv_get(*out, "secret")));
    }
    return e;
}

static struct err *row_read(struct txn *t, struct arena *a, const char *table, struct str account,
                            struct str name, bool peek, struct jv **out)
{
    struct skey k = iam_row_key(a, table, account, name);
    if (k.over) { /* longer than any name can be */
        *out = NULL;
        return NULL;
    }
    struct str text;
    TRY(peek ? txn_peek(t, table, key_of(&k), a, &text) : txn_get(t, table, key_of(&k), a, &text));
    struct jv *row = NULL;
    if (text.p != NULL)
        TRY(row_parse(a, table, text, &row));
    *out = row != NULL && iam_row_is(table, row, name) ? row : NULL;
    return NULL;
}

struct err *iam_row_get(struct txn *t, struct arena *a, const char *table, struct str account,
                        struct str name, struct jv **out)
{
    return row_read(t, a, table, account, name, false, out);
}

struct err *iam_row_peek(struct txn *t, struct arena *a, const char *table, struct str account,
                         struct str name, struct jv **out)
{
    return row_read(t, a, table, account, name, true, out);
}

struct err *iam_row_put(struct txn *t, struct arena *a, const char *table, struct str account,
                        struct str name, const struct jv *row)
{
    struct skey k = iam_row_key(a, table, account, name);
    struct str text = jv_text(a, row);
    if (table_is(table, "iam.key"))
        arena_wipe_later(a, text);
    return txn_put(t, table, account, key_of(&k), text);
}

struct err *iam_row_del(struct txn *t, const char *table, struct str account, struct str name)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(16 * 1024);
    struct skey k = iam_row_key(a, table, account, name);
    return txn_del(t, table, key_of(&k));
}

struct err *iam_row_taken(struct txn *t, struct arena *a, const char *table, struct str account,
                          struct str name, bool *out)
{
    struct skey k = iam_row_key(a, table, account, name);
    struct str text;
    TRY(txn_get(t, table, key_of(&k), a, &text));
    *out = text.p != NULL;
    return NULL;
}

/* -- many -------------------------------------------------------------------------------------- */

struct err *iam_row_each(struct txn *t, struct arena *a, const char *table, struct str account,
                         struct str from, bool (*fn)(void *ctx, const struct jv *row), void *ctx,
                         struct str *out_position)
{
    struct skey prefix = skey(), start = skey();
    key_str(&prefix, account);
    key_str(&start, account);
    key_tail(&start, from.p == NULL ? STR("") : from);
    struct scan sc = {.prefix = key_of(&prefix), .from = key_of(&start)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, table, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            break;
        struct jv *row;
        TRY(row_parse(a, table, value, &row));
        if (!fn(ctx, row)) {
            *out_position = arena_str(a, str_skip(key, prefix.n));
            return NULL;
        }
        TRY(arena_check(a));
    }
    *out_position = STR_NONE;
    return NULL;
}
