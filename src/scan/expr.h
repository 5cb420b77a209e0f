/* expr.h: what every rule language becomes: tests of values joined by and, or, not.
 *
 * A test looks at the values of one path. It holds if any of them passes ("anything but" too: any
 * value that is not in the list), which is what EventBridge, Sigma and metric filters agree on.
 * With only the tuple of slots known, a test answers MAYBE where it needs more of the record.
 * Made once, in an arena; read by all threads. */
#ifndef WARD_SCAN_EXPR_H
#define WARD_SCAN_EXPR_H

#include "record.h"

#include <hs.h>

enum verdict { NO, MAYBE, YES };

enum test_op {
    OP_PRESENT,  /* the name is there, whatever its value */
    OP_LEAF,     /* a value that is no container is there */
    OP_NULL,
    OP_BOOL,     /* lo: 0 or 1 */
    OP_EQ,       /* one of the texts */
    OP_NUMBER,   /* a number in [lo, hi] */
    OP_PREFIX,
    OP_SUFFIX,
    OP_CONTAINS,
    OP_WILD,     /* pieces between '*', '?' where `single` */
    OP_REGEX,
    OP_CIDR,
    OP_FIELD,    /* the value of another path */
    OP_KEYWORD,  /* somewhere in the record's strings */
    OP_CONST,    /* lo: 0 or 1 */
};

struct wild {
    const char *p; /* literals; WILD_ANY, WILD_ONE are marks outside ASCII text */
    uint16_t *code;
    size_t n;
};
enum { WILD_ANY = 256, WILD_ONE = 257 };

struct cidr {
    unsigned char addr[16];
    int bits;
    bool v6;
};

struct test {
    enum test_op op;
    uint32_t path, other;
    bool negate; /* a leaf value that does not pass */
    bool icase;  /* ASCII letters alike */
    bool loose;  /* numbers and booleans count as their text */
    struct str *texts; /* OP_EQ: sorted; folded if icase */
    size_t n_texts;
    double lo, hi;
    bool lo_open, hi_open;
    struct wild wild;
    struct cidr cidr;
    struct hs_database *regex;
    const char *label; /* for explain: "eventName is one of …" */
};

enum expr_kind { EXPR_AND, EXPR_OR, EXPR_NOT, EXPR_TEST };

struct expr {
    enum expr_kind kind;
    size_t n;
    struct expr **kids;
    struct test *test;
    const char *name; /* of a Sigma selection, for explain */
};

/* -- making -- */
struct expr *expr_test(struct arena *a, const struct test *t);
struct expr *expr_list(struct arena *a, enum expr_kind kind);
void expr_add(struct arena *a, struct expr *list, struct expr *kid);
struct expr *expr_not(struct arena *a, struct expr *kid);
struct expr *expr_const(struct arena *a, bool value);

void test_texts(struct arena *a, struct test *t, const struct str *texts, size_t n);
/* '*' any text, '\' escapes; '?' one byte of text if `single`. */
void test_wild(struct arena *a, struct test *t, struct str pattern, bool single);
bool test_cidr(struct str text, struct cidr *out);
/* Plain texts within the expression become tests without an automaton. `t` comes with its path and
 * flags; op is set. Errors: ERR_INVALID with what is wrong and where. */
struct err *test_regex(struct arena *a, struct test *t, struct str regex, bool dot_all)
    MUST_CHECK;
struct str fold(struct arena *a, struct str s);

/* -- asking -- */
struct asker {
    struct record *r;
    hs_scratch_t *scratch;
    bool tuple_only;
};

enum verdict expr_ask(struct asker *k, const struct expr *e);
enum verdict test_ask(struct asker *k, const struct test *t);

/* -- what a rule cannot match without -- */
/* The texts of `slot` (folded) of which one must stand there; n 0: not bound to any. */
struct needed {
    struct str *v;
    size_t n;
};
struct needed expr_needs_slot(struct arena *a, const struct expr *e, const struct paths *ps,
                              enum slot slot);
/* Literals of which one must stand in the record's text, or none known (n 0). */
struct needed expr_needs_literal(struct arena *a, const struct expr *e, const struct paths *ps);

/* The texts that a value of one path other than the slots must be among; n 0: no such path. Case as
 * in the test: *out_icase. */
struct needed expr_needs_path(struct arena *a, const struct expr *e, const struct paths *ps,
                              uint32_t *out_path, bool *out_icase);

enum { REGEX_MAX = 2048, NEEDED_MAX = 256 };

#endif
