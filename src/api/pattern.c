#include "pattern.h"

enum { CODE_LITERAL = 1, CODE_CLASS, CODE_CAT, CODE_ALT, CODE_REPEAT, CODE_EMPTY };
enum { NO_END = 0xffff, PENDING = 0xffff, CLASS_HEAD = 17, CLASS_PAIR = 6 };

enum inst_op { OP_CHAR, OP_CLASS, OP_SPLIT, OP_JUMP, OP_MATCH };

struct inst {
    enum inst_op op;
    uint32_t c; /* OP_CHAR */
    const unsigned char *class;
    uint16_t x, y; /* OP_SPLIT, OP_JUMP */
};

struct prog {
    struct inst *v;
    size_t n, max;
};

/* --- unrolling */

static size_t emit(struct prog *p, struct inst inst)
{
    CHECK(p->n < p->max); /* the generator counted */
    p->v[p->n] = inst;
    return p->n++;
}

static const unsigned char *unroll(struct prog *p, const unsigned char *code);

/* Splits and jumps since `from` whose way out is open lead here. */
static void close_ends(struct prog *p, size_t from)
{
    for (size_t i = from; i < p->n; i++) {
        if (p->v[i].op == OP_SPLIT && p->v[i].y == PENDING)
            p->v[i].y = (uint16_t)p->n;
        if (p->v[i].op == OP_JUMP && p->v[i].x == PENDING)
            p->v[i].x = (uint16_t)p->n;
    }
}

static const unsigned char *unroll_alt(struct prog *p, const unsigned char *code)
{
    size_t start = p->n, branches = code[1];
    code += 2;
    for (size_t i = 0; i + 1 < branches; i++) {
        size_t split = emit(p, (struct inst){.op = OP_SPLIT, .x = (uint16_t)(p->n + 1)});
        p->v[split].y = 0; /* known below; not PENDING, which would be closed too early */
        code = unroll(p, code);
        emit(p, (struct inst){.op = OP_JUMP, .x = PENDING});
        p->v[split].y = (uint16_t)p->n;
    }
    code = unroll(p, code);
    close_ends(p, start);
    return code;
}

static const unsigned char *unroll_repeat(struct prog *p, const unsigned char *code)
{
    unsigned lo = (unsigned)code[1] << 8 | code[2], hi = (unsigned)code[3] << 8 | code[4];
    const unsigned char *inner = code + 5, *end = inner;
    size_t last = p->n;
    for (unsigned i = 0; i < lo; i++) {
        last = p->n;
        end = unroll(p, inner);
    }
    if (hi == NO_END && lo > 0) {
        emit(p, (struct inst){.op = OP_SPLIT, .x = (uint16_t)last, .y = (uint16_t)(p->n + 1)});
    } else if (hi == NO_END) {
        size_t split = emit(p, (struct inst){.op = OP_SPLIT, .x = (uint16_t)(p->n + 1)});
        end = unroll(p, inner);
        emit(p, (struct inst){.op = OP_JUMP, .x = (uint16_t)split});
        p->v[split].y = (uint16_t)p->n;
    } else {
        size_t count = p->n;
        for (unsigned i = lo; i < hi; i++) {
            emit(p, (struct inst){.op = OP_SPLIT, .x = (uint16_t)(p->n + 1), .y = PENDING});
            end = unroll(p, inner);
        }
        close_ends(p, count);
    }
    return end;
}

static const unsigned char *unroll(struct prog *p, const unsigned char *code)
{
    switch (code[0]) {
    case CODE_LITERAL:
        for (size_t i = 0; i < code[1]; i++)
            emit(p, (struct inst){.op = OP_CHAR, .c = code[2 + i]});
        return code + 2 + code[1];
    case CODE_CLASS:
        emit(p, (struct inst){.op = OP_CLASS, .class = code + 1});
        return code + 1 + CLASS_HEAD + (size_t)code[CLASS_HEAD] * CLASS_PAIR;
    case CODE_CAT: {
        size_t parts = code[1];
        code += 2;
        for (size_t i = 0; i < parts; i++)
            code = unroll(p, code);
        return code;
    }
    case CODE_ALT:
        return unroll_alt(p, code);
    case CODE_REPEAT:
        return unroll_repeat(p, code);
    default:
        CHECK(code[0] == CODE_EMPTY);
        return code + 1;
    }
}

/* --- characters */

