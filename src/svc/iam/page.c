#include "room.h"

static size_t page_size(struct opt_int max_items)
{
    return max_items.set ? (size_t)max_items.v : IAM_PAGE_DEFAULT;
}

static bool collect(void *arg, const struct jv *row)
{
    struct iam_page *p = arg;
    if (p->path_prefix.p != NULL && !str_starts(row_s(row, "path"), p->path_prefix))
        return true;
    if (p->want != NULL && !p->want(p->ctx, row))
        return true;
    if (p->rows.n == page_size(p->max_items))
        return false;
    VEC_PUSH(p->c->arena, &p->rows, row);
    return true;
}

struct err *iam_page_rows(struct iam_page *p)
{
    struct call *c = p->c;
    struct str from = STR_NONE, rest = STR_NONE;
    TRY(page_position(c, p->marker, "ValidationError", &from));
    TRY(iam_row_each(c->txn, c->arena, iam_kinds[p->kind].table, c->account, from, collect, p,
                     &rest));
    p->next_marker = rest.p == NULL ? STR_NONE : page_token(c, rest);
    return NULL;
}

struct err *iam_page_range(struct call *c, struct str marker, struct opt_int max_items,
                           size_t total, struct iam_range *out)
{
    struct str at = STR_NONE;
    int64_t from = 0;
    TRY(page_position(c, marker, "ValidationError", &at));
    if (at.p != NULL && !str_to_i64(at, 0, INT32_MAX, &from))
        return err_aws(400, "ValidationError", "Invalid Marker.");
    if ((size_t)from > total) /* it has shrunk since */
        from = (int64_t)total;
    size_t left = total - (size_t)from, n = page_size(max_items);
    out->from = (size_t)from;
    out->to = (size_t)from + (left < n ? left : n);
    out->next_marker = STR_NONE;
    if (out->to < total)
        out->next_marker = page_token(c, arena_fmt(c->arena, "%zu", out->to));
    return NULL;
}
