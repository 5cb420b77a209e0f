/* sigma_int.h: what the files of the Sigma language share. Private to them. Thread rule: as
 * rules.h. */
#ifndef WARD_SCAN_SIGMA_INT_H
#define WARD_SCAN_SIGMA_INT_H

#include "rules.h"

struct sigma_maker {
    struct rule_source *src;
    struct arena *a;
    struct paths *paths;
    const struct jv *detection;
    struct expr **selections; /* by member of `detection`: made once, however often named */
    const struct jv *timeframe;
    struct correlation *count; /* the old form of one, found behind the condition */
    struct correlation *members; /* the condition is one over the names of its rules */
    bool members_open;           /* which the condition itself lists */
    size_t named; /* selections that the conditions name, each time they do */
    size_t made;  /* values that modifiers made of those in the rule */
    bool failed;
    int depth;
};

/* What a condition says; with `in_list` no aggregation may stand behind it. NULL: faults were
 * added. */
struct expr *sigma_condition(struct sigma_maker *m, struct str text, bool in_list);

/* A name within a correlation's condition: a test whose path is the number of the rule. */
struct expr *sigma_member(struct sigma_maker *m, struct str name);

/* Adds a fault at `near` and answers NULL. */
void *sigma_fail(struct sigma_maker *m, struct str near, const char *what);

/* The path of "a.b.c"; UINT32_MAX: there is no room for more. */
uint32_t sigma_path(struct sigma_maker *m, struct str dotted);

/* "field|modifier|…": value, or a list of them. An empty field: keywords. */
struct expr *sigma_item(struct sigma_maker *m, struct str key, const struct jv *v);

/* A text that may stand anywhere in the record. */
struct expr *sigma_keyword(struct sigma_maker *m, const struct jv *v);

struct correlation *sigma_correlation(struct sigma_maker *m, const struct jv *doc);

/* The old form of a correlation, behind a condition: "count(field) by a, b > 5", with `timeframe`
 * (NULL: all the time there is). */
struct correlation *sigma_aggregation(struct sigma_maker *m, struct str text,
                                      const struct jv *timeframe);

enum { SIGMA_VALUES_MAX = 20000, SIGMA_MODIFIERS_MAX = 8, SIGMA_DASHES_MAX = 3,
       SIGMA_EXPAND_MAX = 20000, SIGMA_TEXT_MAX = 16 * 1024, SIGMA_NAMED_MAX = 100000,
       SIGMA_MADE_MAX = 100000 };

#endif
