/* regex.h: regular expressions of rules, made in microseconds.
 *
 * Hyperscan takes about a millisecond to compile one expression, and sets of rules have thousands.
 * What they mostly are (texts, classes, groups, repeats, anchors at the ends) becomes here at most
 * 64 positions, each with the set of those that may follow it (Glushkov's construction), walked as
 * bits of a word: time linear in the text, memory fixed. Whatever else there is goes to Hyperscan,
 * whose answers these are: bytes, '$' before a last line feed too, '.' without line feeds.
 * In an arena; read by all threads. */
#ifndef WARD_SCAN_REGEX_H
#define WARD_SCAN_REGEX_H

#include "../core/arena.h"

enum { REGEX_POSITIONS_MAX = 64, REGEX_NEST_MAX = 32 };

struct regex;

/* NULL: not of this kind, or wrong: Hyperscan will say. */
struct regex *regex_new(struct arena *a, struct str text, bool icase, bool dot_all);

/* Does it match anywhere in s? */
bool regex_search(const struct regex *re, struct str s);

/* Texts of which one stands in whatever matches (letters of either case, if the expression does not
 * care); 0: none known. They live as long as the expression. */
size_t regex_texts(const struct regex *re, const struct str **out_texts);

#endif
