/* validate.c: the constraints of the model, reported in AWS's words. */
#include "codec_parts.h"
#include "pattern.h"

enum {
    REPORTED_MAX = 10,    /* violations in one message */
    VALUE_CHARS_MAX = 96, /* of an echoed value */
    PATH_MAX_BYTES = 256,
};

/* Where the walk stands: one step for each member or element, innermost first. Spelled out only
 * when something is wrong there. */
struct step {
    const struct step *outer;
    const char *name;
    bool lower; /* its first letter is written small */
};

struct check {
    struct arena *arena;
    struct buf message; /* without the count in front */
    int found;
    const struct step *at;
};

/* --- the path: "tags.1.member.tagKey" */

static void add_path(struct buf *b, const struct step *at)
{
    if (at->outer != NULL) {
        add_path(b, at->outer);
        buf_char(b, '.');
    }
    char first = at->name[0];
    bool lower = at->lower && first >= 'A' && first <= 'Z';
    buf_char(b, lower ? (char)(first + ('a' - 'A')) : first);
    buf_c(b, at->name + 1);
}

/* --- reports */

/* Cut at a character's end, so that the message stays valid UTF-8. */
static void add_clipped(struct buf *b, struct str s)
{
    if (s.n <= VALUE_CHARS_MAX) {
        buf_str(b, s);
        return;
    }
    size_t n = VALUE_CHARS_MAX;
    while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n--;
    buf_str(b, str_take(s, n));
    buf_c(b, "...");
}

static bool is_simple(const struct shape *s)
{
    return s->kind != SH_STRUCT && s->kind != SH_LIST && s->kind != SH_MAP && s->kind != SH_DOC &&
           s->kind != SH_BLOB && s->kind != SH_STREAM;
}

static void add_simple(struct check *c, struct buf *b, const struct shape *s, const void *p)
{
    if (!value_present(s, p))
        buf_c(b, "null");
    else
        add_clipped(b, text_encode(c->arena, s, TIME_ISO8601, p));
}

/* "[a, b]" or "{k=v}" */
static void add_container(struct check *c, struct buf *b, const struct shape *s,
                          const struct any_list *l)
{
    size_t start = b->n;
    buf_char(b, s->kind == SH_LIST ? '[' : '{');
    for (size_t i = 0; i < l->n; i++) {
        if (b->n - start > VALUE_CHARS_MAX) {
            buf_c(b, ", ...");
            break;
        }
        const char *item = list_item(s, l, i);
        buf_c(b, i > 0 ? ", " : "");
        if (s->kind == SH_MAP) {
            add_clipped(b, *(const struct str *)item);
            buf_char(b, '=');
        }
        add_simple(c, b, s->elem, item + s->value_offset);
    }
    buf_char(b, s->kind == SH_LIST ? ']' : '}');
}

/* Begins a violation. False when enough are reported. What is sensitive, binary or a structure is
 * not repeated: AWS writes "Value at" then. */
static bool report(struct check *c, const struct shape *s, const void *p, bool hidden)
{
    if (c->found == REPORTED_MAX)
        return false;
    struct buf *b = &c->message;
    buf_c(b, c->found++ > 0 ? "; " : "");
    bool container = s->kind == SH_LIST || s->kind == SH_MAP;
    bool shown = container ? is_simple(s->elem) && !s->elem->sensitive : is_simple(s);
    if (p == NULL) {
        buf_c(b, "Value null");
    } else if (hidden || s->sensitive || !shown) {
        buf_c(b, "Value");
    } else {
        buf_c(b, "Value '");
        if (container)
            add_container(c, b, s, p);
        else
            add_simple(c, b, s, p);
        buf_char(b, '\'');
    }
    struct buf path CLEANUP(buf_clear) = BUF_INIT(64 * 1024);
    add_path(&path, c->at);
    buf_c(b, " at '");
    buf_str(b, str_take(buf_view(&path), PATH_MAX_BYTES));
    buf_c(b, "' failed to satisfy constraint: ");
    return true;
}