/* A byte that is not UTF-8 counts as a character beyond ASCII. */
static uint32_t next_char(struct str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[*at];
    size_t more = c >= 0xf0 ? 3 : (c >= 0xe0 ? 2 : (c >= 0xc0 ? 1 : 0));
    uint32_t cp = c;
    if (more > 0 && *at + more < s.n) {
        cp = c & (0x3fu >> more);
        for (size_t i = 1; i <= more; i++)
            cp = cp << 6 | ((unsigned char)s.p[*at + i] & 0x3f);
        *at += more;
    }
    *at += 1;
    return cp;
}

static uint32_t u24(const unsigned char *p)
{
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static bool in_class(const unsigned char *class, uint32_t c)
{
    if (c < 128)
        return (class[c >> 3] >> (c & 7) & 1) != 0;
    for (size_t i = 0; i < class[CLASS_HEAD - 1]; i++) {
        const unsigned char *pair = class + CLASS_HEAD + i * CLASS_PAIR;
        if (c >= u24(pair) && c <= u24(pair + 3))
            return true;
    }
    return false;
}

/* --- the run */

struct threads {
    uint16_t *v;
    size_t n;
};

struct run {
    struct prog prog;
    uint32_t *seen; /* step at which a state was last added */
    uint32_t step;
    uint16_t *stack;
};

static void push(struct run *r, size_t *depth, uint16_t state)
{
    if (r->seen[state] == r->step)
        return;
    r->seen[state] = r->step;
    r->stack[(*depth)++] = state;
}

/* Adds a state and all that it reaches without a character. */
static void add(struct run *r, struct threads *t, uint16_t state)
{
    size_t depth = 0;
    push(r, &depth, state);
    while (depth > 0) {
        uint16_t at = r->stack[--depth];
        const struct inst *inst = &r->prog.v[at];
        if (inst->op == OP_SPLIT) {
            push(r, &depth, inst->x);
            push(r, &depth, inst->y);
        } else if (inst->op == OP_JUMP) {
            push(r, &depth, inst->x);
        } else {
            t->v[t->n++] = at;
        }
    }
}

static bool run_nfa(struct run *r, struct threads now, struct threads next, struct str s)
{
    r->step = 1;
    add(r, &now, 0);
    for (size_t at = 0; at < s.n;) {
        uint32_t c = next_char(s, &at);
        r->step++;
        next.n = 0;
        for (size_t i = 0; i < now.n; i++) {
            const struct inst *inst = &r->prog.v[now.v[i]];
            if ((inst->op == OP_CHAR && inst->c == c) ||
                (inst->op == OP_CLASS && in_class(inst->class, c)))
                add(r, &next, (uint16_t)(now.v[i] + 1));
        }
        struct threads swap = now;
        now = next;
        next = swap;
        if (now.n == 0)
            return false;
    }
    for (size_t i = 0; i < now.n; i++)
        if (r->prog.v[now.v[i]].op == OP_MATCH)
            return true;
    return false;
}

/* Most patterns are one class, repeated: [\w+=,.@-]+ */
static bool run_simple(const unsigned char *code, struct str s)
{
    size_t lo = (size_t)code[1] << 8 | code[2], hi = (size_t)code[3] << 8 | code[4], n = 0;
    for (size_t at = 0; at < s.n; n++)
        if (!in_class(code + 6, next_char(s, &at)))
            return false;
    return n >= lo && (hi == NO_END || n <= hi);
}

bool pattern_match(const unsigned char *code, struct str s)
{
    size_t n = ((size_t)code[0] << 8 | code[1]) + 1; /* and OP_MATCH */
    code += 2;
    if (code[0] == CODE_REPEAT && code[5] == CODE_CLASS)
        return run_simple(code, s);
    CHECK(n <= PATTERN_INSTS_MAX);
    size_t state = sizeof(struct inst) + sizeof(uint32_t) + 3 * sizeof(uint16_t);
    char *memory = calloc(n, state);
    CHECK(memory != NULL);
    struct run r = {.prog = {.v = (struct inst *)memory, .max = n}};
    unroll(&r.prog, code);
    emit(&r.prog, (struct inst){.op = OP_MATCH});
    r.seen = (uint32_t *)(r.prog.v + n);
    r.stack = (uint16_t *)(r.seen + n);
    struct threads now = {.v = r.stack + n}, next = {.v = now.v + n};
    bool ok = run_nfa(&r, now, next, s);
    free(memory);
    return ok;
}
