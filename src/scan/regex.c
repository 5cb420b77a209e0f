#include "regex.h"

enum pos_kind { POS_BYTE, POS_FOLDED, POS_ANY, POS_LINE, POS_SET };

struct pos {
    uint64_t follow;
    unsigned char kind, byte;
    uint16_t set; /* POS_SET: index */
};

struct set {
    uint64_t bits[4];
};

struct regex {
    uint64_t start;  /* positions to begin with at the text's start */
    uint64_t begin;  /* positions to begin with anywhere */
    uint64_t done;   /* positions to end with anywhere */
    uint64_t end;    /* positions to end with at the text's end */
    bool always, empty; /* holds for every text; for the empty one */
    struct pos *pos;
    struct set *sets;
    struct str *texts;
    size_t n_texts;
};

/* -- reading -- */
struct part { /* of an expression */
    uint64_t first, last;
    bool nullable;
    bool plain; /* one byte, as it stands */
    char c;
};

struct reader {
    const char *p, *end;
    struct arena *a;
    struct pos pos[REGEX_POSITIONS_MAX];
    size_t n;
    VEC(struct set) sets;
    bool icase, dot_all, bad;
    int depth;
};

static struct part bad(struct reader *r)
{
    r->bad = true;
    return (struct part){0};
}

static inline char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct part position(struct reader *r, enum pos_kind kind, char c)
{
    if (r->n == REGEX_POSITIONS_MAX)
        return bad(r);
    struct pos *p = &r->pos[r->n];
    *p = (struct pos){.kind = (unsigned char)kind, .byte = (unsigned char)c};
    uint64_t bit = 1ULL << r->n++;
    return (struct part){.first = bit, .last = bit};
}

static struct part byte(struct reader *r, char c)
{
    struct part f = r->icase && letter(c) ? position(r, POS_FOLDED, low(c))
                                          : position(r, POS_BYTE, c);
    f.plain = true;
    f.c = c;
    return f;
}

static void set_add(struct set *s, unsigned char c)
{
    s->bits[c / 64] |= 1ULL << (c % 64);
}

static bool set_has(const struct set *s, unsigned char c)
{
    return (s->bits[c / 64] >> (c % 64)) & 1;
}

/* \d \w \s and their opposites. */
static bool set_named(struct set *s, char name)
{
    struct set t = {0};
    for (int c = 0; c < 256; c++) {
        bool in = false;
        switch (name | 0x20) {
        case 'd': in = c >= '0' && c <= '9'; break;
        case 'w': in = (c >= '0' && c <= '9') || c == '_' || letter((char)c); break;
        case 's': in = c == ' ' || (c >= '\t' && c <= '\r'); break;
        default: return false;
        }
        if (c >= 0x80)
            in = false;
        if (in == ((name & 0x20) != 0))
            set_add(&t, (unsigned char)c);
    }
    for (int i = 0; i < 4; i++)
        s->bits[i] |= t.bits[i];
    return true;
}

static struct part set_part(struct reader *r, const struct set *s)
{
    struct part f = position(r, POS_SET, '\0');
    if (r->bad)
        return f;
    r->pos[r->n - 1].set = (uint16_t)r->sets.n;
    VEC_PUSH(r->a, &r->sets, *s);
    return f;
}

/* What an escaped byte stands for; -1: something else than a byte. */
static int escaped(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    default: return letter(c) || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80 ? -1 : c;
    }
}

static struct part escape(struct reader *r)
{
    if (r->p == r->end)
        return bad(r);
    char c = *r->p++;
    struct set s = {0};
    if (set_named(&s, c) && letter(c))
        return set_part(r, &s);
    int b = escaped(c);
    return b < 0 ? bad(r) : byte(r, (char)b);
}

/* One member of a class: its first byte, or a named set and -1; -2: not of this kind. */
static int class_item(struct reader *r, struct set *s)
{
    char c = *r->p++;
    if (c == '[')
        return -2;
    if (c != '\\')
        return (unsigned char)c;
    if (r->p == r->end)
        return -2;
    c = *r->p++;
    if (letter(c) && set_named(s, c))
        return -1;
    int b = escaped(c);
    return b < 0 ? -2 : b;
}