static void add_number(struct buf *b, const struct shape *s, double v)
{
    if (!(v >= -0x1p63 && v < 0x1p63)) /* the model's "no limit": 2^63 - 1 as a double is 2^63 */
        buf_fmt(b, "%.0f", v);
    else if (s->kind == SH_FLOAT && v == (double)(int64_t)v)
        buf_fmt(b, "%.1f", v);
    else if (s->kind == SH_FLOAT)
        buf_fmt(b, "%g", v);
    else
        buf_i64(b, (int64_t)v);
}

static bool is_number(const struct shape *s)
{
    return s->kind == SH_INT || s->kind == SH_LONG || s->kind == SH_FLOAT;
}

static void say_bound(struct buf *b, const struct shape *s, bool max)
{
    buf_fmt(b, "Member must have %s %s than or equal to ", is_number(s) ? "value" : "length",
            max ? "less" : "greater");
    add_number(b, s, max ? s->max : s->min);
}

static void say_pattern(struct buf *b, const struct shape *s)
{
    buf_c(b, "Member must satisfy regular expression pattern: ");
    buf_c(b, s->pattern);
}

static void say_enum(struct buf *b, const struct shape *s)
{
    buf_c(b, "Member must satisfy enum value set: [");
    for (const char *const *e = s->enums; *e != NULL; e++) {
        buf_c(b, e == s->enums ? "" : ", ");
        buf_c(b, *e);
    }
    buf_char(b, ']');
}

/* --- the constraints of one simple value */

enum { LOW = 1, HIGH = 2, PATTERN = 4, ENUM = 8 };

static double measure(const struct shape *s, const void *p)
{
    switch (s->kind) {
    case SH_STRING:
        return (double)str_utf8_count(*(const struct str *)p);
    case SH_BLOB:
        return (double)((const struct str *)p)->n;
    case SH_INT:
    case SH_LONG:
        return (double)((const struct opt_int *)p)->v;
    case SH_FLOAT:
        return ((const struct opt_num *)p)->v;
    case SH_LIST:
    case SH_MAP:
        return (double)((const struct any_list *)p)->n;
    default:
        return 0;
    }
}

static bool in_enum(const struct shape *s, struct str v)
{
    for (const char *const *e = s->enums; *e != NULL; e++)
        if (str_is(v, *e))
            return true;
    return false;
}

/* Which constraints a value violates. A pattern is not tried on what is too long anyway: the limit
 * is also what bounds the matcher's work. */
static int violations(const struct shape *s, const void *p)
{
    int v = 0;
    double m = measure(s, p);
    bool measured = s->kind != SH_BOOL && s->kind != SH_TIME && s->kind != SH_STRUCT;
    if (measured && s->has_min && !(m >= s->min))
        v |= LOW;
    if (measured && s->has_max && !(m <= s->max))
        v |= HIGH;
    if (s->kind == SH_STRING) {
        struct str text = *(const struct str *)p;
        if (s->pattern_code != NULL && (v & HIGH) == 0 && !pattern_match(s->pattern_code, text))
            v |= PATTERN;
        if (s->enums != NULL && !in_enum(s, text))
            v |= ENUM;
    }
    return v;
}

static void check_one(struct check *c, const struct shape *s, const void *p, bool hidden)
{
    int v = violations(s, p);
    if ((v & LOW) != 0 && report(c, s, p, hidden))
        say_bound(&c->message, s, false);
    if ((v & HIGH) != 0 && report(c, s, p, hidden))
        say_bound(&c->message, s, true);
    if ((v & PATTERN) != 0 && report(c, s, p, hidden))
        say_pattern(&c->message, s);
    if ((v & ENUM) != 0 && report(c, s, p, hidden))
        say_enum(&c->message, s);
}

/* All constraints of an element, as AWS lists them for the container: "[…, …]". */
static void say_all(struct buf *b, const struct shape *s)
{
    const char *comma = "";
    buf_char(b, '[');
    if (s->has_max) {
        say_bound(b, s, true);
        comma = ", ";
    }
    if (s->has_min) {
        buf_c(b, comma);
        say_bound(b, s, false);
        comma = ", ";
    }
    if (s->pattern_code != NULL) {
        buf_c(b, comma);
        say_pattern(b, s);
        comma = ", ";
    }
    if (s->enums != NULL) {
        buf_c(b, comma);
        say_enum(b, s);
    }
    buf_char(b, ']');
}

