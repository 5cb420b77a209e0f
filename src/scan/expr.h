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
    OP_FIELD,    /* the value of another path, or a part of it: `how` */
    OP_KEYWORD,  /* somewhere in the record's text, one of the texts or `wild` */
    OP_TIME,     /* a time, of which `unit` (UTC) is in [lo, hi] */
    OP_CONST,    /* lo: 0 or 1 */
};

enum time_unit { UNIT_MINUTE, UNIT_HOUR, UNIT_DAY, UNIT_WEEK, UNIT_MONTH, UNIT_YEAR };
enum field_how { FIELD_EQ, FIELD_CONTAINS, FIELD_PREFIX, FIELD_SUFFIX };

struct wild {
    const char *p; /* literals; WILD_ANY, WILD_ONE are marks outside ASCII text */
    uint16_t *code;
    uint32_t *back; /* n + 1: where to go on when no more fits (Knuth, Morris and Pratt) */
    size_t n;
    size_t singles; /* the longest part behind a '*' that has a '?' in it */
};
enum { WILD_ANY = 256, WILD_ONE = 257 };
/* Such parts are looked for at each place, the others in linear time. */
enum { WILD_SINGLES_MAX = 128 };

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
    bool whole;  /* a list or an object counts as its JSON text, as it stands and decoded */
    bool lines;  /* OP_REGEX: ^ and $ at the ends of lines too */
    enum time_unit unit;
    enum field_how how;
    struct str *texts; /* OP_EQ: sorted; folded if icase */
    size_t n_texts;
    double lo, hi;
    bool lo_open, hi_open;
    struct wild wild;
    struct cidr cidr;
    const struct regex *own;   /* OP_REGEX: this, or */
    struct hs_database *regex; /* Hyperscan's */
    const struct test *also; /* the same value must pass this one too */
    const char *label; /* for explain: "eventName is one of …" */
};

/* EXPR_SAME: what its one kid says, and besides each list of objects by one of its elements. */
enum expr_kind { EXPR_AND, EXPR_OR, EXPR_NOT, EXPR_TEST, EXPR_SAME };

struct same;

struct expr {
    enum expr_kind kind;
    size_t n;
    struct expr **kids;
    struct test *test;
    const struct same *same; /* EXPR_SAME */
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
void wild_finish(struct arena *a, struct wild *w); /* when the code was changed */
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
/* Does this one value, which is no container, pass? */
bool test_value(struct asker *k, const struct test *t, const struct val *v);

enum { REGEX_MAX = 2048 };

#endif
