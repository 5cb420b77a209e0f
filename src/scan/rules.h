/* rules.h: rules of four languages, read from files, as one set.
 *
 * Every language becomes a struct expr over the paths of one set. Faults of a file are collected
 * with line and column, and the other rules of the set stand. Memory is the set's arena.
 * Thread rule: one thread builds; a finished set is read by all. */
#ifndef WARD_SCAN_RULES_H
#define WARD_SCAN_RULES_H

#include "../core/json.h"
#include "expr.h"

enum severity { SEV_INFO, SEV_LOW, SEV_MEDIUM, SEV_HIGH, SEV_CRITICAL, SEV_COUNT };
extern const char *const severity_names[SEV_COUNT];
bool severity_parse(struct str s, enum severity *out);

enum correlation_kind { CORR_NONE, CORR_EVENT_COUNT, CORR_VALUE_COUNT, CORR_TEMPORAL,
                        CORR_TEMPORAL_ORDERED };

enum { CORRELATION_RULES_MAX = 64, CORRELATION_FIELDS_MAX = 16, CORRELATION_COUNT_MAX = 10000,
       CORRELATION_SPAN_MAX = 100000, /* of any unit */ CORRELATION_NEST_MAX = 16 };

struct correlation {
    enum correlation_kind kind;
    struct str *names; /* as written; resolved to `rules` by rules_finish() */
    uint32_t *rules;   /* UINT32_MAX: not there */
    size_t n_rules;
    uint32_t *group;   /* paths */
    size_t n_group;
    /* aliases: group path g of member rule m is alias[m * n_group + g] when it is not 0 */
    uint32_t *alias;
    uint32_t *fields;  /* value_count: the paths counted */
    size_t n_fields;
    int64_t span_ms;
    int64_t least, most; /* the count must be within */
    int64_t not;         /* and must not be this; below 0: whichever */
    /* temporal: over the rules, instead of the count: tests whose path is a rule's number. */
    const struct expr *members;
    bool closing;        /* an upper end or a "not": only the end of the time can tell */
    bool generate;       /* its members' own findings too */
};

struct rule {
    struct str id, name, title, reason, reference, language, file; /* name: what correlations say */
    enum severity severity;
    size_t line;
    bool hidden; /* only a part of correlations: no findings of its own */
    struct expr *expr; /* NULL: a correlation */
    struct correlation *corr;
    /* Paths whose values are kept with a match, for correlations over it. */
    uint32_t *keep;
    size_t n_keep, keep_cap;
};

struct rule_fault {
    struct str file, text;
    size_t line, column;
};

enum { KNOWN_MAX = 48 };

/* Sigma's %name% and what stands for it: a value or a list. */
struct placeholder {
    struct str name;
    const struct jv *value;
};

struct rules {
    struct arena *a;
    struct paths paths;
    VEC(struct rule) rules;
    VEC(struct rule_fault) faults;
    VEC(struct str) skipped; /* ids of rules of other products, said so */
    VEC(struct str) skipped_names;
    VEC(struct placeholder) placeholders;
    uint32_t known[KNOWN_MAX]; /* paths of a finding's columns: engine.c */
};

enum { RULES_MAX = 100000, RULE_KEEP_MAX = 120, /* fields for correlations: engine.c has room */
       RULE_FILE_BYTES_MAX = 64 * 1024 * 1024, RULE_DEPTH_MAX = 32,
       RULES_ARENA_BYTES = 1 << 30 };

struct rules *rules_new(void);
void rules_free(struct rules *rs);

/* A file, or every *.json, *.yml, *.yaml, *.filter below a folder. Faults go to rs->faults. */
void rules_load(struct rules *rs, const char *path);
void rules_load_text(struct rules *rs, struct str file, struct str text);
void rules_load_builtin(struct rules *rs);

/* Joins correlations with the rules they name, and looks for cycles and double ids. Once. */
void rules_finish(struct rules *rs);

/* -- for the languages -- */
struct rule_source {
    struct rules *rs;
    struct str file, text; /* the whole file */
    size_t base_line;      /* of this document within the file */
    size_t from;           /* where the rule at hand begins: rules_begin() */
    struct str hint;       /* the member at hand: faults are looked for behind its name */
    /* A place in `text`, its line and that line's start: counting goes on from there. */
    size_t mark, mark_line, mark_bol;
};
/* The rule at hand is the next that has this text (its id, most often). */
void rules_begin(struct rule_source *src, struct str text);
void rules_fault(struct rule_source *src, struct str near, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct rule *rules_add(struct rule_source *src, struct str id);
struct str rules_stem(struct arena *a, struct str file);
const struct jv *rules_placeholder(const struct rules *rs, struct str name); /* NULL: none */

/* An EventBridge pattern over the record itself, or over the envelope if it has one of its names
 * (source, detail, detail-type). NULL: faults were added. */
struct expr *pattern_compile(struct rule_source *src, const struct jv *pattern);
/* Its detail-type names only events of other kinds than those that CloudTrail's records become. */
bool pattern_is_elsewhere(const struct jv *pattern);
/* { $.a = "b" } */
struct expr *metric_filter_compile(struct rule_source *src, struct str text);
/* One Sigma document: a rule or a correlation. */
void sigma_load(struct rule_source *src, const struct jv *doc);
bool sigma_looks_like(const struct jv *doc);
/* {"source": "re", "regexp": "re"} */
void keyword_load(struct rule_source *src, const struct jv *doc, size_t index);
struct expr *keyword_compile(struct rule_source *src, struct str source, struct str name);

#endif
