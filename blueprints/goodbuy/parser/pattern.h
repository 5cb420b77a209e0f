/* pattern.h: regular expressions in time linear in the text, whoever wrote them.
 *
 * RE2 behind a small C++ shim: a configuration file must not be able to stall the function that
 * guards the logs. Configurations are written for Python's `re`. The syntax that both share means
 * the same here; \Z and {,n}, which RE2 spells otherwise, are translated. Look-around and
 * back-references do not exist in linear time and are refused. Other differences: \d, \w, \s and \b
 * know ASCII only, and $ matches at the very end alone, not before a last line feed as well.
 *
 * Thread rule: a compiled pattern is immutable. */
#ifndef GOODBUY_PATTERN_H
#define GOODBUY_PATTERN_H

#ifdef __cplusplus
extern "C" {
#endif

#include <stdbool.h>
#include <stddef.h>

enum { PATTERN_MAX = 4096, PATTERN_MEMORY_MAX = 4 * 1024 * 1024, PATTERN_WHY_MAX = 160 };

struct pattern;

/* NULL: it cannot be compiled, and why[PATTERN_WHY_MAX] says why. */
struct pattern *pattern_new(const char *text, size_t n, char *why);
void pattern_free(struct pattern *p); /* NULL is fine */

/* Does it match anywhere in the text (Python's re.search)? Case counts. */
bool pattern_search(const struct pattern *p, const char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
