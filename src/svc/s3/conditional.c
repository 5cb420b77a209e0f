#include "conditional.h"

static struct str bare_etag(struct str tag)
{
    tag = str_trim(tag);
    if (str_starts_c(tag, "W/"))
        tag = str_skip(tag, 2);
    if (tag.n >= 2 && tag.p[0] == '"' && tag.p[tag.n - 1] == '"')
        tag = str_of(tag.p + 1, tag.n - 2);
    return tag;
}

bool s3_etag_listed(struct str list, struct str etag)
{
    if (str_is(str_trim(list), "*"))
        return true;
    while (list.p != NULL)
        if (str_eq(bare_etag(str_cut(&list, ',')), etag))
            return true;
    return false;
}

enum s3_verdict s3_conditions_read(const struct s3_conditions *k, struct str etag,
                                   int64_t modified_ms)
{
    /* HTTP dates have whole seconds. */
    int64_t modified_s = modified_ms / 1000;
    if (k->if_match.p != NULL) {
        if (!s3_etag_listed(k->if_match, etag))
            return VERDICT_FAILED;
    } else if (k->has_unmodified && modified_s > k->unmodified_since_ms / 1000) {
        return VERDICT_FAILED;
    }
    if (k->if_none_match.p != NULL) {
        if (s3_etag_listed(k->if_none_match, etag))
            return VERDICT_NOT_MODIFIED;
    } else if (k->has_modified && modified_s <= k->modified_since_ms / 1000) {
        return VERDICT_NOT_MODIFIED;
    }
    return VERDICT_GO;
}

enum s3_range s3_range_parse(struct str header, uint64_t size, uint64_t *out_from, uint64_t *out_n)
{
    if (!str_starts_c(header, "bytes=") || str_find_char(header, ',') >= 0)
        return RANGE_NONE;
    struct str last = str_trim(str_skip(header, 6));
    if (str_find_char(last, '-') < 0)
        return RANGE_NONE;
    struct str first = str_cut(&last, '-');
    int64_t from = 0, to = 0;
    if (first.n == 0) {
        if (!str_to_i64(last, 0, INT64_MAX, &to))
            return RANGE_NONE;
        if (to == 0 || size == 0)
            return RANGE_UNSATISFIABLE;
        *out_n = (uint64_t)to < size ? (uint64_t)to : size;
        *out_from = size - *out_n;
        return RANGE_OK;
    }
    if (!str_to_i64(first, 0, INT64_MAX, &from))
        return RANGE_NONE;
    if (last.n == 0)
        to = INT64_MAX;
    else if (!str_to_i64(last, 0, INT64_MAX, &to) || to < from)
        return RANGE_NONE;
    if ((uint64_t)from >= size)
        return RANGE_UNSATISFIABLE;
    if ((uint64_t)to >= size)
        to = (int64_t)size - 1;
    *out_from = (uint64_t)from;
    *out_n = (uint64_t)(to - from) + 1;
    return RANGE_OK;
}
