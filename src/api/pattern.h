/* pattern.h: whether a whole string matches a pattern of the model, in linear time.
 *
 * tools/gen_model.py turns the model's regular expression into code; its table is in the generator.
 * The code is unrolled into a non-deterministic automaton of at most PATTERN_INSTS_MAX steps (the
 * generator refuses larger ones) and every character is looked at once (Thompson 1968): the time is
 * at most length times steps. Thread rule: pure functions. */
#ifndef WARD_API_PATTERN_H
#define WARD_API_PATTERN_H

#include "../core/str.h"

enum { PATTERN_INSTS_MAX = 4096 };

bool pattern_match(const unsigned char *code, struct str s);

#endif
