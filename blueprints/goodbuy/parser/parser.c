#include "parser.h"

#include "alert.h"
#include "core/clock.h"
#include "core/enc.h"
#include "core/map.h"
#include "gunzip.h"
#include "jtext.h"
#include "records.h"

#include <stdarg.h>

enum { EVENT_ARENA = 16 * 1024 * 1024, RECORD_ARENA = 16 * 1024 * 1024, SUBJECT_BUF = 256 };

struct counts {
    size_t files, skipped, repeated, records, alerts;
};

/* The same error with what it happened to in front. */
static struct err *about(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
static struct err *about(struct err *e, const char *fmt, ...)
{
    if (e == NULL)
        return NULL;
    char what[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    struct err *wrapped = err_new(e->kind, "%s: %s", what, e->message);
    wrapped->status = e->status;
    wrapped->code = e->code;
    err_free(e);
    return wrapped;
}

/* Settings and the keyword configuration. */

static struct str env_str(const char *name)
{
    const char *v = getenv(name);
    return v == NULL || v[0] == '\0' ? STR_NONE : str_c(v);
}

struct err *parser_init(void *parser)
{
    struct parser *p = parser;
    p->config_bucket = env_str("CONFIG_BUCKET");
    p->config_key = env_str("CONFIG_KEY");
    if (p->config_key.p == NULL)
        p->config_key = STR("filter_config.json");
    if (p->config_bucket.p == NULL)
        return err_aws(400, "InvalidConfiguration",
                       "CONFIG_BUCKET is not set: it names the keyword configuration's bucket");
    struct str age = env_str("CONFIG_MAX_AGE_SECONDS");
    int64_t seconds = CONFIG_AGE_MAX_S;
    if (age.p != NULL && !str_to_i64(age, 0, CONFIG_AGE_MAX_S, &seconds))
        return err_aws(400, "InvalidConfiguration", "CONFIG_MAX_AGE_SECONDS is not from 0 to %d",
                       CONFIG_AGE_MAX_S);
    p->config_max_age_ms = seconds * 1000;
    return aws_new(&p->aws);
}

void parser_clear(struct parser *p)
{
    rules_free(p->rules);
    aws_free(p->aws);
    *p = (struct parser){0};
}

static struct err *fetch_config(struct parser *p, struct buf *text, struct s3_got *got)
{
    struct aws_sink sink = aws_sink_to_buf(text);
    struct s3_get get = {
        .bucket = p->config_bucket, .key = p->config_key, .max = RULES_FILE_MAX,
        .if_none_match = p->rules != NULL ? str_c(p->config_etag) : STR_NONE,
    };
    return about(s3_get_object(p->aws, &get, &sink, got),
                 "The keyword configuration s3://%.*s/%.*s could not be read",
                 STR_ARG(p->config_bucket), STR_ARG(p->config_key));
}

static struct err *refresh_config(struct parser *p)
{
    int64_t now = clock_now_ms(), age = now - p->config_read_ms;
    if (p->rules != NULL && age >= 0 && age < p->config_max_age_ms)
        return NULL;
    CLEANUP(buf_clear) struct buf text = BUF_INIT(RULES_FILE_MAX);
    struct s3_got got;
    TRY(fetch_config(p, &text, &got));
    if (!got.not_modified) {
        struct rules *rules;
        TRY(rules_load(buf_view(&text), &rules));
        rules_free(p->rules);
        p->rules = rules;
        memcpy(p->config_etag, got.etag, sizeof got.etag);
    }
    p->config_read_ms = now;
    return NULL;
}

/* One log file. */

struct object {
    struct str bucket, key, version, etag, region; /* the key is decoded */
};

struct run {
    struct parser *parser;
    struct arena *arena; /* of one record */
    struct recent_file *file;
    struct records records;
    struct map seen;     /* eventIDs of records that matched */
    struct buf message, subject;
    size_t alerts;
    struct err *refused; /* the first message that a topic did not take */
    size_t refused_count, refused_at;
};

/* A failure that the next message would meet as well: no answer at all, or SNS is in trouble. */
static bool is_general(const struct err *e)
{
    return e->status == 0 || err_is(e, ERR_IO) || err_is(e, ERR_TIMEOUT);
}

static struct err *publish(struct run *run, struct str topic, size_t index)
{
    struct err *e = sns_publish(run->parser->aws, topic, buf_view(&run->subject),
                                buf_view(&run->message));
    if (e == NULL) {
        run->alerts++;
        return NULL;
    }
    e = about(e, "An alert could not be published to %.*s", STR_ARG(topic));
    if (is_general(e))
        return e;
    if (run->refused_count++ == 0) {
        run->refused = e;
        run->refused_at = index;
    } else {
        err_free(e);
    }
    return NULL;
}

static struct err *alert(struct run *run, const struct record_view *rec, const struct rule *rule,
                         size_t index)
{
    if (aws_budget_left_ms(run->parser->aws) == 0)
        return err_new(ERR_TIMEOUT, "The time was up after %zu records; give the function more",
                       index);
    buf_reset(&run->message);
    buf_reset(&run->subject);
    alert_message(run->arena, rec, rule, &run->message);
    alert_subject(rec, rule, &run->subject);
    TRY(buf_check(&run->message));
    for (size_t i = 0; i < rule->n_topics; i++)
        TRY(publish(run, rule->topics[i], index));
    return NULL;
}

/* Has a record of this id matched before in this file? Remembers it. */
static struct err *was_seen(struct run *run, struct str id, bool *out)
{
    static char mark;
    *out = false;
    if (id.n == 0)
        return NULL; /* nothing to tell it from others by */
    if (map_get(&run->seen, id) != NULL) {
        *out = true;
        return NULL;
    }
    if (run->seen.n == MATCHES_MAX)
        return err_new(ERR_LIMIT, "More than %d records of one file match", MATCHES_MAX);
    (void)map_put(&run->seen, id, &mark);
    return NULL;
}

static struct err *on_record(void *ctx, struct str raw, size_t index)
{
    struct run *run = ctx;
    const struct rules *rules = run->parser->rules;
    struct record_view rec;
    bool looked_up = false;
    arena_reset(run->arena);
    record_view_read(run->arena, raw, &rec);
    for (size_t i = 0; i < rules->n; i++) {
        if (!rule_matches(&rules->v[i], rec.event_source, rec.event_name))
            continue;
        bool seen = false;
        if (!looked_up)
            TRY(was_seen(run, rec.event_id, &seen));
        if (seen || index < run->file->done)
            break;
        looked_up = true;
        TRY(alert(run, &rec, &rules->v[i], index));
    }
    return NULL;
}

static struct err *feed(void *ctx, struct str bytes)
{
    return records_feed(&((struct run *)ctx)->records, bytes);
}

static void run_clear(struct run *run)
{
    records_clear(&run->records);
    map_clear(&run->seen);
    buf_clear(&run->message);
    buf_clear(&run->subject);
    arena_free(run->arena);
    err_free(run->refused);
}

/* Publishes the alerts of an inflated file and notes in run->file how far it came. */
static struct err *read_file(struct run *run, struct str compressed)
{
    struct err *e = gunzip(compressed, LOG_INFLATED_MAX, feed, run);
    if (e == NULL)
        e = records_end(&run->records);
    size_t done = run->records.count;
    if (run->refused_count > 0 && run->refused_at < done)
        done = run->refused_at;
    if (done > run->file->done)
        run->file->done = done;
    if (e == NULL && run->refused_count > 0) {
        e = about(run->refused, "%zu alerts were refused; the first", run->refused_count);
        run->refused = NULL;
    }
    run->file->complete = e == NULL;
    return e;
}

static struct err *download(struct parser *p, const struct object *o, struct buf *out)
{
    struct aws_sink sink = aws_sink_to_buf(out);
    struct s3_get get = {.bucket = o->bucket, .key = o->key, .version_id = o->version,
                         .region = o->region, .max = LOG_FILE_MAX};
    struct s3_got got;
    return s3_get_object(p->aws, &get, &sink, &got);
}

static struct err *parse_file(struct parser *p, const struct object *o, struct recent_file *file,
                              struct counts *counts)
{
    CLEANUP(buf_clear) struct buf compressed = BUF_INIT(LOG_FILE_MAX);
    TRY(download(p, o, &compressed));
    CLEANUP(run_clear) struct run run = {
        .parser = p, .arena = arena_new(RECORD_ARENA), .file = file, .seen = MAP_INIT,
        .message = BUF_INIT(SNS_MESSAGE_MAX), .subject = BUF_INIT(SUBJECT_BUF),
    };
    records_init(&run.records, on_record, &run);
    struct err *e = read_file(&run, buf_view(&compressed));
    counts->records += run.records.count;
    counts->alerts += run.alerts;
    return e;
}

/* The event. */

static bool is_log_file(struct str key)
{
    return str_ends_c(key, ".json.gz") && str_find(key, STR("CloudTrail-Digest/")) < 0;
}

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html */
static struct err *read_object(struct arena *a, struct str raw, struct object *out)
{
    struct str s3 = jtext_get(raw, "s3"), object = jtext_get(s3, "object");
    struct object o = {
        .bucket = jtext_get_str(a, jtext_get(s3, "bucket"), "name"),
        .version = jtext_get_str(a, object, "versionId"),
        .etag = jtext_get_str(a, object, "eTag"),
        .region = jtext_get_str(a, raw, "awsRegion"),
    };
    struct str key = jtext_get_str(a, object, "key");
    if (o.bucket.n == 0 || key.n == 0 || !dec_uri(a, key, true, &o.key))
        return err_new(ERR_INVALID, "The event is not a notification of S3: a record names no "
                                    "bucket, or no key in form encoding");
    *out = o;
    return NULL;
}

static bool is_creation(struct arena *a, struct str raw)
{
    struct str name = jtext_get_str(a, raw, "eventName");
    return name.p == NULL || str_starts_c(name, "ObjectCreated:");
}

static struct err *handle_object(struct parser *p, struct arena *a, struct str raw,
                                 struct counts *counts)
{
    struct object o;
    TRY(read_object(a, raw, &o));
    if (!is_creation(a, raw) || !is_log_file(o.key)) {
        counts->skipped++;
        return NULL;
    }
    struct recent_file *file = recent_get(&p->recent, o.bucket, o.key, o.version, o.etag);
    if (file->complete) {
        counts->repeated++;
        return NULL;
    }
    counts->files++;
    return about(parse_file(p, &o, file, counts), "The log file s3://%.*s/%.*s", STR_ARG(o.bucket),
                 STR_ARG(o.key));
}

/* Every object is worked on even when one fails; the first failure is the result. */
static struct err *handle_all(struct parser *p, struct arena *a, struct str records,
                              struct counts *counts)
{
    struct err *first = NULL;
    size_t n = 0;
    struct jtext_iter it = jtext_iter(records);
    for (struct str key, raw; jtext_next(&it, &key, &raw);) {
        struct err *e = n++ < EVENT_OBJECTS_MAX
                            ? handle_object(p, a, raw, counts)
                            : err_new(ERR_LIMIT, "The event names more than %d objects",
                                      EVENT_OBJECTS_MAX);
        if (first == NULL)
            first = e;
        else
            err_free(e);
        if (n > EVENT_OBJECTS_MAX)
            break;
    }
    return first;
}

static void report(const struct counts *c, struct buf *out)
{
    buf_fmt(out, "{\"files\":%zu,\"skipped\":%zu,\"repeated\":%zu,\"records\":%zu,\"alerts\":%zu}",
            c->files, c->skipped, c->repeated, c->records, c->alerts);
    fprintf(stderr, "files %zu, skipped %zu, repeated %zu, records %zu, alerts %zu\n", c->files,
            c->skipped, c->repeated, c->records, c->alerts);
}

struct err *parser_handle(void *parser, const struct lambda_event *event, struct buf *out_result)
{
    struct parser *p = parser;
    struct counts counts = {0};
    struct str payload = str_trim(event->payload);
    CLEANUP(arena_free_ptr) struct arena *a = arena_new(EVENT_ARENA);
    TRY(about(jtext_check(payload, JTEXT_DEPTH_MAX), "The event is not a notification of S3"));
    struct str records = jtext_get(payload, "Records");
    if (jtext_type(records) != JT_ARRAY) {
        /* S3 sends one of these when the notification is set up. */
        if (!jtext_is(jtext_get(payload, "Event"), "s3:TestEvent"))
            return err_new(ERR_INVALID, "The event is not a notification of S3: no Records");
        report(&counts, out_result);
        return NULL;
    }
    aws_begin(p->aws, lambda_remaining_ms(event) - REPORT_MARGIN_MS);
    TRY(refresh_config(p));
    struct err *e = handle_all(p, a, records, &counts);
    TRY(arena_over(a) && e == NULL ? arena_check(a) : e);
    report(&counts, out_result);
    return NULL;
}
