/* grams.h: which of many texts stand within a value, in time that does not grow with the texts.
 *
 * Every run of four bytes of a text that can fall on a looked-at place is in a table; a value is
 * looked at only every few bytes, as far apart as the shortest text allows, and what the table
 * takes is compared in full. A few texts in a long value (the words of keyword rules in a record)
 * are looked for 64 or 32 places at a time instead, four bytes of each against tables of eight
 * groups (the method is that of Hyperscan's "Teddy"). ASCII letters are alike. Made once in an
 * arena; read by all threads. */
#ifndef WARD_SCAN_GRAMS_H
#define WARD_SCAN_GRAMS_H

#include "../core/arena.h"

enum { GRAM_BYTES = 4 };

struct grams;

/* The texts are folded (expr.h), each of at least GRAM_BYTES, and stay the caller's. `in_long`:
 * they will be looked for in long values. */
struct grams *grams_new(struct arena *a, const struct str *texts, size_t n, bool in_long);

/* hit() for each text within s, maybe more than once for one. */
typedef void grams_hit(void *ctx, uint32_t text);
void grams_find(const struct grams *g, struct str s, grams_hit *hit, void *ctx);

/* Tests: no road better than this one, though the processor has it. */
enum grams_road { GRAMS_PORTABLE, GRAMS_FAST /* AVX2 */, GRAMS_WIDE /* AVX-512 */ };
void grams_limit(enum grams_road road);

#endif
