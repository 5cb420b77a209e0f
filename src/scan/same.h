/* same.h: EventBridge's rule for lists of objects: what a pattern asks below a list, one and the
 * same element of it must have.
 *
 * EventBridge flattens an event, and refuses matches in which two fields come from different
 * elements of one list (https://github.com/aws/event-ruler, "JSON Array Matching"). A field that
 * must not exist is looked for only in the elements chosen by the fields that stand before it in
 * the order of names; with none before it, in all elements. Made by one thread, read by all. */
#ifndef WARD_SCAN_SAME_H
#define WARD_SCAN_SAME_H

#include "expr.h"

/* What "$or" may multiply to: EventBridge's own limit. */
enum { SAME_ALTERNATIVES_MAX = 1000, SAME_ITEMS_MAX = 100000 };

/* `e` (and, or, tests, not of OP_LEAF) with the rule, or `e` itself if no two of its tests stand
 * below one member. NULL: more alternatives, or more tests in all of them, than the limit. */
struct expr *same_expr(struct arena *a, const struct paths *ps, struct expr *e);

/* EXPR_SAME; called by expr_ask(). Linear in the record for each alternative. */
enum verdict same_ask(struct asker *k, const struct expr *e);

#endif
