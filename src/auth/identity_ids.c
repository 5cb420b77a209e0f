#include "identity_int.h"

#include "../crypto/crypto.h"

enum { ID_CHARS = 17, KEY_CHARS = 16, KEY_BYTES = 10, SECRET_CHARS = 40, ACCOUNT_DIGITS = 12 };

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"; /* RFC 4648 */

struct str identity_new_id(struct arena *a, const char *prefix)
{
    return arena_concat(a, str_c(prefix), rand_text(a, ID_CHARS, base32));
}

struct str identity_new_secret(struct arena *a)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct str s = rand_text(a, SECRET_CHARS, alphabet);
    arena_wipe_later(a, s);
    return s;
}

/* 80 bits in base 32: a set bit, the account in 40 bits, 39 random bits. */
struct str identity_new_key_id(struct arena *a, const char *prefix, struct str account)
{
    int64_t number = 0;
    CHECK(account.n == ACCOUNT_DIGITS && str_to_i64(account, 0, 999999999999, &number));
    unsigned char raw[KEY_BYTES];
    rand_bytes(raw, sizeof raw);
    uint64_t head = UINT64_C(1) << 47 | (uint64_t)number << 7 | (raw[5] & 0x7f);
    for (int i = 0; i < 6; i++)
        raw[i] = (unsigned char)(head >> (40 - 8 * i));
    size_t n = strlen(prefix);
    char *out = arena_alloc(a, n + KEY_CHARS + 1);
    memcpy(out, prefix, n);
    for (int i = 0; i < KEY_CHARS; i++) {
        int bit = i * 5, byte = bit / 8;
        unsigned two = (unsigned)raw[byte] << 8 | (byte + 1 < KEY_BYTES ? raw[byte + 1] : 0);
        out[n + (size_t)i] = base32[two >> (11 - bit % 8) & 31];
    }
    return str_of(out, n + KEY_CHARS);
}

struct str identity_key_account(struct arena *a, struct str id)
{
    if (id.n != 4 + KEY_CHARS || !(str_starts_c(id, "AKIA") || str_starts_c(id, "ASIA")))
        return STR_NONE;
    uint64_t head = 0; /* the first 48 bits are within ten characters: 50 bits */
    for (size_t i = 4; i < id.n; i++) {
        const char *at = id.p[i] == 0 ? NULL : strchr(base32, id.p[i]);
        if (at == NULL)
            return STR_NONE;
        if (i < 14)
            head = head << 5 | (uint64_t)(at - base32);
    }
    head >>= 2;
    uint64_t number = head >> 7 & ((UINT64_C(1) << 40) - 1);
    if (head >> 47 != 1 || number > 999999999999)
        return STR_NONE;
    return arena_fmt(a, "%012llu", (unsigned long long)number);
}
