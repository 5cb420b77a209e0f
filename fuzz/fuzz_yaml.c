/* What yaml_parse takes, jv_text writes as JSON that reads back equal; and as JSON is nearly YAML,
 * that text reads as the same YAML too, where it is plain enough. */
#include "fuzz.h"

#include "core/yaml.h"

enum { ARENA_BYTES = 64 * 1024 * 1024 };

/* libyaml takes no simple key of 1024 characters or more, and for YAML 1.1 some characters beyond
 * ASCII are line breaks. */
static bool is_plain_enough(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] < 0x20 || text.p[i] > 0x7e)
            return false;
    return text.n < 1000;
}

static void round_trip(struct arena *a, const struct jv *v)
{
    struct str text = jv_text(a, v);
    if (text.p == NULL) /* aliases can make it longer than JV_TEXT_MAX */
        return;
    struct jv *again = NULL;
    struct err *e = json_parse(a, text, YAML_DEPTH_MAX, &again);
    if (err_is(e, ERR_LIMIT) && arena_used(a) + 50 * text.n > ARENA_BYTES) {
        err_free(e);
        return;
    }
    CHECK(e == NULL && jv_equal(v, again));
    if (is_plain_enough(text)) {
        e = yaml_parse(a, text, &again);
        CHECK(e == NULL && jv_equal(v, again));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA_BYTES);
    struct str text = str_of(size == 0 ? (const void *)"" : data, size);
    struct jv *v = NULL;
    struct err *e = yaml_parse(a, text, &v);
    if (e == NULL)
        round_trip(a, v);
    else
        CHECK(v == NULL && (e->kind == ERR_INVALID || e->kind == ERR_LIMIT));
    err_free(e);
    arena_free(a);
    return 0;
}