static struct part class(struct reader *r)
{
    struct set s = {0};
    bool negate = r->p < r->end && *r->p == '^';
    r->p += negate;
    for (bool first = true; r->p < r->end && (*r->p != ']' || first); first = false) {
        int from = class_item(r, &s);
        if (from == -2 || (first && from == ']'))
            return bad(r);
        int to = from;
        if (r->end - r->p >= 2 && r->p[0] == '-' && r->p[1] != ']') {
            r->p++;
            to = class_item(r, &s);
            if (from < 0 || to < from)
                return bad(r);
        }
        for (int c = from; c >= 0 && c <= to; c++)
            set_add(&s, (unsigned char)c);
    }
    if (r->p == r->end)
        return bad(r);
    r->p++;
    for (char c = 'a'; r->icase && c <= 'z'; c++) {
        if (set_has(&s, (unsigned char)c) || set_has(&s, (unsigned char)(c - 32))) {
            set_add(&s, (unsigned char)c);
            set_add(&s, (unsigned char)(c - 32));
        }
    }
    for (int i = 0; negate && i < 4; i++)
        s.bits[i] = ~s.bits[i];
    return set_part(r, &s);
}

static struct part alternatives(struct reader *r);

static struct part group(struct reader *r)
{
    if (r->end - r->p >= 2 && r->p[0] == '?') {
        if (r->p[1] != ':')
            return bad(r);
        r->p += 2;
    }
    if (++r->depth > REGEX_NEST_MAX)
        return bad(r);
    struct part f = alternatives(r);
    r->depth--;
    if (r->bad || r->p == r->end || *r->p != ')')
        return bad(r);
    r->p++;
    f.plain = false;
    return f;
}

static struct part atom(struct reader *r)
{
    char c = *r->p++;
    switch (c) {
    case '(': return group(r);
    case '[': return class(r);
    case '.': return position(r, r->dot_all ? POS_ANY : POS_LINE, '\0');
    case '\\': return escape(r);
    case '^': case '$': case '*': case '+': case '?': case '{': case '}': case ']': case ')':
        return bad(r);
    default: return byte(r, c);
    }
}

static void link_up(struct reader *r, uint64_t from, uint64_t to)
{
    for (; from != 0; from &= from - 1)
        r->pos[__builtin_ctzll(from)].follow |= to;
}

static struct part join(struct reader *r, struct part x, struct part y)
{
    link_up(r, x.last, y.first);
    return (struct part){.first = x.first | (x.nullable ? y.first : 0),
                         .last = y.last | (y.nullable ? x.last : 0),
                         .nullable = x.nullable && y.nullable};
}

static struct part loop(struct reader *r, struct part f, bool nullable)
{
    link_up(r, f.last, f.first);
    f.nullable = f.nullable || nullable;
    f.plain = false;
    return f;
}

/* {n}, {n,} and {n,m}: as many copies, each read again from `from`. */
static struct part copies(struct reader *r, const char *from, struct part one)
{
    size_t least = 0, most = 0, digits = 0;
    for (; r->p < r->end && *r->p >= '0' && *r->p <= '9' && digits < 4; r->p++, digits++)
        least = least * 10 + (size_t)(*r->p - '0');
    bool open = false;
    most = least;
    if (digits > 0 && r->p < r->end && *r->p == ',') {
        r->p++;
        open = r->p < r->end && *r->p == '}';
        for (most = 0; r->p < r->end && *r->p >= '0' && *r->p <= '9' && most < 1000; r->p++)
            most = most * 10 + (size_t)(*r->p - '0');
        most = open ? (least == 0 ? 1 : least) : most;
    }
    if (digits == 0 || r->p == r->end || *r->p++ != '}' || most < least || most == 0 ||
        most > REGEX_POSITIONS_MAX)
        return bad(r);
    const char *behind = r->p;
    struct part all = {.nullable = true};
    for (size_t i = 1; i <= most && !r->bad; i++) {
        struct part f = one;
        if (i > 1) {
            r->p = from;
            f = atom(r);
        }
        if (i > least)
            f.nullable = true;
        all = join(r, all, open && i == most ? loop(r, f, least == 0) : f);
    }
    r->p = behind;
    return all;
}

static struct part repeated(struct reader *r)
{
    const char *from = r->p;
    struct part f = atom(r);
    if (r->bad || r->p == r->end)
        return f;
    switch (*r->p) {
    case '*': r->p++, f = loop(r, f, true); break;
    case '+': r->p++, f = loop(r, f, false); break;
    case '?': r->p++, f.nullable = true, f.plain = false; break;
    case '{': r->p++, f = copies(r, from, f); break;
    default: return f;
    }
    if (r->p < r->end && *r->p == '?') /* the shortest: whether it matches is the same */
        r->p++;
    if (!r->bad && r->p < r->end && strchr("*+?{", *r->p) != NULL && *r->p != '\0')
        return bad(r);
    return f;
}

/* The longest text that stands in every match of a sequence. */
struct longest {
    char run[REGEX_POSITIONS_MAX], best[REGEX_POSITIONS_MAX];
    size_t n, best_n;
};

