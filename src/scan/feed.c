#include "feed.h"

#include "record_int.h"
#include "records.h"
#include "wrap.h"

void feed_init(struct feed *f, const struct paths *paths, struct feed_sink sink)
{
    *f = (struct feed){.sink = sink};
    record_init(&f->r, paths);
    buf_init(&f->text, RECORD_BYTES_MAX);
}

void feed_clear(struct feed *f)
{
    record_clear(&f->r);
    split_clear(&f->sp);
    split_clear(&f->inner);
    buf_clear(&f->text);
}

void feed_start(struct feed *f)
{
    f->mode = FEED_OUT;
    f->wrapped = f->outer = f->comma = f->any = f->known = false;
    f->depth = f->level = 0;
    f->base = f->faults = 0;
}

static bool blank_until(const char *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (p[i] != ' ' && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
            return false;
    }
    return true;
}

/* One slice of the text. `at` is how far it is taken, in bytes; `i` in structure. */
struct slice {
    const char *p;
    size_t n, at, i;
    bool last; /* no more text behind it */
};

static inline void go_behind(const struct feed *f, struct slice *s, size_t i)
{
    s->i = i + 1;
    s->at = f->sp.at[i] + 1;
}

/* Into the list that opens at sp.at[i]. `level`: brackets around it of the object that holds it, 0
 * for none; `outer`: that object stands in a list itself. */
static void into_list(struct feed *f, struct slice *s, size_t i, int level, bool outer)
{
    f->mode = FEED_LIST;
    f->wrapped = level > 0;
    f->any = f->any || f->wrapped;
    f->outer = outer;
    f->comma = false;
    f->level = level;
    go_behind(f, s, i);
}

static void fault(struct feed *f, size_t where, const char *what)
{
    if (f->faults++ < FEED_FAULTS_TOLD)
        f->sink.fault(f->sink.ctx, f->base + where, what);
}

/* Behind a fault outside any list: the next line may be whole. */
static bool resync(struct feed *f, struct slice *s, size_t from)
{
    while (from < s->n && blank_until(s->p, from, from + 1))
        from++;
    const char *lf = from == s->n ? NULL : memchr(s->p + from, '\n', s->n - from);
    s->at = lf == NULL ? s->n : (size_t)(lf - s->p) + 1;
    (void)f;
    return false; /* the structure was read with the fault in it: split again */
}

/* What ends the reading is told however much was told before. */
static void last_fault(struct feed *f, size_t where, const char *what)
{
    f->sink.fault(f->sink.ctx, f->base + where, what);
}

static bool list_dead(struct feed *f, struct slice *s, size_t where, const char *what)
{
    last_fault(f, where, what);
    last_fault(f, where, "the rest of the file was not read");
    f->mode = FEED_DEAD;
    s->at = s->n;
    return false;
}

/* The record whose brace is at s->i, by its brackets: what is wrong with it stays its own, unless
 * they are. */
static bool leave_out(struct feed *f, struct slice *s, size_t where, const char *why)
{
    const struct split *sp = &f->sp;
    char text[128];
    int depth = 0;
    snprintf(text, sizeof text, "%s: the record was left out", why);
    fault(f, where, text);
    f->comma = f->any = true;
    for (size_t i = s->i; i < sp->n; i++) {
        depth += bracket(s->p[sp->at[i]]);
        if (depth == 0) {
            go_behind(f, s, i);
            return true;
        }
    }
    f->mode = FEED_SKIP;
    f->skip = (struct feed_skip){0};
    s->at = sp->at[s->i];
    return false;
}

/* To the end of a record that is not to be split: it may be of any size. */
static void run_skip(struct feed *f, struct slice *s)
{
    struct feed_skip *k = &f->skip;
    while (s->at < s->n) {
        char c = s->p[s->at++];
        if (k->escaped) {
            k->escaped = false;
        } else if (k->in_string) {
            k->escaped = c == '\\';
            k->in_string = c != '"';
        } else {
            k->in_string = c == '"';
            k->depth += bracket(c);
            if (k->depth == 0) {
                f->mode = FEED_LIST;
                return;
            }
        }
    }
}

static const char twice[] = "a name stands twice in a record; each value was tried";

static void emit(struct feed *f, struct slice *s)
{
    const uint32_t *at = f->sp.at;
    f->records++;
    f->any = true;
    if (f->r.duplicate)
        fault(f, at[f->r.first], twice);
    f->sink.record(f->sink.ctx, &f->r, f->base + at[f->r.first]);
    go_behind(f, s, f->r.last);
}

