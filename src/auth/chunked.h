/* chunked.h: the aws-chunked content coding, decoded as it flows.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …-trailers.html
 * Feeds on pieces of any size; hands on the payload without copying it, as views into the piece (a
 * chunk header that straddles pieces is kept in a small fixed buffer). Every chunk's signature, and
 * the trailer's, is checked before chunked_end() succeeds; payload handed on earlier is not to be
 * trusted until then. Limits below. Thread rule: one thread at a time. */
#ifndef WARD_AUTH_CHUNKED_H
#define WARD_AUTH_CHUNKED_H

#include "sigv4.h"

enum { CHUNK_HEADER_MAX = 512, CHUNK_SIZE_MAX = 1 << 30, CHUNK_TRAILER_MAX = 8192 };

struct chunked;

/* `s` tells which form; signing_key is copied. decoded_length: x-amz-decoded-content-length, or
 * -1. */
struct err *chunked_new(const struct sig *s, const unsigned char signing_key[32],
                        int64_t decoded_length, struct chunked **out) MUST_CHECK;
void chunked_free(struct chunked *c); /* wipes; NULL is fine */

/* Calls sink(arg, payload) for each run of payload bytes within the piece. */
struct err *chunked_feed(struct chunked *c, struct str piece,
                         struct err *(*sink)(void *arg, struct str payload), void *arg) MUST_CHECK;

/* The body is over: the last chunk was seen, signatures are right, the length is as declared. */
struct err *chunked_end(struct chunked *c) MUST_CHECK;

/* After chunked_end: a trailer's value (lower-case name), or STR_NONE. Valid until chunked_free. */
struct str chunked_trailer(const struct chunked *c, const char *name);

#endif
