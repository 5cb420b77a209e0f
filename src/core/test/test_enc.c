#include "test.h"

#include "core/enc.h"

static struct arena *arena;

static int before(void **state)
{
    arena = arena_new(16 * 1024 * 1024);
    return 0;
}

static int after(void **state)
{
    arena_free(arena);
    return 0;
}

/* RFC 4648, section 10. */
static const struct {
    const char *bytes, *base64, *hex;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "66"},
    {"fo", "Zm8=", "666f"},
    {"foo", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "666f6f62"},
    {"fooba", "Zm9vYmE=", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "666f6f626172"},
};

static void rfc_4648_vectors(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct str bytes = str_c(vectors[i].bytes), out;
        assert_str(enc_base64(arena, bytes), vectors[i].base64);
        assert_str(enc_hex(arena, bytes), vectors[i].hex);
        assert_true(dec_base64(arena, str_c(vectors[i].base64), &out));
        assert_str(out, vectors[i].bytes);
        assert_true(dec_base64url(arena, str_c(vectors[i].base64), &out));
        assert_str(out, vectors[i].bytes);
        assert_true(dec_hex(arena, str_c(vectors[i].hex), &out));
        assert_str(out, vectors[i].bytes);

        struct buf b = BUF_INIT(100);
        enc_base64_into(&b, bytes);
        enc_hex_into(&b, bytes);
        assert_true(buf_ok(&b));
        assert_str(str_take(buf_view(&b), strlen(vectors[i].base64)), vectors[i].base64);
        assert_str(str_skip(buf_view(&b), strlen(vectors[i].base64)), vectors[i].hex);
        buf_clear(&b);
    }
    struct buf small = BUF_INIT(3);
    enc_base64_into(&small, STR("f"));
    assert_false(buf_ok(&small));
    buf_clear(&small);
}

static void base64_alphabets(void **state)
{
    struct str out, bytes = STR("\xfb\xff\xfe");
    assert_str(enc_base64(arena, bytes), "+//+");
    assert_str(enc_base64url(arena, bytes), "-__-");
    assert_str(enc_base64url(arena, STR("f")), "Zg");
    assert_true(dec_base64url(arena, STR("Zg"), &out));
    assert_str(out, "f");
    assert_true(dec_base64url(arena, STR("Zg=="), &out));
    assert_false(dec_base64(arena, STR("-__-"), &out));
    assert_false(dec_base64url(arena, STR("+//+"), &out));
    assert_true(dec_base64(arena, STR_NONE, &out));
    assert_str(out, "");
}

static void broken_base64(void **state)
{
    static const char *const wrong[] = {"Z",      "Zg",       "Zg=",      "Zg===",    "=",
                                        "==",     "====",     "Z===",     "Zg==Zg==", "Zm=v",
                                        "Zm9v\n", " Zm9v",    "Zm 9",     "Zm9v====", "Zm9\x80",
                                        "Zh==",   "Zm9=",     "Zm9vY===", "Zm9vZg=",  "*m9v",
                                        "Zm9v*m9v"};
    struct str out = STR("before");
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(dec_base64(arena, str_c(wrong[i]), &out));
    assert_false(dec_base64(arena, STR("Zm9\0"), &out));
    static const char *const wrong_url[] = {"Z", "=", "==", "Zg=", "Zm8==", "Zh", "Zm9", "Zm9v=",
                                            "Zm9v==", "Zg=a"};
    for (size_t i = 0; i < ARRAY_LEN(wrong_url); i++)
        assert_false(dec_base64url(arena, str_c(wrong_url[i]), &out));
    assert_str(out, "before");
}

static void broken_hex(void **state)
{
    struct str out = STR("before");
    static const char *const wrong[] = {"0", "0g", "g0", "0x", " 0", "000"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(dec_hex(arena, str_c(wrong[i]), &out));
    assert_str(out, "before");
    assert_true(dec_hex(arena, STR("aBcDeF09"), &out));
    assert_str(out, "\xab\xcd\xef\x09");
}

static void random_bytes_both_ways(void **state)
{
    uint64_t seed = 11;
    for (int round = 0; round < 5000; round++) {
        char bytes[70];
        size_t n = test_random(&seed) % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)test_random(&seed);
        struct str in = str_of(bytes, n), out;
        struct str text = enc_base64(arena, in);
        assert_int_equal(text.n, (n + 2) / 3 * 4);
        assert_int_equal(text.p[text.n], 0);
        assert_true(dec_base64(arena, text, &out) && str_eq(out, in));
        assert_int_equal(out.p[out.n], 0);
        assert_true(dec_base64url(arena, enc_base64url(arena, in), &out) && str_eq(out, in));
        assert_true(dec_hex(arena, enc_hex(arena, in), &out) && str_eq(out, in));
        assert_true(dec_uri(arena, enc_uri(arena, in, round % 2 == 0), true, &out));
        assert_true(str_eq(out, in));
        arena_reset(arena);
    }
}

static void percent_encoding(void **state)
{
    struct str out;
    assert_str(enc_uri(arena, STR("AZaz09-._~"), false), "AZaz09-._~");
    assert_str(enc_uri(arena, STR("a b/c+d=\xc3\xa9%"), false), "a%20b%2Fc%2Bd%3D%C3%A9%25");
    assert_str(enc_uri(arena, STR("a b/c"), true), "a%20b/c");
    assert_str(enc_uri(arena, STR("!*'()"), true), "%21%2A%27%28%29");
    assert_str(enc_uri(arena, STR("\0\xff"), true), "%00%FF");
    assert_str(enc_uri(arena, STR(""), true), "");
    assert_true(dec_uri(arena, STR("a%20b%2fc+d"), false, &out));
    assert_str(out, "a b/c+d");
    assert_true(dec_uri(arena, STR("a%20b%2Fc+d"), true, &out));
    assert_str(out, "a b/c d");
    struct str plain = STR("plain");
    assert_true(dec_uri(arena, plain, true, &out));
    assert_ptr_equal(out.p, plain.p); /* a view */
    out = STR("before");
    static const char *const wrong[] = {"%", "%4", "%4g", "%g4", "a%", "%%41", "% 1", "%-1"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        assert_false(dec_uri(arena, str_c(wrong[i]), false, &out));
    assert_str(out, "before");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, before, after)
    const struct CMUnitTest tests[] = {
        T(rfc_4648_vectors), T(base64_alphabets),       T(broken_base64),
        T(broken_hex),       T(random_bytes_both_ways), T(percent_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
