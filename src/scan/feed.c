#include "feed.h"

#include "records.h"

void feed_init(struct feed *f, const struct paths *paths, struct feed_sink sink)
{
    *f = (struct feed){.sink = sink};
    record_init(&f->r, paths);
}

void feed_clear(struct feed *f)
{
    record_clear(&f->r);
    split_clear(&f->sp);
}

void feed_start(struct feed *f)
{
    f->mode = FEED_OUT;
    f->wrapped = f->comma = f->any = false;
    f->depth = 0;
    f->base = 0;
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

static void fault(struct feed *f, const struct slice *s, size_t where, const char *what)
{
    (void)s;
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

static bool list_dead(struct feed *f, struct slice *s, size_t where, const char *what)
{
    fault(f, s, where, what);
    fault(f, s, where, "the rest of the file was not read");
    f->mode = FEED_DEAD;
    s->at = s->n;
    return false;
}

static void emit(struct feed *f, struct slice *s)
{
    const uint32_t *at = f->sp.at;
    f->records++;
    f->any = true;
    if (f->r.duplicate)
        fault(f, s, at[f->r.first], "a name stands twice in a record; each value was tried");
    f->sink.record(f->sink.ctx, &f->r, f->base + at[f->r.first]);
    s->i = f->r.last + 1;
    s->at = at[f->r.last] + 1;
}

static bool looks_like_record(const struct record *r)
{
    return r->slot[SLOT_NAME].p != NULL || r->slot[SLOT_SOURCE].p != NULL ||
           r->slot[SLOT_TIME].p != NULL || r->odd;
}

/* Outside: an object, a list, or nothing more. false: end of the slice, or split again. */
static bool step_out(struct feed *f, struct slice *s)
{
    const struct split *sp = &f->sp;
    if (s->i >= sp->n) {
        if (blank_until(s->p, s->at, s->n)) {
            s->at = s->n;
        } else if (s->last) {
            fault(f, s, s->at, "text that is not JSON");
            resync(f, s, s->at);
        }
        return false;
    }
    size_t pos = sp->at[s->i];
    char c = s->p[pos];
    if (!blank_until(s->p, s->at, pos) || (c != '{' && c != '[')) {
        fault(f, s, s->at, "text that is not a JSON object");
        return resync(f, s, s->at);
    }
    if (c == '[') {
        f->mode = FEED_LIST;
        f->wrapped = f->comma = false;
        s->at = pos + 1;
        s->i++;
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
        fault(f, s, pos, "an object with neither \"Records\" nor the members of a record");
        s->i = f->r.last + 1;
        s->at = sp->at[f->r.last] + 1;
        return true;
    case WALK_RECORDS:
        f->mode = FEED_LIST;
        f->wrapped = true;
        f->comma = false;
        f->any = true;
        s->i = list + 1;
        s->at = sp->at[list] + 1;
        return true;
    case WALK_MORE: return false;
    case WALK_BAD: break;
    }
    fault(f, s, where, why);
    return resync(f, s, where);
}

static bool list_end(struct feed *f, struct slice *s, size_t pos)
{
    s->i++;
    s->at = pos + 1;
    f->any = true;
    f->mode = f->wrapped ? FEED_TAIL : FEED_OUT;
    f->depth = 1;
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
            emit(f, s);
            f->comma = true;
            return true;
        case WALK_MORE: return false;
        default: return list_dead(f, s, where, why);
        }
    }
    if (c == ']' && blank_until(s->p, s->at, pos))
        return list_end(f, s, pos);
    if (c == ',' || c == ']') { /* null, 5, "text" */
        fault(f, s, s->at, "an element of the list is not an object");
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
            fault(f, s, pos, "\"Records\" stands twice; both lists are read");
            f->mode = FEED_LIST;
            f->comma = false;
            s->i += 2;
            s->at = sp->at[s->i - 1] + 1;
            return true;
        }
        if (c == '{' || c == '[')
            f->depth++;
        else if (c == '}' || c == ']')
            f->depth--;
        /* Not past a name: what follows it decides. */
        if (c != ':' && !(c == ',' && f->depth == 1))
            s->at = pos + 1;
        if (f->depth == 0) {
            f->mode = FEED_OUT;
            s->at = pos + 1;
            s->i++;
            return true;
        }
    }
    return false;
}

static void run_slice(struct feed *f, struct slice *s)
{
    split_run(&f->sp, s->p, s->n);
    bool on = true;
    while (on) {
        switch (f->mode) {
        case FEED_OUT: on = step_out(f, s); break;
        case FEED_LIST: on = step_list(f, s); break;
        case FEED_TAIL: on = step_tail(f, s); break;
        case FEED_DEAD:
            s->at = s->n;
            on = false;
            break;
        }
    }
}

static void check_utf8(struct feed *f, const struct slice *s)
{
    if (!f->sp.ascii && !records_utf8_valid(s->p, s->at))
        fault(f, s, 0, "text that is not valid UTF-8, at or behind this place");
}

static void ends(struct feed *f, const char *p, size_t n)
{
    struct slice s = {.p = p, .n = n};
    if (f->mode == FEED_OUT && n > 0)
        fault(f, &s, 0, "the text ends within a record");
    else if (f->mode == FEED_LIST || f->mode == FEED_TAIL)
        fault(f, &s, n, "the text ends within the list of records");
    else if (!f->any && f->mode != FEED_DEAD)
        fault(f, &s, 0, "the file has no records");
    f->base += n;
}

size_t feed_take(struct feed *f, const char *p, size_t n, bool last)
{
    size_t at = 0, want = FEED_SLICE_BYTES;
    while (at < n) {
        struct slice s = {.p = p + at, .n = n - at < want ? n - at : want};
        s.last = last && s.n == n - at;
        run_slice(f, &s);
        check_utf8(f, &s);
        f->base += s.at;
        at += s.at;
        if (s.at > 0) {
            want = FEED_SLICE_BYTES;
            continue;
        }
        if (want > RECORD_BYTES_MAX && s.n >= RECORD_BYTES_MAX) {
            list_dead(f, &s, 0, "a record is larger than 1 MiB");
            continue;
        }
        if (s.n == n - at)
            break; /* the whole rest was not enough */
        want *= 2;
    }
    if (last) {
        ends(f, p + at, n - at);
        at = n;
    }
    return at;
}
