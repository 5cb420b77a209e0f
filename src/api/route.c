/* route.c: which operation a REST request means. Templates are matched as they stand: one pass over
 * the routes of the method, a few comparisons each. */
#include "../core/enc.h"
#include "codec.h"

enum { LABELS_MAX = 8 };

struct match {
    const struct op_route *route;
    struct str label_names[LABELS_MAX], labels[LABELS_MAX]; /* raw */
    size_t n_labels;
    int rank;
};

/* Cuts the next segment off *path, which begins with '/'. */
static struct str next_segment(struct str *path)
{
    struct str rest = str_skip(*path, 1);
    ptrdiff_t slash = str_find_char(rest, '/');
    size_t n = slash < 0 ? rest.n : (size_t)slash;
    *path = str_skip(rest, n);
    return str_take(rest, n);
}

static bool is_label(struct str segment)
{
    return segment.n > 2 && segment.p[0] == '{' && segment.p[segment.n - 1] == '}';
}

/* Matches the path; literal segments count most, then the absence of a greedy label. */
static bool match_path(struct str template, struct str path, struct match *out)
{
    int literals = 0;
    bool greedy = false;
    while (template.n > 1) {
        struct str want = next_segment(&template);
        bool slash_only = template.n == 0 && want.n == 0; /* the template's own trailing slash */
        if (slash_only)
            break;
        if (path.n == 0)
            return false;
        if (is_label(want) && want.p[want.n - 2] == '+') {
            out->label_names[out->n_labels] = (struct str){want.p + 1, want.n - 3};
            out->labels[out->n_labels++] = str_skip(path, 1);
            if (path.n <= 1)
                return false;
            path = STR("");
            greedy = true;
            continue;
        }
        struct str have = next_segment(&path);
        if (is_label(want)) {
            if (have.n == 0 || out->n_labels == LABELS_MAX)
                return false;
            out->label_names[out->n_labels] = (struct str){want.p + 1, want.n - 2};
            out->labels[out->n_labels++] = have;
        } else {
            if (!str_eq(want, have))
                return false;
            literals++;
        }
    }
    out->rank = literals * 10000 + (greedy ? 0 : 5000);
    return path.n == 0 || str_is(path, "/");
}

/* "?acl&list-type=2": every constant must be there. x-id only repeats the operation's name, and
 * older SDKs leave it out. */
static bool match_query(struct str query, const struct wire_request *r, struct match *out)
{
    while (query.p != NULL) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        if (name.n == 0 || str_is(name, "x-id"))
            continue;
        bool found = false;
        for (size_t i = 0; i < r->n_params && !found; i++)
            found = str_eq(r->params[i].name, name) &&
                    (value.p == NULL || str_eq(r->params[i].value, value));
        if (!found)
            return false;
        out->rank += 500;
    }
    return true;
}

/* Among equals: the operation whose required members are all there, the more the better. */
static int rank_needs(const struct op_route *route, const struct wire_request *r)
{
    int n = 0;
    for (const struct op_need *need = route->needs; need->wire != NULL; need++, n++) {
        bool there = need->loc == LOC_QUERY ? wire_has_param(r, need->wire)
                                            : wire_req_header(r, need->wire).p != NULL;
        if (!there)
            return -100;
    }
    return n * 2;
}

static bool match_route(const struct op_route *route, const struct wire_request *r, struct str path,
                        struct match *out)
{
    out->route = route; /* the labels' room is not cleared for each route */
    out->n_labels = 0;
    out->rank = 0;
    struct str query = str_c(route->http_uri);
    struct str template = str_cut(&query, '?');
    if (!match_path(template, path, out) || !match_query(query, r, out))
        return false;
    out->rank += rank_needs(route, r) + (route->deprecated ? 0 : 1);
    return true;
}

static struct err *decode_labels(struct arena *a, const struct match *m, struct wire_request *r)
{
    r->labels = ARENA_ARRAY(a, m->n_labels + 1, struct wire_param);
    r->n_labels = m->n_labels;
    for (size_t i = 0; i < m->n_labels; i++) {
        struct wire_param *label = &r->labels[i];
        label->name = m->label_names[i];
        label->has_value = true;
        if (!dec_uri(a, m->labels[i], false, &label->value) || !str_utf8_valid(label->value))
            return err_aws(400, "InvalidURI", "Couldn't parse the specified URI.");
    }
    return NULL;
}

struct err *route_rest(struct arena *a, const struct service_model *m, struct wire_request *r,
                       struct str path, const struct op_model **out)
{
    struct match best = {.rank = INT32_MIN}, one;
    if (path.n == 0 || path.p[0] != '/')
        path = STR("/");
    for (uint32_t i = 0; i < m->n_routes; i++)
        if (str_is(r->method, m->routes[i].http_method) &&
            match_route(&m->routes[i], r, path, &one) && one.rank > best.rank)
            best = one;
    if (best.route == NULL) {
        *out = NULL;
        return NULL;
    }
    if (best.route->op == NULL)
        return err_aws(501, "NotImplemented", "The operation %s is not implemented.",
                       best.route->name);
    TRY(decode_labels(a, &best, r));
    *out = best.route->op;
    return NULL;
}
