/* Any bytes as a request: "METHOD target", then a header on each line. It is parsed and checked,
 * and its target is signed by us and must then be accepted. */
#include "sigv4_internal.h"

#include "../core/clock.h"
#include "../../fuzz/fuzz.h"

static struct secret *secret;

static struct sig_request request_of(struct str text, struct http_header *headers)
{
    struct str line = str_cut(&text, '\n');
    struct sig_request r = {.headers = headers};
    r.method = str_cut(&line, ' ');
    r.query = line;
    r.path = line.p == NULL ? line : str_cut(&r.query, '?');
    while (text.p != NULL && r.n_headers < HTTP_HEADERS_MAX) {
        struct str value = str_cut(&text, '\n'), name = str_cut(&value, ':');
        headers[r.n_headers++] = (struct http_header){name, value};
    }
    return r;
}

static void check_claim(struct arena *a, const struct sig_request *r)
{
    struct sig s;
    unsigned char key[SHA256_SIZE];
    struct err *e = sigv4_parse(a, r, &s);
    if (e == NULL && s.present) {
        if (s.payload_hash.p == NULL)
            s.payload_hash = sha256_hex(a, STR(""));
        e = sigv4_check(a, r, &s, secret, s.time_ms, key);
    }
    err_free(e);
}

static void check_round_trip(struct arena *a, const struct sig_request *in, const char *service)
{
    struct http_header h[4] = {{STR("Host"), STR("example.com")},
                               {STR("X-Amz-Date"), STR("20261122T025000Z")},
                               {STR("X-Amz-Content-Sha256"), STR("UNSIGNED-PAYLOAD")}};
    struct sig_request r = {.method = in->method, .path = in->path, .query = in->query,
                            .headers = h, .n_headers = 3};
    struct str value;
    struct err *e = sigv4_sign(a, &r, STR("AKIDEXAMPLE"), secret, STR("us-east-1"), str_c(service),
                               h[1].value, h[2].value, &value);
    if (e != NULL) {
        err_free(e);
        return;
    }
    h[r.n_headers++] = (struct http_header){STR("Authorization"), value};
    struct sig s;
    unsigned char key[SHA256_SIZE];
    e = sigv4_parse(a, &r, &s);
    if (e == NULL) /* a target that claims another signature itself is refused, and rightly */
        CHECK((e = sigv4_check(a, &r, &s, secret, s.time_ms, key)) == NULL);
    err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (secret == NULL)
        CHECK(crypto_init() == NULL && secret_new(STR("wJalrXUtnFEMI"), &secret) == NULL);
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(1 << 20);
    struct http_header headers[HTTP_HEADERS_MAX];
    struct sig_request r = request_of(str_of(data, n), headers);
    check_claim(a, &r);
    check_round_trip(a, &r, "s3");
    check_round_trip(a, &r, "kms");
    return 0;
}
