/* parser.h: request heads and chunked bodies (RFC 9112), strictly and without allocation.
 *
 * Both parsers work over bytes that the connection already holds and can be fed in any pieces: the
 * result depends on the bytes alone, never on how they were cut. Whatever two readers of one stream
 * could understand differently (request smuggling) is refused by a name of its own, not repaired.
 * Limits: those of server.h and the enum below. Thread rule: plain data, one thread at a time. */
#ifndef WARD_HTTP_PARSER_H
#define WARD_HTTP_PARSER_H

#include "server.h"

enum {
    HTTP_METHOD_MAX = 32,
    HTTP_LENGTH_DIGITS_MAX = 18, /* of a Content-Length */
    HTTP_CHUNK_DIGITS_MAX = 15,  /* of a chunk's size, hexadecimal */
    HTTP_CHUNK_EXT_MAX = 256,    /* extension of one chunk; read and ignored */
    HTTP_TRAILER_MAX = 8 * 1024, /* all trailer fields; read, checked and ignored */
};

/* Every answer of the parsers: name, status, words for the client. */
#define HTTP_PARSE_RESULTS(X)                                                                      \
    X(HTTP_MORE, 0, "more bytes are needed")                                                       \
    X(HTTP_OK, 0, "complete")                                                                      \
    X(HTTP_BAD_LINE, 400, "The request line is malformed.")                                        \
    X(HTTP_BAD_METHOD, 400, "The method is not a token.")                                          \
    X(HTTP_BAD_TARGET, 400, "The request target must begin with '/' and be percent-encoded.")      \
    X(HTTP_BAD_VERSION, 505, "Only HTTP/1.1 is spoken here.")                                      \
    X(HTTP_LINE_TOO_LONG, 414, "The request line is too long.")                                    \
    X(HTTP_HEAD_TOO_LARGE, 431, "The headers are too large.")                                      \
    X(HTTP_TOO_MANY_HEADERS, 431, "There are too many headers.")                                   \
    X(HTTP_BAD_CHAR, 400, "A control character is not allowed in the head.")                       \
    X(HTTP_BARE_CR, 400, "A carriage return must be followed by a line feed.")                     \
    X(HTTP_BARE_LF, 400, "Lines must end in CR LF.")                                               \
    X(HTTP_FOLDED, 400, "Folded header lines are not accepted.")                                   \
    X(HTTP_SPACE_BEFORE_COLON, 400, "No blank may stand before a header's colon.")                 \
    X(HTTP_BAD_NAME, 400, "A header's name is malformed.")                                         \
    X(HTTP_NO_HOST, 400, "The Host header is missing.")                                            \
    X(HTTP_TWO_HOSTS, 400, "There is more than one Host header.")                                  \
    X(HTTP_BAD_HOST, 400, "The Host header is malformed.")                                         \
    X(HTTP_BAD_LENGTH, 400, "The Content-Length is not a number.")                                 \
    X(HTTP_TWO_LENGTHS, 400, "There is more than one Content-Length.")                             \
    X(HTTP_LENGTH_AND_CHUNKED, 400, "Content-Length and Transfer-Encoding exclude each other.")    \
    X(HTTP_BAD_ENCODING, 400, "The only Transfer-Encoding accepted is chunked.")                   \
    X(HTTP_BAD_EXPECT, 417, "The only expectation accepted is 100-continue.")                      \
    X(HTTP_BAD_CHUNK, 400, "The chunked body is malformed.")                                       \
    X(HTTP_BAD_TRAILER, 400, "The trailer of the chunked body is malformed.")                      \
    X(HTTP_TRAILER_TOO_LARGE, 431, "The trailer of the chunked body is too large.")

enum http_parse {
#define HTTP_PARSE_NAME(name, status, words) name,
    HTTP_PARSE_RESULTS(HTTP_PARSE_NAME)
#undef HTTP_PARSE_NAME
};

int http_parse_status(enum http_parse r);
const char *http_parse_words(enum http_parse r);

struct http_span {
    uint16_t at, n; /* from the first byte of the head */
};

struct http_head {
    size_t scan; /* bytes looked at; after HTTP_OK, the length of the head */
    size_t line; /* where the present line begins */
    bool blank_seen, line_seen;
    bool has_length, chunked, close, expect_continue, host_seen;
    int64_t length; /* Content-Length; 0 without one */
    struct http_span method, target;
    size_t n_headers;
    struct {
        struct http_span name, value;
    } headers[HTTP_HEADERS_MAX];
};

void http_head_init(struct http_head *h);

/* p[0..n) is everything that came since the head began; it only grows between calls (and may
 * move). HTTP_MORE, HTTP_OK, or a refusal, after which the connection is of no more use. */
enum http_parse http_head_feed(struct http_head *h, const char *p, size_t n);

struct http_chunks {
    int state;
    unsigned digits, ext, trailer;
    bool in_name;
    uint64_t left;
};

void http_chunks_init(struct http_chunks *d);

/* Decodes p[0..n) in place: the data is moved to the front, *out_n says how much. HTTP_MORE: all n
 * bytes were used. HTTP_OK: the body ended after *used bytes; what follows is the next request. */
enum http_parse http_chunks_feed(struct http_chunks *d, char *p, size_t n, size_t *used,
                                 size_t *out_n);

#endif
