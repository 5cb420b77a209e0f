/* test.h: what the tests of every folder share: cmocka with what it needs, and assertions on our
 * types. Include it first. */
#ifndef WARD_CORE_TEST_H
#define WARD_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/arena.h"

/* Out of line: inlined into a test, gcc follows paths that cannot be and warns. */
#define TEST_HELPER static __attribute__((noinline, unused))

/* `s` is exactly the C string `expected`; shows both otherwise. */
#define assert_str(s, expected) assert_str_at((s), (expected), __FILE__, __LINE__)
TEST_HELPER void assert_str_at(struct str s, const char *expected, const char *file, int line)
{
    if (s.p != NULL && str_is(s, expected))
        return;
    print_error("\"%.*s\"%s != \"%s\"\n", STR_ARG(s), s.p == NULL ? " (none)" : "", expected);
    _fail(file, line);
}

/* The call succeeds; shows the error otherwise. */
#define assert_ok(call) assert_ok_at((call), __FILE__, __LINE__)
TEST_HELPER void assert_ok_at(struct err *e, const char *file, int line)
{
    if (e == NULL)
        return;
    print_error("%s [%s]\n", e->message, e->detail);
    err_free(e);
    _fail(file, line);
}

/* The call fails with `kind`, and its message contains `part`. */
#define assert_err(call, kind, part) assert_err_at((call), (kind), (part), __FILE__, __LINE__)
TEST_HELPER void assert_err_at(struct err *e, enum err_kind kind, const char *part,
                               const char *file, int line)
{
    bool right = err_is(e, kind) && strstr(e->message, part) != NULL;
    if (!right)
        print_error("kind %d, \"%s\"; expected kind %d, \"%s\"\n", e == NULL ? 0 : (int)e->kind,
                    e == NULL ? "" : e->message, (int)kind, part);
    err_free(e);
    if (!right)
        _fail(file, line);
}

/* A small generator (xorshift), so that random tests run the same every time. */
TEST_HELPER uint64_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