/* --- the walk */

static void check_value(struct check *c, const struct shape *s, const void *p, bool hidden,
                        int depth);

static void check_struct(struct check *c, const struct shape *s, const void *p, int depth)
{
    for (uint32_t i = 0; i < s->n_members && c->found < REPORTED_MAX; i++) {
        const struct shape_member *m = &s->members[i];
        if (m->shape->kind == SH_STREAM)
            continue;
        const void *v = member_value(m, p);
        if (v == NULL && !m->required)
            continue;
        struct step here = {c->at, m->name, true};
        c->at = &here;
        if (v != NULL)
            check_value(c, m->shape, v, m->sensitive, depth + 1);
        else if (m->required && report(c, m->shape, NULL, false))
            buf_c(&c->message, "Member must not be null");
        c->at = here.outer;
    }
}

/* Elements that are simple are reported once, for the container; others each, with their index. */
static void check_items(struct check *c, const struct shape *s, const struct any_list *l,
                        bool hidden, int depth)
{
    bool nested = s->elem->kind == SH_STRUCT || s->elem->kind == SH_LIST || s->elem->kind == SH_MAP;
    bool bad_key = false, bad_value = false, bad_null = false;
    for (size_t i = 0; i < l->n && c->found < REPORTED_MAX; i++) {
        const char *item = list_item(s, l, i);
        const void *value = item + s->value_offset;
        if (s->kind == SH_MAP)
            bad_key = bad_key || violations(s->key, item) != 0;
        if (!value_present(s->elem, value)) {
            bad_null = true;
        } else if (nested) {
            struct str name = s->kind == SH_MAP ? str_take(*(const struct str *)item, 64)
                                                : arena_fmt(c->arena, "%zu", i + 1);
            struct str step = arena_fmt(c->arena, "%.*s.member", STR_ARG(name));
            struct step here = {c->at, step.p, false};
            c->at = &here;
            check_value(c, s->elem, value, hidden, depth + 1);
            c->at = here.outer;
        } else {
            bad_value = bad_value || violations(s->elem, value) != 0;
        }
    }
    if (bad_null && report(c, s, l, hidden))
        buf_c(&c->message, "Member must not be null");
    if (bad_key && report(c, s, l, hidden)) {
        buf_c(&c->message, "Map keys must satisfy constraint: ");
        say_all(&c->message, s->key);
    }
    if (bad_value && report(c, s, l, hidden)) {
        buf_c(&c->message, s->kind == SH_MAP ? "Map value must satisfy constraint: "
                                             : "Member must satisfy constraint: ");
        say_all(&c->message, s->elem);
    }
}

static void check_value(struct check *c, const struct shape *s, const void *p, bool hidden,
                        int depth)
{
    if (depth > CODEC_DEPTH_MAX)
        return; /* the codecs let nothing deeper through */
    if (s->kind == SH_STRUCT) {
        check_struct(c, s, p, depth);
        return;
    }
    check_one(c, s, p, hidden);
    if (s->kind == SH_LIST || s->kind == SH_MAP)
        check_items(c, s, p, hidden, depth);
}

struct err *shape_validate(struct arena *a, const struct shape *s, const void *value,
                           const char *code)
{
    if (s == NULL || value == NULL)
        return NULL;
    struct check c = {.arena = a, .message = BUF_INIT(64 * 1024)};
    check_struct(&c, s, value, 0);
    struct err *e = NULL;
    if (c.found > 0) {
        struct str text = buf_view(&c.message);
        size_t n = text.n < ERR_MESSAGE_MAX - 48 ? text.n : ERR_MESSAGE_MAX - 48;
        while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
            n--;
        e = err_aws(400, code, "%d validation error%s detected: %.*s", c.found,
                    c.found > 1 ? "s" : "", (int)n, text.p);
    }
    buf_clear(&c.message);
    if (e == NULL)
        e = arena_check(a);
    return e;
}
