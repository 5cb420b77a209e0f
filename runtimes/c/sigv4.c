#include "sigv4.h"

#include "core/enc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { HASH_BYTES = 32, CANONICAL_MAX = 64 * 1024, SECRET_MAX = 256 };

static void to_hex(const unsigned char *bytes, char out[SIGV4_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < HASH_BYTES; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[SIGV4_HEX] = '\0';
}

void sigv4_sha256_hex(struct str bytes, char out[SIGV4_HEX + 1])
{
    unsigned char hash[HASH_BYTES];
    CHECK(EVP_Digest(bytes.n == 0 ? "" : bytes.p, bytes.n, hash, NULL, EVP_sha256(), NULL) == 1);
    to_hex(hash, out);
}

static void hmac(const void *key, size_t key_n, struct str text, unsigned char out[HASH_BYTES])
{
    unsigned n = HASH_BYTES;
    CHECK(HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)text.p, text.n, out, &n) !=
          NULL);
}

/* Header names in lower case, sorted; an index into in->headers. */
static size_t sort_headers(const struct sigv4_input *in, size_t order[SIGV4_HEADERS_MAX])
{
    CHECK(in->n_headers <= SIGV4_HEADERS_MAX);
    for (size_t i = 0; i < in->n_headers; i++) {
        size_t at = i;
        const char *name = in->headers[i].name.p;
        size_t n = in->headers[i].name.n;
        while (at > 0) {
            struct str before = in->headers[order[at - 1]].name;
            size_t common = before.n < n ? before.n : n;
            int c = strncasecmp(before.p, name, common);
            if (c < 0 || (c == 0 && before.n <= n))
                break;
            order[at] = order[at - 1];
            at--;
        }
        order[at] = i;
    }
    return in->n_headers;
}

static void add_lower(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_char(out, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
}

/* Runs of blanks count as one. */
static void add_value(struct buf *out, struct str v)
{
    v = str_trim(v);
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] != ' ' || v.p[i - 1] != ' ')
            buf_char(out, v.p[i]);
    }
}

static void add_signed_names(struct buf *out, const struct sigv4_input *in)
{
    size_t order[SIGV4_HEADERS_MAX];
    size_t n = sort_headers(in, order);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_char(out, ';');
        add_lower(out, in->headers[order[i]].name);
    }
}

void sigv4_canonical_request(const struct sigv4_input *in, struct buf *out)
{
    size_t order[SIGV4_HEADERS_MAX];
    size_t n = sort_headers(in, order);
    buf_fmt(out, "%s\n", in->method);
    if (str_is(in->service, "s3"))
        buf_str(out, in->path);
    else
        enc_uri_into(out, in->path, true);
    buf_char(out, '\n');
    buf_str(out, in->query);
    buf_char(out, '\n');
    for (size_t i = 0; i < n; i++) {
        add_lower(out, in->headers[order[i]].name);
        buf_char(out, ':');
        add_value(out, in->headers[order[i]].value);
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
    add_signed_names(out, in);
    buf_char(out, '\n');
    buf_str(out, in->body_sha256);
}

static void add_scope(struct buf *out, const struct sigv4_input *in)
{
    buf_str(out, str_take(in->time, 8));
    buf_char(out, '/');
    buf_str(out, in->region);
    buf_char(out, '/');
    buf_str(out, in->service);
    buf_c(out, "/aws4_request");
}

void sigv4_string_to_sign(const struct sigv4_input *in, struct str canonical, struct buf *out)
{
    char hex[SIGV4_HEX + 1];
    sigv4_sha256_hex(canonical, hex);
    buf_c(out, "AWS4-HMAC-SHA256\n");
    buf_str(out, in->time);
    buf_char(out, '\n');
    add_scope(out, in);
    buf_char(out, '\n');
    buf_c(out, hex);
}

static void sign(const struct sigv4_input *in, struct str text, char out[SIGV4_HEX + 1])
{
    char start[4 + SECRET_MAX] = "AWS4";
    unsigned char key[HASH_BYTES], next[HASH_BYTES];
    memcpy(start + 4, in->secret_key.p, in->secret_key.n);
    hmac(start, 4 + in->secret_key.n, str_take(in->time, 8), key);
    hmac(key, sizeof key, in->region, next);
    hmac(next, sizeof next, in->service, key);
    hmac(key, sizeof key, STR("aws4_request"), next);
    hmac(next, sizeof next, text, key);
    to_hex(key, out);
    OPENSSL_cleanse(start, sizeof start);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(next, sizeof next);
}

struct err *sigv4_authorization(const struct sigv4_input *in, struct buf *out)
{
    if (in->secret_key.n == 0 || in->secret_key.n > SECRET_MAX || in->time.n != SIGV4_TIME_CHARS)
        return err_new(ERR_INVALID, "the secret key or the time is not of its form");
    CLEANUP(buf_clear) struct buf canonical = BUF_INIT(CANONICAL_MAX);
    CLEANUP(buf_clear) struct buf text = BUF_INIT(1024);
    sigv4_canonical_request(in, &canonical);
    if (!buf_ok(&canonical))
        return err_new(ERR_LIMIT, "the request is too large to be signed");
    sigv4_string_to_sign(in, buf_view(&canonical), &text);
    TRY(buf_check(&text));
    char signature[SIGV4_HEX + 1];
    sign(in, buf_view(&text), signature);
    buf_c(out, "AWS4-HMAC-SHA256 Credential=");
    buf_str(out, in->access_key);
    buf_char(out, '/');
    add_scope(out, in);
    buf_c(out, ", SignedHeaders=");
    add_signed_names(out, in);
    buf_fmt(out, ", Signature=%s", signature);
    return buf_check(out);
}
