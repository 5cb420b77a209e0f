/* enc.h: hexadecimal, base64 and percent encoding, and random-looking identifiers' alphabets.
 *
 * The decoders are strict: RFC 4648 alphabets, right padding, no white space; false on anything
 * else. Results live in the arena. Thread rule: pure functions. */
#ifndef WARD_CORE_ENC_H
#define WARD_CORE_ENC_H

#include "arena.h"
#include "buf.h"

struct str enc_hex(struct arena *a, struct str bytes); /* lower case */
void enc_hex_into(struct buf *b, struct str bytes);
bool dec_hex(struct arena *a, struct str text, struct str *out);
bool dec_hex_into(struct str text, unsigned char *out); /* of text.n / 2 bytes */

struct str enc_base64(struct arena *a, struct str bytes);
void enc_base64_into(struct buf *b, struct str bytes);
bool dec_base64(struct arena *a, struct str text, struct str *out);
struct str enc_base64url(struct arena *a, struct str bytes); /* no padding */
bool dec_base64url(struct arena *a, struct str text, struct str *out); /* padding optional */

/* Percent encoding. AWS's canonical form leaves A-Z a-z 0-9 - . _ ~ alone (RFC 3986 unreserved),
 * upper-case hex, and, for paths, '/' too. */
void enc_uri_into(struct buf *b, struct str s, bool keep_slash);
struct str enc_uri(struct arena *a, struct str s, bool keep_slash);

/* "%41" and, if plus_is_space, '+'. false for a broken escape. May return a view of `s` itself. */
bool dec_uri(struct arena *a, struct str s, bool plus_is_space, struct str *out);

#endif
