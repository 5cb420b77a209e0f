/* A policy and a message, a line each: whatever they are, checking and matching end; what is taken
 * is taken again when it is written out, and matches the same. */
#include "fuzz.h"

#include "../filter.h"

enum { ARENA_BYTES = 64 * 1024 * 1024 };

static bool matches(struct arena *a, const struct jv *policy, enum filter_scope scope,
                    struct str text)
{
    if (scope == FILTER_BODY)
        return filter_match_body(policy, filter_body(a, text));
    struct str rest = text, name = str_cut(&rest, '='), type = str_cut(&rest, '=');
    struct filter_attribute v = {name, type, rest};
    return filter_match_attributes(a, policy, &v, 1);
}

static void try_scope(enum filter_scope scope, struct str policy_text, struct str text)
{
    struct arena *a = arena_new(ARENA_BYTES);
    struct jv *policy = NULL, *again = NULL;
    struct err *e = filter_parse(a, policy_text, scope, &policy);
    if (e != NULL) {
        CHECK(e->kind == ERR_INVALID && policy == NULL);
        err_free(e);
        arena_free(a);
        return;
    }
    bool found = matches(a, policy, scope, text);
    struct err *f = filter_parse(a, jv_text(a, policy), scope, &again);
    CHECK(f == NULL && jv_equal(policy, again));
    CHECK(matches(a, again, scope, text) == found);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_of(size == 0 ? (const void *)"" : data, size);
    struct str policy = str_cut(&rest, '\n');
    try_scope(FILTER_BODY, policy, rest);
    try_scope(FILTER_ATTRIBUTES, policy, rest);
    return 0;
}
