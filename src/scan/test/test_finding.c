/* Findings that are far more than their buffers hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "scan/finding.h"

enum { FINDINGS = 6000, LANE = 1024 /* some three of them: more than a thousand runs */ };

struct seen {
    size_t n;
    int64_t last_ms;
    uint64_t offsets; /* their sum */
    bool ordered, whole;
};

static struct str note_of(uint64_t i, char *room, size_t n)
{
    int len = snprintf(room, n, "the note of number %llu", (unsigned long long)i);
    return str_of(room, (size_t)len);
}

static void see(void *ctx, const struct finding *f)
{
    struct seen *s = ctx;
    char room[64];
    s->ordered = s->ordered && f->time_ms >= s->last_ms;
    s->whole = s->whole && str_eq(f->text[F_NOTE], note_of(f->offset, room, sizeof room)) &&
               f->text[F_RECORD].n == f->offset % 300;
    s->last_ms = f->time_ms;
    s->offsets += f->offset;
    s->n++;
}

static void add(struct findings *fs, int lane, uint64_t i)
{
    static char record[300];
    char note[64], id[32];
    struct finding f = {.time_ms = (int64_t)(i * 7919 % FINDINGS), .rule = 3, .offset = i};
    snprintf(id, sizeof id, "event-%llu", (unsigned long long)i);
    f.text[F_EVENT_ID] = str_c(id);
    f.text[F_NOTE] = note_of(i, note, sizeof note);
    f.text[F_RECORD] = str_of(record, i % 300);
    struct err *e = findings_add(fs, lane, &f);
    assert_null(e);
}

static void test_many_runs_are_merged_in_steps(void **state)
{
    (void)state;
    struct findings *fs = NULL;
    struct err *e = findings_new(2, LANE, &fs);
    assert_null(e);
    for (uint64_t i = 0; i < FINDINGS; i++)
        add(fs, (int)(i % 2), i);
    for (uint64_t i = 0; i < FINDINGS; i += 2)
        add(fs, 1, i); /* delivered twice */
    for (int round = 0; round < 2; round++) {
        struct seen s = {.last_ms = INT64_MIN, .ordered = true, .whole = true};
        uint64_t doubles = 0;
        e = findings_merge(fs, see, &s, &doubles);
        assert_null(e);
        assert_int_equal(s.n, FINDINGS);
        assert_int_equal(s.offsets, (uint64_t)FINDINGS * (FINDINGS - 1) / 2);
        assert_true(s.ordered && s.whole);
        if (round == 0)
            assert_int_equal(doubles, FINDINGS / 2);
    }
    findings_free(fs);
}

static void test_one_that_is_too_large(void **state)
{
    (void)state;
    static char record[LANE];
    struct findings *fs = NULL;
    struct err *e = findings_new(1, LANE, &fs);
    assert_null(e);
    struct finding f = {.text[F_RECORD] = {record, sizeof record}};
    e = findings_add(fs, 0, &f);
    assert_true(err_is(e, ERR_LIMIT));
    err_free(e);
    findings_free(fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_runs_are_merged_in_steps),
        cmocka_unit_test(test_one_that_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