static bool looks_like_record(const struct record *r)
{
    return r->slot[SLOT_NAME].p != NULL || r->slot[SLOT_SOURCE].p != NULL ||
           r->slot[SLOT_TIME].p != NULL || r->odd;
}

/* The record at sp->at[i], which may be of the inner split. */
static bool emit_inner(struct feed *f, const char *p, const struct split *sp, size_t i,
                       uint64_t offset)
{
    size_t list = 0, where = 0;
    const char *why = "";
    if (record_walk(&f->r, p, sp, i, false, &list, &why, &where) != WALK_OK ||
        !looks_like_record(&f->r))
        return false;
    f->records++;
    if (f->r.duplicate)
        fault(f, (size_t)(offset - f->base), twice);
    f->sink.record(f->sink.ctx, &f->r, offset);
    return true;
}

/* `text` is the inside of a string. */
static bool emit_text(struct feed *f, struct str text, uint64_t offset)
{
    struct split *sp = &f->inner;
    struct wrapped in;
    buf_reset(&f->text);
    buf_str(&f->text, record_unescape(&f->r, text));
    arena_reset(f->r.a);
    if (f->text.over || f->text.n == 0)
        return false;
    const char *p = f->text.p;
    split_run(sp, p, f->text.n);
    if (sp->n == 0 || p[sp->at[0]] != '{' || !blank_until(p, 0, sp->at[0]))
        return false;
    size_t end = record_skip(p, sp, 0);
    if (end < sp->n || (end == sp->n && !blank_until(p, sp->at[end - 1] + 1, f->text.n)))
        fault(f, (size_t)(offset - f->base), "text behind a record within a text, not read");
    if (emit_inner(f, p, sp, 0, offset))
        return true;
    return wrap_find(p, sp, 0, &in) == WRAP_OBJECT && emit_inner(f, p, sp, in.at, offset);
}

/* An object that is no record, at sp.at[i]: what it holds. */
static void look_into(struct feed *f, const struct slice *s, size_t i)
{
    struct wrapped in;
    uint64_t offset = f->base + f->sp.at[i];
    bool done = false;
    f->any = true;
    switch (wrap_find(s->p, &f->sp, i, &in)) {
    case WRAP_NOTICE: done = true; break;
    case WRAP_OBJECT:
        done = emit_inner(f, s->p, &f->sp, in.at, f->base + f->sp.at[in.at]);
        break;
    case WRAP_TEXT: done = emit_text(f, in.text, offset); break;
    case WRAP_NONE: break;
    }
    if (done)
        return;
    if (wrap_is_digest(s->p, &f->sp, i))
        fault(f, f->sp.at[i], "a digest, which holds no records: ward verify reads it");
    else
        fault(f, f->sp.at[i], "an object that is no record of CloudTrail's, and holds none");
}

/* The object at s->i, which was walked and is no record. */
static void unwrap(struct feed *f, struct slice *s)
{
    size_t last = f->r.last; /* what it holds is walked next */
    look_into(f, s, s->i);
    go_behind(f, s, last);
}

/* Into the list that the object at s->i holds, if it does. */
static bool enter(struct feed *f, struct slice *s, bool outer)
{
    size_t list = 0;
    int depth = 0;
    if (!wrap_list(s->p, &f->sp, s->i, &list, &depth))
        return false;
    into_list(f, s, list, depth, outer);
    return true;
}

/* Past a time in front of a record, as CloudWatch Logs exports lines. false: more is needed. */
static bool past_stamp(struct feed *f, struct slice *s)
{
    while (s->at < s->n && blank_until(s->p, s->at, s->at + 1))
        s->at++;
    if (s->at == s->n || s->p[s->at] < '0' || s->p[s->at] > '9')
        return true;
    if (s->n - s->at < WRAP_STAMP_MAX && !s->last)
        return false;
    size_t to = s->at + wrap_stamp(s->p + s->at, s->n - s->at);
    if (to == s->at || to == s->n || s->p[to] != '{')
        return true;
    for (s->at = to; s->i < f->sp.n && f->sp.at[s->i] < to;)
        s->i++;
    return true;
}

