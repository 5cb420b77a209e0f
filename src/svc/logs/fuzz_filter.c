/* Any bytes as a filter pattern, a line feed, and the message that it is matched against. */
#include "filter.h"

#include "../../../fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str message = str_of(data, n), pattern = str_cut(&message, '\n');
    struct arena *a = arena_new(4 * 1024 * 1024), *scratch = arena_new(4 * 1024 * 1024);
    struct filter *f;
    struct err *e = filter_compile(a, pattern, &f);
    if (e == NULL) {
        bool first = filter_match(f, scratch, message.p != NULL ? message : STR(""));
        arena_reset(scratch);
        CHECK(filter_match(f, scratch, message.p != NULL ? message : STR("")) == first);
    } else {
        CHECK(err_has_code(e, "InvalidParameterException") || err_has_code(e, "NotImplemented"));
        err_free(e);
    }
    arena_free(a);
    arena_free(scratch);
    return 0;
}
