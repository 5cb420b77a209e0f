/* jtext.h: JSON (RFC 8259) read in place, as views of its text. No tree, no heap.
 *
 * Check a text once with jtext_check(); every other reading function needs text that passed, and
 * hands out views of it ("raw" values: a string with its quotes, an object with its braces). That
 * suits a function that looks at a few members of a document and forwards the others as they are.
 *
 *     TRY(jtext_check(event, JTEXT_DEPTH_MAX));
 *     struct str name = jtext_get_str(arena, event, "name");
 *     struct jtext_iter it = jtext_iter(jtext_get(event, "Records"));
 *     for (struct str key, item; jtext_next(&it, &key, &item);) …
 *
 * Limits: JTEXT_DEPTH_MAX containers within each other. Of members with equal names the first
 * counts. Views live as long as the text. Thread rule: pure functions. */
#ifndef WARD_RT_JTEXT_H
#define WARD_RT_JTEXT_H

#include "core/arena.h"
#include "core/buf.h"

enum { JTEXT_DEPTH_MAX = 64 };

/* One JSON text and nothing behind it but blanks; valid UTF-8. ERR_INVALID says what and at which
 * byte, never what stands there; ERR_LIMIT: deeper than max_depth (at most JTEXT_DEPTH_MAX). */
struct err *jtext_check(struct str text, int max_depth) MUST_CHECK;

enum jtext_type { JT_NONE, JT_NULL, JT_BOOL, JT_NUMBER, JT_STRING, JT_ARRAY, JT_OBJECT };
enum jtext_type jtext_type(struct str raw); /* JT_NONE for STR_NONE */

/* Members of an object or elements of an array, in order; anything else has none. The key is the
 * raw string (STR_NONE in an array). */
struct jtext_iter {
    const char *p, *end;
    bool object;
};
struct jtext_iter jtext_iter(struct str raw);
bool jtext_next(struct jtext_iter *it, struct str *out_key, struct str *out_value);

/* The member's raw value; STR_NONE when it is not there or `raw` is no object. */
struct str jtext_get(struct str raw, const char *key);

/* Is the raw string `raw` this text, escapes decoded? */
bool jtext_is(struct str raw, const char *text);

/* Appends the decoded string; false (and nothing appended) when `raw` is no string. A surrogate
 * without its partner becomes U+FFFD. */
bool jtext_decode(struct buf *out, struct str raw);

/* The decoded string in the arena; STR_NONE when it is not there or no string. */
struct str jtext_str(struct arena *a, struct str raw);
struct str jtext_get_str(struct arena *a, struct str raw, const char *key);

/* Appends the value without the blanks between its tokens: one line, whatever it was. */
void jtext_compact(struct buf *out, struct str raw);

/* Writing: appends `s` as a JSON string; bytes that are not UTF-8 become U+FFFD. */
void jtext_quote(struct buf *out, struct str s);

#endif
