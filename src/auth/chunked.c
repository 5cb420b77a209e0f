/* The aws-chunked decoder: a small state machine over pieces of any size.
 *
 *     size-in-hex [;chunk-signature=HEX] CRLF  data CRLF  …  0[;chunk-signature=HEX] CRLF
 *     [name:value CRLF …] [x-amz-trailer-signature:HEX CRLF] CRLF
 *
 * Each chunk's signature signs the one before it, from the request's own on, so that chunks can be
 * neither changed, reordered, nor cut off.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …-trailers.html */
#include "chunked.h"

#include "sigv4_internal.h"

enum {
    CHUNK_SMALLEST = 8192, /* S3: only the last chunk of data may be smaller */
    CHUNK_TRAILERS_MAX = 16,
    CHUNK_BLANK_LINES_MAX = 3,
    CHUNK_HEX_MAX = 16,
};

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SIGNATURE_EXTENSION "chunk-signature="
#define TRAILER_SIGNATURE "x-amz-trailer-signature"

enum state {
    IN_HEADER,
    IN_DATA,
    AFTER_DATA,
    IN_TRAILER, /* also the blank line that ends a body without trailers */
    IN_TAIL,    /* after the trailer's signature: a blank line may follow */
    DONE,
};

struct chunked {
    struct arena *arena;
    struct hash *hash;
    unsigned char key[SHA256_SIZE];
    struct str amz_date, scope;
    bool is_signed, has_trailer;
    enum state state;
    bool failed, trailer_signed;

    char previous[SIG_HEX]; /* the signature that the next one signs */
    char claimed[SIG_HEX];  /* what the chunk's header says */
    int64_t left;           /* bytes of this chunk to come */
    bool was_small;         /* the last chunk was below CHUNK_SMALLEST */
    int64_t declared, decoded;

    char line[CHUNK_HEADER_MAX];
    size_t line_n;

    /* "name:value\n" of each trailer, in order, as it is signed */
    char trailers[CHUNK_TRAILER_MAX];
    size_t trailers_n;
    struct trailer {
        struct str name, value; /* views into `trailers` */
    } trailer[CHUNK_TRAILERS_MAX];
    size_t n_trailers, n_blank;
};

struct err *chunked_new(const struct sig *s, const unsigned char signing_key[32],
                        int64_t decoded_length, struct chunked **out)
{
    bool is_signed = s->payload == SIG_PAYLOAD_CHUNKED || s->payload == SIG_PAYLOAD_CHUNKED_TRAILER;
    if (!is_signed && s->payload != SIG_PAYLOAD_UNSIGNED_TRAILER)
        return err_new(ERR_INTERNAL, "The body is not in aws-chunked form.");
    if (is_signed && s->signature.n != SIG_HEX)
        return err_aws(403, "SignatureDoesNotMatch", SIG_MISMATCH);
    struct arena *a = arena_new(64 * 1024);
    struct chunked *c = ARENA_NEW(a, struct chunked);
    c->arena = a;
    c->hash = hash_new(HASH_SHA256);
    memcpy(c->key, signing_key, sizeof c->key);
    c->amz_date = arena_str(a, s->amz_date);
    c->scope = arena_str(a, s->scope);
    c->is_signed = is_signed;
    c->has_trailer = s->payload != SIG_PAYLOAD_CHUNKED;
    c->declared = decoded_length;
    if (is_signed)
        memcpy(c->previous, s->signature.p, SIG_HEX);
    *out = c;
    return NULL;
}

void chunked_free(struct chunked *c)
{
    if (c == NULL)
        return;
    hash_free(c->hash);
    secret_wipe(c->key, sizeof c->key);
    arena_free(c->arena); /* c lives in it */
}

static struct err *incomplete(void)
{
    return err_aws(400, "IncompleteBody", "The request body terminated unexpectedly");
}

static struct err *wrong_length(void)
{
    return err_aws(400, "IncompleteBody",
                   "You did not provide the number of bytes specified by the "
                   "x-amz-decoded-content-length HTTP header");
}

static struct err *bad_size(const char *text)
{
    return err_aws(403, "InvalidChunkSizeError", "%s", text);
}

static struct err *bad_trailer(void)
{
    return err_aws(400, "MalformedTrailerError", "The request contained trailing data that was not "
                                                 "well-formed or did not conform to our published "
                                                 "schema.");
}

/* -- signatures ------------------------------------------------------------------------------- */

