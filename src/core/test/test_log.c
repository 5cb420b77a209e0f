#include "test.h"

#include "core/log.h"

#include "core/clock.h"

#include <unistd.h>

static char text[8192];

/* Runs fn with standard error going into `text`. */
static void capture(void (*fn)(void))
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    fn();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; (got = read(ends[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got;
    close(ends[0]);
    text[n] = '\0';
}

static void lines(void)
{
    log_debug("not shown");
    log_info("listening on %s", "here");
    log_warn("forged\nline\x1b[2J \x7f \xc2\x9b caf\xc3\xa9");
    log_err(LOG_ERROR, "opening", err_detail(err_new(ERR_IO, "It failed."), "open: no"));
    log_err(LOG_ERROR, "closing", err_new(ERR_IO, "It failed."));
    log_err(LOG_ERROR, "nothing", NULL);
}

static void lines_look_as_promised(void **state)
{
    clock_set_fake(INT64_C(1795315800123));
    capture(lines);
    clock_set_fake(-1);
    assert_string_equal(text, "2026-11-22T02:50:00.123Z info  listening on here\n"
                              "2026-11-22T02:50:00.123Z warn  forged?line?[2J ? ?? caf\xc3\xa9\n"
                              "2026-11-22T02:50:00.123Z error opening: It failed. [open: no]\n"
                              "2026-11-22T02:50:00.123Z error closing: It failed.\n");
}

static void long_line(void)
{
    log_info("%5000d", 1);
    log_set_level(LOG_ERROR);
    log_warn("not shown");
    log_set_level(LOG_DEBUG);
    log_debug("shown");
    log_set_level(LOG_INFO);
}

static void long_lines_are_cut_and_levels_hold(void **state)
{
    capture(long_line);
    char *end = strchr(text, '\n');
    assert_non_null(end);
    assert_in_range(end - text, 1000, 2047);
    assert_non_null(strstr(end, "debug shown\n"));
    assert_null(strstr(text, "not shown"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_look_as_promised),
        cmocka_unit_test(long_lines_are_cut_and_levels_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
