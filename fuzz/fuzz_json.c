/* What json_parse takes, jv_text writes so that it reads back equal; and whatever bytes jw_str
 * gets, it writes JSON. */
#include "fuzz.h"

#include "core/json.h"

enum { ARENA_BYTES = 64 * 1024 * 1024 };

static void check_strings(const struct jv *v)
{
    if (jv_is(v, JV_STR))
        CHECK(str_utf8_valid(v->s) && v->s.p != NULL && v->s.p[v->s.n] == '\0');
    for (size_t i = 0; i < jv_len(v); i++) {
        if (v->type == JV_ARR) {
            check_strings(&v->arr.v[i]);
        } else {
            CHECK(str_utf8_valid(v->obj.v[i].key));
            check_strings(&v->obj.v[i].value);
        }
    }
}

static void round_trip(struct arena *a, const struct jv *v)
{
    check_strings(v);
    struct str text = jv_text(a, v);
    CHECK(text.p != NULL);
    struct jv *again = NULL;
    struct err *e = json_parse(a, text, JSON_DEPTH_MAX, &again);
    CHECK(e == NULL);
    CHECK(jv_equal(v, again) && jv_equal(again, v));
    CHECK(str_eq(jv_text(a, again), text));
}

static void write_string(struct arena *a, struct str s)
{
    struct buf b = BUF_INIT(s.n * 6 + 2);
    struct jw w = jw_to(&b);
    jw_str(&w, s);
    CHECK(buf_ok(&b));
    struct jv *v = NULL;
    struct err *e = json_parse(a, buf_view(&b), 1, &v);
    CHECK(e == NULL && v->type == JV_STR);
    CHECK(str_eq(v->s, s) == str_utf8_valid(s));
    buf_clear(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(ARENA_BYTES);
    struct str text = str_of(size == 0 ? (const void *)"" : data, size);
    struct jv *v = NULL;
    struct err *e = json_parse(a, text, JSON_DEPTH_MAX, &v);
    if (e == NULL) {
        round_trip(a, v);
    } else {
        CHECK(v == NULL && (e->kind == ERR_INVALID || e->kind == ERR_LIMIT));
        /* The search for the place agrees that something is wrong. */
        CHECK(e->kind == ERR_LIMIT || size == 0 || strstr(e->message, " at line ") != NULL);
    }
    err_free(e);
    write_string(a, text);
    arena_free(a);
    return 0;
}