/* Checks `claimed` against the chain and moves the chain on. */
static struct err *check_link(struct chunked *c, const char *algorithm, const char *middle,
                              const unsigned char content[SHA256_SIZE], struct str claimed)
{
    char text[512], hex[2 * SHA256_SIZE + 1];
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", content[i]);
    int n = snprintf(text, sizeof text, "%s\n%.*s\n%.*s\n%.*s\n%s%s", algorithm,
                     STR_ARG(c->amz_date), STR_ARG(c->scope), (int)SIG_HEX, c->previous, middle,
                     hex);
    CHECK(n > 0);
    unsigned char mac[SHA256_SIZE];
    if ((size_t)n >= sizeof text) /* a scope longer than any real one */
        return err_aws(403, "SignatureDoesNotMatch", SIG_MISMATCH);
    hmac_sha256(str_of(c->key, sizeof c->key), str_of(text, (size_t)n), mac);
    for (size_t i = 0; i < SHA256_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    if (!str_eq_secret(str_of(hex, SIG_HEX), claimed))
        return err_aws(403, "SignatureDoesNotMatch", SIG_MISMATCH);
    memcpy(c->previous, hex, SIG_HEX);
    return NULL;
}

static struct err *check_chunk(struct chunked *c)
{
    if (!c->is_signed)
        return NULL;
    unsigned char content[SHA256_SIZE];
    hash_end(c->hash, content);
    return check_link(c, "AWS4-HMAC-SHA256-PAYLOAD", EMPTY_SHA256 "\n", content,
                      str_of(c->claimed, SIG_HEX));
}

static struct err *check_trailer(struct chunked *c, struct str claimed)
{
    unsigned char content[SHA256_SIZE];
    sha256(str_of(c->trailers, c->trailers_n), content);
    return check_link(c, "AWS4-HMAC-SHA256-TRAILER", "", content, claimed);
}

/* -- the lines between the data --------------------------------------------------------------- */

static struct err *parse_size(struct str hex, int64_t *out)
{
    if (hex.n == 0 || hex.n > CHUNK_HEX_MAX)
        return bad_size("A chunk's size is not a hexadecimal number.");
    uint64_t v = 0;
    for (size_t i = 0; i < hex.n; i++) {
        char ch = hex.p[i];
        int d = ch >= '0' && ch <= '9'   ? ch - '0'
                : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
                : ch >= 'A' && ch <= 'F' ? ch - 'A' + 10
                                         : -1;
        if (d < 0)
            return bad_size("A chunk's size is not a hexadecimal number.");
        v = v << 4 | (uint64_t)d;
    }
    if (v > CHUNK_SIZE_MAX)
        return bad_size("A chunk is larger than 1 GiB.");
    *out = (int64_t)v;
    return NULL;
}

static struct err *chunk_header(struct chunked *c, struct str line)
{
    int64_t size = 0;
    struct str extension = line;
    TRY(parse_size(str_trim(str_cut(&extension, ';')), &size));
    if (size > 0 && c->was_small)
        return bad_size("Only the last chunk is allowed to have a size less than 8192 bytes");
    c->was_small = size < CHUNK_SMALLEST;
    c->decoded += size; /* far from overflow: each chunk's bytes must come before the next header */
    if (c->declared >= 0 && c->decoded > c->declared)
        return wrong_length();
    if (c->is_signed) {
        struct str text = str_trim(extension);
        struct str hex = str_skip(text, sizeof SIGNATURE_EXTENSION - 1);
        if (!str_starts_c(text, SIGNATURE_EXTENSION) || hex.n != SIG_HEX)
            return err_aws(403, "SignatureDoesNotMatch", SIG_MISMATCH);
        memcpy(c->claimed, hex.p, SIG_HEX);
    }
    c->left = size;
    if (size > 0) {
        c->state = IN_DATA;
        return NULL;
    }
    c->state = IN_TRAILER;
    return check_chunk(c);
}

static struct err *keep_trailer(struct chunked *c, struct str name, struct str value)
{
    if (c->n_trailers == CHUNK_TRAILERS_MAX ||
        name.n + value.n + 2 > sizeof c->trailers - c->trailers_n)
        return bad_trailer();
    struct trailer *t = &c->trailer[c->n_trailers++];
    char *p = c->trailers + c->trailers_n;
    for (size_t i = 0; i < name.n; i++)
        p[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] | 0x20) : name.p[i];
    p[name.n] = ':';
    if (value.n > 0)
        memcpy(p + name.n + 1, value.p, value.n);
    p[name.n + 1 + value.n] = '\n';
    *t = (struct trailer){str_of(p, name.n), str_of(p + name.n + 1, value.n)};
    c->trailers_n += name.n + value.n + 2;
    return NULL;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f || s.p[i] == ':')
            return false;
    return s.n > 0;
}

