#include "rules.h"

#include "aws.h"
#include "jtext.h"

enum { RULES_ARENA = 8 * 1024 * 1024 };

/* The entry that is being read, for messages. */
struct entry {
    struct arena *arena;
    struct str raw;
    size_t number; /* from 1 */
    struct str name;
};

static struct err *wrong(const struct entry *en, const char *what, const char *more)
{
    if (en->name.n > 0)
        return err_aws(400, "InvalidConfiguration",
                       "The keyword configuration is not valid: entry %zu (\"%.*s\"): %s%s",
                       en->number, STR_ARG(en->name), what, more);
    return err_aws(400, "InvalidConfiguration",
                   "The keyword configuration is not valid: entry %zu: %s%s", en->number, what,
                   more);
}

static struct err *wrong_file(const char *what)
{
    return err_aws(400, "InvalidConfiguration", "The keyword configuration is not valid: %s", what);
}

/* A name or a severity stands on a line of the alert and in its subject. */
static struct err *read_label(const struct entry *en, const char *member, struct str *out)
{
    struct str raw = jtext_get(en->raw, member);
    if (raw.p == NULL || jtext_type(raw) == JT_NULL)
        return NULL;
    struct str s = jtext_str(en->arena, raw);
    if (s.n == 0 || s.n > RULE_NAME_MAX)
        return wrong(en, member, " is not a text of 1 to 100 bytes");
    for (size_t i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7F)
            return wrong(en, member, " has control characters");
    }
    *out = s;
    return NULL;
}

static void free_pattern(void *p)
{
    pattern_free(p);
}

static struct err *read_pattern(const struct entry *en, const char *member, struct pattern **out)
{
    char why[PATTERN_WHY_MAX];
    struct str text = jtext_get_str(en->arena, en->raw, member);
    if (text.p == NULL)
        return wrong(en, member, " is missing, or not a text");
    struct pattern *p = pattern_new(text.p, text.n, why);
    if (p == NULL) {
        struct str said = arena_fmt(en->arena, " cannot be used as a regular expression: %s", why);
        return wrong(en, member, said.p);
    }
    arena_on_free(en->arena, free_pattern, p);
    *out = p;
    return NULL;
}

/* arn:aws:sns:REGION:ACCOUNT:NAME */
static bool is_topic_arn(struct str arn)
{
    struct str rest = arn;
    for (int i = 0; i < 2; i++)
        (void)str_cut(&rest, ':');
    bool ok = str_is(str_cut(&rest, ':'), "sns") && aws_arn_region(arn).p != NULL;
    (void)str_cut(&rest, ':');
    ok = ok && str_cut(&rest, ':').n == 12 && rest.n > 0 && arn.n <= RULE_ARN_MAX;
    for (size_t i = 0; i < rest.n; i++) {
        char c = rest.p[i];
        ok = ok && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_');
    }
    return ok;
}

static struct err *add_topic(const struct entry *en, struct str region, struct str raw,
                             struct rule *r)
{
    struct str arn = jtext_str(en->arena, raw);
    if (arn.p == NULL || !is_topic_arn(arn))
        return wrong(en, "sns", " has a topic that is not the ARN of a standard topic");
    if (region.p != NULL && !str_eq(region, aws_arn_region(arn)))
        return wrong(en, "sns", ".region is not the region of the topic's ARN");
    for (size_t i = 0; i < r->n_topics; i++) {
        if (str_eq(r->topics[i], arn))
            return NULL;
    }
    if (r->n_topics == RULE_TOPICS_MAX)
        return wrong(en, "sns", " names more than 8 topics");
    r->topics[r->n_topics++] = arn;
    return NULL;
}

static struct err *read_topics(const struct entry *en, struct rule *r)
{
    struct str sns = jtext_get(en->raw, "sns");
    if (jtext_type(sns) != JT_OBJECT)
        return wrong(en, "sns", " is missing, or not an object");
    struct str one = jtext_get(sns, "topicARN"), many = jtext_get(sns, "topicARNs");
    struct str region_raw = jtext_get(sns, "region"), region = STR_NONE;
    if (region_raw.p != NULL) {
        region = jtext_str(en->arena, region_raw);
        if (region.p == NULL)
            return wrong(en, "sns", ".region is not a text");
    }
    if (one.p != NULL)
        TRY(add_topic(en, region, one, r));
    if (many.p != NULL && jtext_type(many) != JT_ARRAY)
        return wrong(en, "sns", ".topicARNs is not a list");
    struct jtext_iter it = jtext_iter(many);
    for (struct str key, raw; jtext_next(&it, &key, &raw);)
        TRY(add_topic(en, region, raw, r));
    return r->n_topics > 0 ? NULL : wrong(en, "sns", ".topicARN is missing");
}

static struct err *read_entry(struct rules *rs, struct str raw)
{
    struct entry en = {.arena = rs->arena, .raw = raw, .number = rs->n + 1};
    if (rs->n == RULES_MAX)
        return wrong_file("it has more than 256 entries");
    if (jtext_type(raw) != JT_OBJECT)
        return wrong(&en, "it is not an object", "");
    struct rule *r = &rs->v[rs->n];
    TRY(read_label(&en, "name", &r->name));
    en.name = r->name;
    TRY(read_label(&en, "severity", &r->severity));
    TRY(read_pattern(&en, "source", &r->source));
    TRY(read_pattern(&en, "regexp", &r->event));
    TRY(read_topics(&en, r));
    rs->n++;
    return NULL;
}

static struct err *read_all(struct rules *rs, struct str text)
{
    text = str_trim(text);
    if (str_starts_c(text, "\xEF\xBB\xBF")) /* a mark that editors on Windows leave */
        text = str_skip(text, 3);
    struct err *e = jtext_check(text, JTEXT_DEPTH_MAX);
    if (e != NULL) {
        struct err *said = wrong_file(e->message);
        err_free(e);
        return said;
    }
    text = str_trim(text);
    if (jtext_type(text) == JT_OBJECT)
        return read_entry(rs, text);
    if (jtext_type(text) != JT_ARRAY)
        return wrong_file("it is neither an object nor a list of objects");
    struct jtext_iter it = jtext_iter(text);
    for (struct str key, raw; jtext_next(&it, &key, &raw);)
        TRY(read_entry(rs, raw));
    /* A list without entries would watch for nothing, silently. */
    return rs->n > 0 ? NULL : wrong_file("the list is empty");
}

struct err *rules_load(struct str text, struct rules **out)
{
    struct arena *a = arena_new(RULES_ARENA);
    struct rules *rs = ARENA_NEW(a, struct rules);
    rs->arena = a;
    rs->v = ARENA_ARRAY(a, RULES_MAX, struct rule);
    struct err *e = text.n > RULES_FILE_MAX ? wrong_file("it is too large") : read_all(rs, text);
    if (e == NULL)
        e = arena_check(a);
    if (e != NULL) {
        rules_free(rs);
        return e;
    }
    *out = rs;
    return NULL;
}

void rules_free(struct rules *r)
{
    if (r != NULL)
        arena_free(r->arena);
}

bool rule_matches(const struct rule *r, struct str event_source, struct str event_name)
{
    return pattern_search(r->source, event_source.p, event_source.n) &&
           pattern_search(r->event, event_name.p, event_name.n);
}
