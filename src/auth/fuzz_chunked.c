/* Any bytes as an aws-chunked body: the first says of which form, the second the size of the pieces
 * it comes in. However it is cut, the result is the same. */
#include "chunked.h"

#include "sigv4_internal.h"

#include "../core/buf.h"
#include "../../fuzz/fuzz.h"

static unsigned char key[SHA256_SIZE];

static struct err *sink(void *arg, struct str payload)
{
    buf_str(arg, payload);
    return NULL;
}

static struct err *decode(enum sig_payload form, struct str body, size_t piece, struct buf *out)
{
    static const char seed[] = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    struct sig s = {.present = true, .payload = form, .signature = str_c(seed),
                    .amz_date = STR("20130524T000000Z"),
                    .scope = STR("20130524/us-east-1/s3/aws4_request")};
    struct chunked *c;
    TRY(chunked_new(&s, key, -1, &c));
    struct err *e = NULL;
    for (; body.n > 0 && e == NULL; body = str_skip(body, piece))
        e = chunked_feed(c, str_take(body, piece), sink, out);
    if (e == NULL)
        e = chunked_end(c);
    (void)chunked_trailer(c, "x-amz-checksum-crc32c");
    chunked_free(c);
    return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct secret *secret;
    if (secret == NULL) {
        CHECK(crypto_init() == NULL);
        CHECK(secret_new(STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), &secret) == NULL);
        sig_derive_key(secret, STR("20130524"), STR("us-east-1"), STR("s3"), key);
    }
    if (n < 2)
        return 0;
    static const enum sig_payload forms[] = {SIG_PAYLOAD_CHUNKED, SIG_PAYLOAD_CHUNKED_TRAILER,
                                             SIG_PAYLOAD_UNSIGNED_TRAILER};
    enum sig_payload form = forms[data[0] % 3];
    struct str body = str_of(data + 2, n - 2);
    struct buf whole = BUF_INIT(1 << 20), cut = BUF_INIT(1 << 20);
    struct err *e = decode(form, body, n, &whole), *f = decode(form, body, 1 + data[1] % 97u, &cut);
    CHECK((e == NULL) == (f == NULL));
    CHECK(e == NULL || strcmp(e->code, f->code) == 0);
    CHECK(e != NULL || str_eq(buf_view(&whole), buf_view(&cut)));
    err_free(e);
    err_free(f);
    buf_clear(&whole);
    buf_clear(&cut);
    return 0;
}