static struct err *trailer_line(struct chunked *c, struct str line)
{
    bool needs_signature = c->is_signed && c->has_trailer;
    if (line.n == 0) {
        /* Some clients write a blank line before the trailers or their signature; the signature
         * tells whether that is all. */
        if (++c->n_blank > CHUNK_BLANK_LINES_MAX)
            return bad_trailer();
        c->state = needs_signature ? IN_TRAILER : DONE;
        return NULL;
    }
    struct str value = line;
    struct str name = str_cut(&value, ':');
    if (!c->has_trailer || value.p == NULL || !is_token(name))
        return bad_trailer();
    value = str_trim(value);
    if (needs_signature && str_is_i(name, TRAILER_SIGNATURE)) {
        TRY(check_trailer(c, value));
        c->trailer_signed = true;
        c->state = IN_TAIL;
        return NULL;
    }
    for (size_t i = 0; i < c->n_trailers; i++)
        if (str_ieq(c->trailer[i].name, name))
            return bad_trailer();
    return keep_trailer(c, name, value);
}

static struct err *line_done(struct chunked *c, struct str line)
{
    switch (c->state) {
    case IN_HEADER:
        return chunk_header(c, line);
    case AFTER_DATA:
        c->state = IN_HEADER;
        return line.n == 0 ? NULL : bad_size("A chunk is longer than its size says.");
    case IN_TRAILER:
        return trailer_line(c, line);
    default: /* IN_TAIL */
        c->state = DONE;
        return line.n == 0 ? NULL : bad_trailer();
    }
}

/* Takes bytes up to a line's end; whole lines are parsed where they are. */
static struct err *feed_line(struct chunked *c, struct str *piece)
{
    ptrdiff_t at = str_find_char(*piece, '\n');
    size_t n = at < 0 ? piece->n : (size_t)at;
    if (c->line_n + n > sizeof c->line)
        return c->state == IN_HEADER || c->state == AFTER_DATA
                   ? bad_size("A chunk's header is too long.")
                   : bad_trailer();
    memcpy(c->line + c->line_n, piece->p, n);
    c->line_n += n;
    if (at < 0) {
        *piece = str_skip(*piece, n);
        return NULL;
    }
    *piece = str_skip(*piece, n + 1);
    struct str line = str_of(c->line, c->line_n);
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    c->line_n = 0;
    return line_done(c, line);
}

static struct err *feed_data(struct chunked *c, struct str *piece,
                             struct err *(*sink)(void *arg, struct str payload), void *arg)
{
    struct str run = str_take(*piece, (size_t)c->left);
    *piece = str_skip(*piece, run.n);
    if (c->is_signed)
        hash_add(c->hash, run);
    c->left -= (int64_t)run.n;
    if (c->left == 0) {
        c->state = AFTER_DATA;
        TRY(check_chunk(c));
    }
    return sink(arg, run);
}

static struct err *feed(struct chunked *c, struct str piece,
                        struct err *(*sink)(void *arg, struct str payload), void *arg)
{
    while (piece.n > 0) {
        if (c->state == DONE)
            return bad_trailer();
        if (c->state == IN_DATA)
            TRY(feed_data(c, &piece, sink, arg));
        else
            TRY(feed_line(c, &piece));
    }
    return NULL;
}

struct err *chunked_feed(struct chunked *c, struct str piece,
                         struct err *(*sink)(void *arg, struct str payload), void *arg)
{
    if (c->failed)
        return incomplete();
    struct err *e = feed(c, piece, sink, arg);
    c->failed = e != NULL;
    return e;
}

struct err *chunked_end(struct chunked *c)
{
    bool over = c->state == DONE || (c->state == IN_TAIL && c->line_n == 0);
    if (c->failed || !over)
        return incomplete();
    CHECK(!c->is_signed || !c->has_trailer || c->trailer_signed);
    if (c->declared >= 0 && c->decoded != c->declared)
        return wrong_length();
    return NULL;
}

struct str chunked_trailer(const struct chunked *c, const char *name)
{
    for (size_t i = 0; i < c->n_trailers; i++)
        if (str_is(c->trailer[i].name, name))
            return c->trailer[i].value;
    return STR_NONE;
}
