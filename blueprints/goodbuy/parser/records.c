#include "records.h"

#include "jtext.h"

void records_init(struct records *r, records_callback *callback, void *ctx)
{
    *r = (struct records){.callback = callback, .ctx = ctx, .value = BUF_INIT(RECORD_MAX)};
}

void records_clear(struct records *r)
{
    buf_clear(&r->value);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct err *broken(const struct records *r, const char *what)
{
    return err_new(ERR_CORRUPT, "it is not the JSON of a log file: %s, after %zu records", what,
                   r->count);
}

/* A gathered value is whole. */

static struct err *check_value(const struct records *r, struct str value)
{
    struct err *e = jtext_check(value, JTEXT_DEPTH_MAX);
    if (e == NULL)
        return NULL;
    struct err *said = err_new(err_is(e, ERR_LIMIT) ? ERR_LIMIT : ERR_CORRUPT,
                               "it is not the JSON of a log file: after %zu records: %s", r->count,
                               e->message);
    err_free(e);
    return said;
}

static struct err *finish_record(struct records *r, struct str value)
{
    if (jtext_type(value) != JT_OBJECT)
        return broken(r, "a record is not an object");
    if (r->count == RECORDS_MAX)
        return err_new(ERR_LIMIT, "it has more than %d records", RECORDS_MAX);
    TRY(r->callback(r->ctx, value, r->count));
    r->count++;
    r->state = RS_AFTER_ITEM;
    return NULL;
}

static struct err *finish_value(struct records *r)
{
    struct str value = buf_view(&r->value);
    TRY(check_value(r, value));
    if (r->within == RS_ITEM)
        return finish_record(r, value);
    if (r->within == RS_KEY) {
        r->key_is_records = jtext_is(value, "Records");
        if (r->key_is_records && r->saw_records)
            return broken(r, "a second list of records");
        r->state = RS_COLON;
        return NULL;
    }
    r->state = RS_AFTER_VALUE;
    return NULL;
}

/* Gathering. Each takes what belongs to the value from the front of *text. */

static struct err *gather(struct records *r, struct str *text, size_t n)
{
    buf_add(&r->value, text->p, n);
    *text = str_skip(*text, n);
    if (buf_ok(&r->value))
        return NULL;
    return err_new(ERR_LIMIT, "after %zu records, one value is larger than %d bytes", r->count,
                   RECORD_MAX);
}

/* How far the string goes in this piece; leaves r->in_string false when its end is among it. */
static size_t scan_string(struct records *r, struct str text, size_t i)
{
    while (i < text.n && r->in_string) {
        char c = text.p[i++];
        if (r->escaped)
            r->escaped = false;
        else if (c == '\\')
            r->escaped = true;
        else if (c == '"')
            r->in_string = false;
    }
    return i;
}

static struct err *in_string(struct records *r, struct str *text)
{
    TRY(gather(r, text, scan_string(r, *text, 0)));
    if (r->within == RS_KEY && r->value.n > RECORDS_KEY_MAX)
        return broken(r, "a member's name is too long");
    return r->in_string ? NULL : finish_value(r);
}

static struct err *in_container(struct records *r, struct str *text)
{
    size_t i = 0;
    while (i < text->n) {
        if (r->in_string) {
            i = scan_string(r, *text, i);
            continue;
        }
        char c = text->p[i++];
        if (c == '"')
            r->in_string = true;
        else if (c == '{' || c == '[')
            r->depth++;
        else if ((c == '}' || c == ']') && --r->depth == 0)
            break;
    }
    TRY(gather(r, text, i));
    return r->depth == 0 ? finish_value(r) : NULL;
}

static struct err *in_scalar(struct records *r, struct str *text)
{
    size_t i = 0;
    while (i < text->n && !is_blank(text->p[i]) && strchr(",]}", text->p[i]) == NULL)
        i++;
    bool ended = i < text->n;
    TRY(gather(r, text, i));
    return ended ? finish_value(r) : NULL;
}

/* The first byte of a value tells how to find its end. */
static struct err *start_value(struct records *r, enum records_state within, char first)
{
    bool container = first == '{' || first == '[';
    buf_reset(&r->value);
    buf_char(&r->value, first);
    r->within = within;
    r->depth = container ? 1 : 0;
    r->escaped = false;
    r->in_string = first == '"';
    r->state = r->in_string ? RS_IN_STRING : container ? RS_IN_CONTAINER : RS_IN_SCALAR;
    return NULL;
}

static struct err *member_value(struct records *r, char c)
{
    if (!r->key_is_records)
        return start_value(r, RS_VALUE, c);
    if (c != '[')
        return broken(r, "its Records are not a list");
    r->saw_records = true;
    r->state = RS_FIRST_ITEM;
    return NULL;
}

/* One byte between values. */
static struct err *step(struct records *r, char c)
{
    if (is_blank(c))
        return NULL;
    switch (r->state) {
    case RS_START:
        r->state = RS_FIRST_KEY;
        return c == '{' ? NULL : broken(r, "it is not an object");
    case RS_FIRST_KEY:
    case RS_KEY:
        if (c == '"')
            return start_value(r, RS_KEY, c);
        if (c != '}' || r->state == RS_KEY)
            return broken(r, "a member without a name");
        r->state = RS_DONE;
        return NULL;
    case RS_COLON:
        r->state = RS_VALUE;
        return c == ':' ? NULL : broken(r, "a member without a colon");
    case RS_VALUE:
        return member_value(r, c);
    case RS_AFTER_VALUE:
        r->state = c == ',' ? RS_KEY : RS_DONE;
        return c == ',' || c == '}' ? NULL : broken(r, "a missing comma");
    case RS_FIRST_ITEM:
    case RS_ITEM:
        if (c != ']' || r->state == RS_ITEM)
            return start_value(r, RS_ITEM, c);
        r->state = RS_AFTER_VALUE;
        return NULL;
    case RS_AFTER_ITEM:
        r->state = c == ',' ? RS_ITEM : RS_AFTER_VALUE;
        return c == ',' || c == ']' ? NULL : broken(r, "a missing comma");
    default:
        return broken(r, "something follows its end");
    }
}

struct err *records_feed(struct records *r, struct str text)
{
    while (text.n > 0) {
        switch (r->state) {
        case RS_IN_STRING:
            TRY(in_string(r, &text));
            break;
        case RS_IN_CONTAINER:
            TRY(in_container(r, &text));
            break;
        case RS_IN_SCALAR:
            TRY(in_scalar(r, &text));
            break;
        default:
            TRY(step(r, text.p[0]));
            text = str_skip(text, 1);
        }
    }
    return NULL;
}

struct err *records_end(struct records *r)
{
    if (r->state != RS_DONE)
        return broken(r, "it ends too early");
    if (!r->saw_records)
        return broken(r, "it has no list of records");
    return NULL;
}
