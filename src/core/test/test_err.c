#include "test.h"

#include <errno.h>

static void kinds_and_statuses(void **state)
{
    static const struct {
        enum err_kind kind;
        int status;
    } want[] = {
        {ERR_INVALID, 400}, {ERR_NOT_FOUND, 404}, {ERR_EXISTS, 409},      {ERR_CONFLICT, 409},
        {ERR_DENIED, 403},  {ERR_LIMIT, 400},     {ERR_TIMEOUT, 408},     {ERR_UNSUPPORTED, 501},
        {ERR_FULL, 503},    {ERR_IO, 500},        {ERR_CORRUPT, 500},     {ERR_INTERNAL, 500},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct err *e = err_new(want[i].kind, "text %d", 7);
        assert_true(err_is(e, want[i].kind));
        assert_int_equal(err_http_status(e), want[i].status);
        assert_string_equal(e->message, "text 7");
        assert_string_equal(e->detail, "");
        assert_false(err_has_code(e, "X"));
        err_free(e);
    }
    assert_false(err_is(NULL, ERR_INVALID));
    assert_false(err_has_code(NULL, "X"));
    err_free(NULL);
}

static void aws_errors(void **state)
{
    static const struct {
        int status;
        enum err_kind kind;
    } want[] = {{400, ERR_INVALID},     {403, ERR_DENIED}, {404, ERR_NOT_FOUND},
                {408, ERR_TIMEOUT},     {409, ERR_EXISTS}, {500, ERR_INTERNAL},
                {501, ERR_UNSUPPORTED}, {503, ERR_FULL},   {412, ERR_INVALID}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct err *e = err_aws(want[i].status, "NoSuchKey", "The key is not there.");
        assert_true(err_is(e, want[i].kind));
        assert_int_equal(err_http_status(e), want[i].status);
        assert_true(err_has_code(e, "NoSuchKey"));
        assert_false(err_has_code(e, "NoSuchKeys"));
        assert_ptr_equal(err_detail(e, "at %s", "x"), e);
        assert_string_equal(e->detail, "at x");
        err_free(e);
    }
}

static void long_messages_are_cut(void **state)
{
    struct err *e = err_new(ERR_INVALID, "%2000d", 1);
    assert_int_equal(strlen(e->message), ERR_MESSAGE_MAX - 1);
    e = err_detail(e, "%2000d", 1);
    assert_int_equal(strlen(e->detail), ERR_DETAIL_MAX - 1);
    err_free(e);
}

static void errors_of_the_system(void **state)
{
    struct err *e = err_errno(ENOSPC, "write");
    assert_true(err_is(e, ERR_FULL));
    assert_string_equal(e->detail, "write: No space left on device");
    err_free(e);
    e = err_errno(EIO, "read");
    assert_true(err_is(e, ERR_IO));
    assert_null(strstr(e->message, "read")); /* the step is for the operator alone */
    err_free(e);
}

static struct err *step(int n, int *reached)
{
    TRY(n == 1 ? err_new(ERR_DENIED, "no") : NULL);
    *reached = 1;
    return NULL;
}

static void try_passes_errors_up(void **state)
{
    int reached = 0;
    assert_err(step(1, &reached), ERR_DENIED, "no");
    assert_int_equal(reached, 0);
    assert_ok(step(2, &reached));
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_statuses),   cmocka_unit_test(aws_errors),
        cmocka_unit_test(long_messages_are_cut), cmocka_unit_test(errors_of_the_system),
        cmocka_unit_test(try_passes_errors_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