/* Outside: an object, a list, or nothing more. false: end of the slice, or split again. */
static bool step_out(struct feed *f, struct slice *s)
{
    const struct split *sp = &f->sp;
    if (!past_stamp(f, s))
        return false;
    if (s->i >= sp->n) {
        if (blank_until(s->p, s->at, s->n)) {
            s->at = s->n;
        } else if (s->last) {
            fault(f, s->at, "text that is not JSON");
            resync(f, s, s->at);
        }
        return false;
    }
    size_t pos = sp->at[s->i];
    char c = s->p[pos];
    if (!blank_until(s->p, s->at, pos) || (c != '{' && c != '[')) {
        fault(f, s->at, "text that is not a JSON object");
        return resync(f, s, s->at);
    }
    if (c == '[') {
        into_list(f, s, s->i, 0, false);
        return true;
    }
    size_t list = 0, where = pos;
    const char *why = "";
    switch (record_walk(&f->r, s->p, sp, s->i, true, &list, &why, &where)) {
    case WALK_OK:
        if (looks_like_record(&f->r)) {
            emit(f, s);
            return true;
        }
        if (enter(f, s, false))
            return true;
        unwrap(f, s);
        return true;
    case WALK_RECORDS:
        into_list(f, s, list, 1, false);
        return true;
    case WALK_MORE: return enter(f, s, false);
    case WALK_BAD: break;
    }
    fault(f, where, why);
    return resync(f, s, where);
}

static bool list_end(struct feed *f, struct slice *s, size_t pos)
{
    s->i++;
    s->at = pos + 1;
    f->any = true;
    f->mode = f->wrapped ? FEED_TAIL : FEED_OUT;
    f->depth = f->level;
    return true;
}

static bool step_list(struct feed *f, struct slice *s)
{
    const struct split *sp = &f->sp;
    if (s->i >= sp->n)
        return false;
    size_t pos = sp->at[s->i];
    char c = s->p[pos];
    if (f->comma && (c == ',' || c == ']')) {
        if (!blank_until(s->p, s->at, pos))
            return list_dead(f, s, s->at, "text between records");
        if (c == ']')
            return list_end(f, s, pos);
        f->comma = false;
        s->i++;
        s->at = pos + 1;
        return true;
    }
    if (f->comma)
        return list_dead(f, s, pos, "a comma is missing between records");
    if (c == '{' && blank_until(s->p, s->at, pos)) {
        size_t list = 0, where = pos;
        const char *why = "";
        switch (record_walk(&f->r, s->p, sp, s->i, false, &list, &why, &where)) {
        case WALK_OK:
            if (looks_like_record(&f->r))
                emit(f, s);
            else if (!f->wrapped && enter(f, s, true))
                return true;
            else
                unwrap(f, s);
            f->comma = true;
            return true;
        case WALK_MORE: return !f->wrapped && enter(f, s, true);
        default: return leave_out(f, s, where, why);
        }
    }
    if (c == ']' && blank_until(s->p, s->at, pos))
        return list_end(f, s, pos);
    if (c == ',' || c == ']') { /* null, 5, "text" */
        fault(f, s->at, "an element of the list is not an object");
        s->at = pos;
        f->comma = true;
        return true;
    }
    return list_dead(f, s, s->at, "an element of the list is not an object");
}

/* Behind the list: to the end of the object around it, in which another "Records" may come. */
static bool step_tail(struct feed *f, struct slice *s)
{
    const struct split *sp = &f->sp;
    for (; s->i < sp->n; s->i++) {
        size_t pos = sp->at[s->i];
        char c = s->p[pos];
        if (c == ':' && f->depth == 1 && s->i + 1 < sp->n && s->p[sp->at[s->i + 1]] == '[' &&
            pos >= s->at + 9 && memcmp(s->p + pos - 9, "\"Records\"", 9) == 0) {
            fault(f, pos, "\"Records\" stands twice; both lists are read");
            f->mode = FEED_LIST;
            f->comma = false;
            s->i += 2;
            s->at = sp->at[s->i - 1] + 1;
            return true;
        }
        f->depth += bracket(c);
        /* Not past a name: what follows it decides. */
        if (c != ':' && !(c == ',' && f->depth == 1))
            s->at = pos + 1;
        if (f->depth == 0) {
            f->mode = f->outer ? FEED_LIST : FEED_OUT;
            f->comma = f->outer;
            f->wrapped = f->outer = false;
            s->at = pos + 1;
            s->i++;
            return true;
        }
    }
    return false;
}

