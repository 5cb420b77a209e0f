/* Any bytes as a code package. What is accepted keeps to every rule and unpacks within its size. */
#include "zip.h"

#include "../../../fuzz/fuzz.h"

enum { TOTAL_MAX = 4 * 1024 * 1024 };

static struct err *count(void *ctx, struct str piece)
{
    size_t *n = ctx;
    *n += piece.n;
    CHECK(*n <= TOTAL_MAX);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(16 * 1024 * 1024);
    struct zip z;
    struct err *e = zip_read(a, str_of(data, n), TOTAL_MAX, &z);
    if (e == NULL) {
        CHECK(z.total <= TOTAL_MAX);
        for (size_t i = 0; i < z.n; i++) {
            size_t got = 0;
            CHECK(z.v[i].name.n > 0 && z.v[i].name.p[0] != '/');
            CHECK(str_find(z.v[i].name, STR("../")) != 0);
            if (z.v[i].folder)
                continue;
            struct err *bad = zip_unpack(&z.v[i], count, &got);
            CHECK(bad != NULL || got == z.v[i].size);
            err_free(bad);
        }
    }
    err_free(e);
    arena_free(a);
    return 0;
}