static void longest_add(struct longest *l, const struct part *f)
{
    if (!f->plain) {
        l->n = 0;
        return;
    }
    l->run[l->n++] = f->c;
    if (l->n > l->best_n) {
        memcpy(l->best, l->run, l->n);
        l->best_n = l->n;
    }
}

static struct part sequence(struct reader *r, struct longest *l)
{
    struct part all = {.nullable = true};
    while (!r->bad && r->p < r->end && *r->p != '|' && *r->p != ')' &&
           !(*r->p == '$' && r->depth == 0)) {
        struct part f = repeated(r);
        if (l != NULL && !r->bad)
            longest_add(l, &f);
        all = join(r, all, f);
    }
    return all;
}

static struct part alternatives(struct reader *r)
{
    struct part all = sequence(r, NULL);
    while (!r->bad && r->p < r->end && *r->p == '|') {
        r->p++;
        struct part f = sequence(r, NULL);
        all.first |= f.first;
        all.last |= f.last;
        all.nullable = all.nullable || f.nullable;
    }
    return all;
}

/* One alternative of the whole, the only place where anchors may stand. */
static void branch(struct reader *r, struct regex *re, struct longest *l)
{
    bool head = r->p < r->end && *r->p == '^';
    r->p += head;
    struct part f = sequence(r, l);
    bool tail = !r->bad && r->p < r->end && *r->p == '$';
    r->p += tail;
    if (r->bad || (r->p < r->end && *r->p != '|')) {
        r->bad = true;
        return;
    }
    *(head ? &re->start : &re->begin) |= f.first;
    *(tail ? &re->end : &re->done) |= f.last;
    if (f.nullable && head && tail)
        re->empty = true;
    else if (f.nullable)
        re->always = true;
}

struct regex *regex_new(struct arena *a, struct str text, bool icase, bool dot_all)
{
    struct reader r = {.p = text.p, .end = text.p + text.n, .a = a, .icase = icase,
                       .dot_all = dot_all};
    struct regex re = {0};
    VEC(struct str) texts = {0};
    bool known = true;
    if (str_starts_c(text, "(?i)")) {
        r.icase = true;
        r.p += 4;
    }
    for (bool more = true; more && !r.bad;) {
        struct longest l = {0};
        branch(&r, &re, &l);
        known = known && l.best_n > 0;
        if (known)
            VEC_PUSH(a, &texts, arena_str(a, str_of(l.best, l.best_n)));
        more = !r.bad && r.p < r.end;
        r.p += more; /* the bar */
    }
    if (r.bad)
        return NULL;
    re.pos = ARENA_ARRAY(a, r.n + 1, struct pos);
    memcpy(re.pos, r.pos, r.n * sizeof *re.pos);
    re.sets = r.sets.v;
    re.texts = texts.v;
    re.n_texts = known ? texts.n : 0;
    struct regex *out = ARENA_NEW(a, struct regex);
    *out = re;
    return out;
}

size_t regex_texts(const struct regex *re, const struct str **out_texts)
{
    *out_texts = re->texts;
    return re->n_texts;
}

/* -- asking -- */
static inline bool takes(const struct regex *re, const struct pos *p, unsigned char c)
{
    switch ((enum pos_kind)p->kind) {
    case POS_BYTE: return p->byte == c;
    case POS_FOLDED: return p->byte == (unsigned char)low((char)c);
    case POS_ANY: return true;
    case POS_LINE: return c != '\n';
    case POS_SET: return set_has(&re->sets[p->set], c);
    }
    return false;
}

bool regex_search(const struct regex *re, struct str s)
{
    if (re->always)
        return true;
    if (re->empty && (s.n == 0 || (s.n == 1 && s.p[0] == '\n')))
        return true;
    /* '$' is before a last line feed, too. */
    size_t last = s.n > 0 && s.p[s.n - 1] == '\n' ? s.n - 1 : s.n;
    uint64_t now = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint64_t next = re->begin | (i == 0 ? re->start : 0), took = 0;
        for (; now != 0; now &= now - 1)
            next |= re->pos[__builtin_ctzll(now)].follow;
        for (; next != 0; next &= next - 1) {
            int k = __builtin_ctzll(next);
            if (takes(re, &re->pos[k], (unsigned char)s.p[i]))
                took |= 1ULL << k;
        }
        now = took;
        if ((now & re->done) != 0 || (i + 1 >= last && (now & re->end) != 0))
            return true;
        if (now == 0 && re->begin == 0)
            return false;
    }
    return false;
}