static void run_slice(struct feed *f, struct slice *s)
{
    if (f->mode == FEED_LINE) {
        const char *lf = memchr(s->p, '\n', s->n);
        s->at = lf == NULL ? s->n : (size_t)(lf - s->p) + 1;
        f->mode = lf == NULL ? FEED_LINE : FEED_OUT;
        return;
    }
    if (f->mode == FEED_SKIP) {
        run_skip(f, s);
        return;
    }
    split_run(&f->sp, s->p, s->n);
    bool on = true;
    while (on) {
        switch (f->mode) {
        case FEED_OUT: on = step_out(f, s); break;
        case FEED_LIST: on = step_list(f, s); break;
        case FEED_TAIL: on = step_tail(f, s); break;
        default:
            s->at = s->n;
            on = false;
            break;
        }
    }
}

static void too_large(struct feed *f, struct slice *s)
{
    static const char what[] = "a record is larger than 1 MiB";
    size_t at = s->i < f->sp.n ? f->sp.at[s->i] : s->n;
    if (f->mode == FEED_LIST && !f->comma && at < s->n && s->p[at] == '{' &&
        blank_until(s->p, 0, at)) {
        leave_out(f, s, at, what);
        return;
    }
    if (f->mode != FEED_OUT) {
        list_dead(f, s, 0, what);
        return;
    }
    fault(f, 0, what);
    f->any = true;
    f->mode = FEED_LINE;
}

static void check_utf8(struct feed *f, const struct slice *s)
{
    if (!f->sp.ascii && !records_utf8_valid(s->p, s->at))
        fault(f, 0, "text that is not valid UTF-8, at or behind this place");
}

static void ends(struct feed *f, size_t n)
{
    if (f->mode == FEED_OUT && n > 0)
        last_fault(f, 0, "the text ends within a record");
    else if (f->mode == FEED_LIST || f->mode == FEED_TAIL || f->mode == FEED_SKIP)
        last_fault(f, n, "the text ends within the list of records");
    else if (!f->any && f->mode != FEED_DEAD)
        last_fault(f, 0, "the file has no records");
    if (f->faults > FEED_FAULTS_TOLD) {
        char more[80];
        snprintf(more, sizeof more, "%llu more faults in this file, which are not listed",
                 (unsigned long long)(f->faults - FEED_FAULTS_TOLD));
        last_fault(f, n, more);
    }
    f->base += n;
}

/* A file's beginning: how much of it is taken, or SIZE_MAX when there is too little to tell. */
static size_t head(struct feed *f, const char *p, size_t n, bool last)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8; editors put it there */
    if (n < FEED_HEAD_BYTES && !last)
        return SIZE_MAX;
    const char *what = wrap_foreign(p, n);
    f->known = true;
    if (what != NULL) {
        last_fault(f, 0, what);
        f->mode = FEED_DEAD;
    } else if (wrap_is_table(p, n < FEED_SLICE_BYTES ? n : FEED_SLICE_BYTES)) {
        last_fault(f, 0, "a table, which is not read: export the records as JSON");
        f->faults = FEED_FAULTS_TOLD; /* each of its lines is one: they are counted */
    }
    size_t skip = n >= 3 && memcmp(p, mark, 3) == 0 ? 3 : 0;
    f->base += skip;
    return skip;
}

size_t feed_take(struct feed *f, const char *p, size_t n, bool last)
{
    size_t at = 0, want = FEED_SLICE_BYTES;
    if (!f->known && (at = head(f, p, n, last)) == SIZE_MAX)
        return 0;
    while (at < n) {
        struct slice s = {.p = p + at, .n = n - at < want ? n - at : want};
        s.last = last && s.n == n - at;
        bool looked = f->mode == FEED_OUT || f->mode == FEED_LIST || f->mode == FEED_TAIL;
        run_slice(f, &s);
        if (looked)
            check_utf8(f, &s);
        f->base += s.at;
        at += s.at;
        if (s.at > 0 || f->mode == FEED_SKIP) {
            want = FEED_SLICE_BYTES;
            continue;
        }
        if (want > RECORD_BYTES_MAX && s.n >= RECORD_BYTES_MAX) {
            too_large(f, &s);
            f->base += s.at;
            at += s.at;
            continue;
        }
        if (s.n == n - at)
            break; /* the whole rest was not enough */
        want *= 2;
    }
    if (last) {
        ends(f, n - at);
        at = n;
    }
    return at;
}
