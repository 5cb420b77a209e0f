/* Event selectors: which records a trail delivers.
 *
 * https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html and
 * API_AdvancedEventSelector.html. Kept as the JSON of the API's own shapes. */
#include "room.h"

enum { SELECTORS_MAX = 5, DATA_VALUES_MAX = 250, ADVANCED_MAX = 500 };

/* -- matching ---------------------------------------------------------------------------------- */

static bool read_write(const struct jv *selector, const struct event *e)
{
    struct str type = jv_s(jv_get(selector, "ReadWriteType"));
    if (str_is(type, "ReadOnly"))
        return e->read_only;
    if (str_is(type, "WriteOnly"))
        return !e->read_only;
    return true;
}

static bool excluded(const struct jv *selector, const struct event *e)
{
    const struct jv *sources = jv_get(selector, "ExcludeManagementEventSources");
    struct str source = jv_s(jv_get(e->json, "eventSource"));
    for (size_t i = 0; i < jv_len(sources); i++)
        if (str_eq(jv_s(jv_at(sources, i)), source))
            return true;
    return false;
}

/* Calls about many objects (a listing) tell how their ARNs begin. */
static struct str resource_arn(const struct jv *resource)
{
    struct str arn = jv_s(jv_get(resource, "ARN"));
    return arn.p != NULL ? arn : jv_s(jv_get(resource, "ARNPrefix"));
}

/* A data resource names objects by the beginning of their ARN ("arn:aws:s3:::bucket/prefix",
 * "arn:aws:s3" for all); a function by its whole ARN or "arn:aws:lambda" for all. */
static bool resource_covers(struct str type, struct str value, const struct jv *resource)
{
    struct str arn = resource_arn(resource);
    if (!str_eq(jv_s(jv_get(resource, "type")), type))
        return false;
    if (str_is(value, "arn:aws:s3") || str_is(value, "arn:aws:lambda"))
        return true;
    return str_is(type, "AWS::S3::Object") ? str_starts(arn, value) : str_eq(arn, value);
}

static bool data_covered(const struct jv *selector, const struct event *e)
{
    const struct jv *wanted = jv_get(selector, "DataResources");
    const struct jv *resources = jv_get(e->json, "resources");
    for (size_t i = 0; i < jv_len(wanted); i++) {
        const struct jv *values = jv_get(jv_at(wanted, i), "Values");
        struct str type = jv_s(jv_get(jv_at(wanted, i), "Type"));
        for (size_t j = 0; j < jv_len(values); j++)
            for (size_t k = 0; k < jv_len(resources); k++)
                if (resource_covers(type, jv_s(jv_at(values, j)), jv_at(resources, k)))
                    return true;
    }
    return false;
}

static bool plain_selects(const struct jv *selector, const struct event *e)
{
    if (!read_write(selector, e))
        return false;
    if (e->data)
        return data_covered(selector, e);
    return jv_b(jv_get(selector, "IncludeManagementEvents"), true) && !excluded(selector, e);
}

/* A field of an advanced selector: the record's value for it. */
static struct str field_value(struct str field, const struct event *e, const struct jv *resource)
{
    if (str_is(field, "eventCategory"))
        return e->data ? STR("Data") : STR("Management");
    if (str_is(field, "readOnly"))
        return e->read_only ? STR("true") : STR("false");
    if (str_is(field, "resources.type"))
        return jv_s(jv_get(resource, "type"));
    if (str_is(field, "resources.ARN"))
        return resource_arn(resource);
    if (str_is(field, "userIdentity.arn"))
        return jv_s(jv_get(jv_get(e->json, "userIdentity"), "arn"));
    if (str_is(field, "sessionCredentialFromConsole"))
        return STR("false");
    return jv_s(jv_get_str(e->json, field)); /* eventName, eventSource, eventType */
}

static bool any_of(const struct jv *list, struct str v, bool (*test)(struct str, struct str))
{
    for (size_t i = 0; i < jv_len(list); i++)
        if (test(v, jv_s(jv_at(list, i))))
            return true;
    return false;
}

static bool field_matches(const struct jv *f, struct str v)
{
    static const struct {
        const char *yes, *no;
        bool (*test)(struct str, struct str);
    } operators[] = {{"Equals", "NotEquals", str_eq},
                     {"StartsWith", "NotStartsWith", str_starts},
                     {"EndsWith", "NotEndsWith", str_ends}};
    bool positive = false, hit = false;
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        const struct jv *yes = jv_get(f, operators[i].yes), *no = jv_get(f, operators[i].no);
        positive |= jv_len(yes) > 0;
        hit |= any_of(yes, v, operators[i].test);
        if (any_of(no, v, operators[i].test))
            return false;
    }
    return !positive || hit;
}

static bool advanced_with(const struct jv *selector, const struct event *e,
                          const struct jv *resource)
{
    const struct jv *fields = jv_get(selector, "FieldSelectors");
    for (size_t i = 0; i < jv_len(fields); i++) {
        const struct jv *f = jv_at(fields, i);
        if (!field_matches(f, field_value(jv_s(jv_get(f, "Field")), e, resource)))
            return false;
    }
    return true;
}

static bool advanced_selects(const struct jv *selector, const struct event *e)
{
    const struct jv *resources = jv_get(e->json, "resources");
    if (jv_len(resources) == 0)
        return advanced_with(selector, e, NULL);
    for (size_t i = 0; i < jv_len(resources); i++)
        if (advanced_with(selector, e, jv_at(resources, i)))
            return true;
    return false;
}

bool trail_selects(const struct trail *t, const struct event *e)
{
    const struct jv *list = t->advanced != NULL ? t->advanced : t->selectors;
    if (list == NULL)
        return !e->data; /* the default: every management event */
    for (size_t i = 0; i < jv_len(list); i++)
        if (t->advanced != NULL ? advanced_selects(jv_at(list, i), e)
                                : plain_selects(jv_at(list, i), e))
            return true;
    return false;
}

/* -- operations -------------------------------------------------------------------------------- */

static struct err *invalid(const char *why)
{
    return err_aws(400, "InvalidEventSelectorsException", "%s", why);
}

static struct err *check_plain(const struct cloudtrail_EventSelectors *list)
{
    if (list->n > SELECTORS_MAX)
        return invalid("A trail has at most 5 event selectors.");
    size_t values = 0;
    for (size_t i = 0; i < list->n; i++)
        for (size_t j = 0; j < list->v[i].DataResources.n; j++) {
            const struct cloudtrail_DataResource *d = &list->v[i].DataResources.v[j];
            if (!str_is(d->Type, "AWS::S3::Object") && !str_is(d->Type, "AWS::Lambda::Function") &&
                !str_is(d->Type, "AWS::DynamoDB::Table"))
                return invalid("A data resource's Type must be AWS::S3::Object, "
                               "AWS::Lambda::Function or AWS::DynamoDB::Table.");
            for (size_t k = 0; k < d->Values.n; k++)
                if (!str_starts_c(d->Values.v[k], "arn:aws:"))
                    return invalid("A data resource's value must be an ARN.");
            values += d->Values.n;
        }
    return values <= DATA_VALUES_MAX ? NULL : invalid("A trail has at most 250 data resources.");
}

static bool field_known(struct str field)
{
    static const char *const known[] = {
        "eventCategory", "eventName",     "eventSource",    "eventType",
        "readOnly",      "resources.ARN", "resources.type", "userIdentity.arn",
        "sessionCredentialFromConsole"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(field, known[i]))
            return true;
    return false;
}

static size_t field_values(const struct cloudtrail_AdvancedFieldSelector *f)
{
    return f->Equals.n + f->StartsWith.n + f->EndsWith.n + f->NotEquals.n + f->NotStartsWith.n +
           f->NotEndsWith.n;
}

/* The one value that the field must equal; STR_NONE: it says something else. */
static struct str must_equal(const struct cloudtrail_AdvancedEventSelector *s, const char *field)
{
    for (size_t i = 0; i < s->FieldSelectors.n; i++) {
        const struct cloudtrail_AdvancedFieldSelector *f = &s->FieldSelectors.v[i];
        if (str_is(f->Field, field))
            return f->Equals.n == 1 && field_values(f) == 1 ? f->Equals.v[0] : STR_NONE;
    }
    return STR_NONE;
}

static struct err *check_category(struct call *c, const struct cloudtrail_AdvancedEventSelector *s)
{
    struct str category = must_equal(s, "eventCategory");
    if (str_is(category, "NetworkActivity"))
        return err_not_implemented(c, "Network activity events");
    if (!str_is(category, "Management") && !str_is(category, "Data"))
        return invalid("Each advanced selector must say that eventCategory equals Management or "
                       "Data.");
    if (str_is(category, "Data") && must_equal(s, "resources.type").p == NULL)
        return invalid("A selector of data events must say what resources.type equals.");
    return NULL;
}

static struct err *check_advanced(struct call *c,
                                  const struct cloudtrail_AdvancedEventSelectors *list)
{
    size_t values = 0;
    for (size_t i = 0; i < list->n; i++) {
        for (size_t j = 0; j < list->v[i].FieldSelectors.n; j++) {
            const struct cloudtrail_AdvancedFieldSelector *f = &list->v[i].FieldSelectors.v[j];
            if (!field_known(f->Field))
                return invalid("A field selector names a field that there is not.");
            if (field_values(f) == 0)
                return invalid("A field selector has no condition.");
            values += field_values(f);
        }
        TRY(check_category(c, &list->v[i]));
    }
    return values <= ADVANCED_MAX ? NULL : invalid("A trail has at most 500 conditions.");
}

/* A list member of the input as JSON of the API's shape. */
static struct jv *member_json(struct call *c, const char *name)
{
    struct jv *whole = shape_to_json(c->arena, c->op->input, c->in);
    return (struct jv *)jv_get(whole, name);
}

OP_HANDLER(cloudtrail, PutEventSelectors, PutEventSelectorsRequest, PutEventSelectorsResponse)
{
    struct trail t;
    if (in->EventSelectors.set == in->AdvancedEventSelectors.set)
        return err_aws(400, "InvalidParameterCombinationException",
                       "Give EventSelectors or AdvancedEventSelectors, and not both.");
    TRY(check_plain(&in->EventSelectors));
    TRY(check_advanced(c, &in->AdvancedEventSelectors));
    TRY(trail_need_home(c, in->TrailName, &t));
    t.selectors = in->EventSelectors.set ? member_json(c, "EventSelectors") : NULL;
    t.advanced = in->AdvancedEventSelectors.set ? member_json(c, "AdvancedEventSelectors") : NULL;
    TRY(trail_write(c->txn, c->arena, &t));
    out->TrailARN = t.arn;
    out->EventSelectors = in->EventSelectors;
    out->AdvancedEventSelectors = in->AdvancedEventSelectors;
    return NULL;
}

OP_HANDLER(cloudtrail, GetEventSelectors, GetEventSelectorsRequest, GetEventSelectorsResponse)
{
    struct trail t;
    TRY(trail_need(c, in->TrailName, &t));
    struct jv *whole = jv_new_obj(c->arena);
    if (t.selectors != NULL) {
        jv_set(c->arena, whole, STR("EventSelectors"), t.selectors);
    } else if (t.advanced != NULL) {
        jv_set(c->arena, whole, STR("AdvancedEventSelectors"), t.advanced);
    } else {
        struct jv *one = jv_new_obj(c->arena), *list = jv_new_arr(c->arena);
        jv_set(c->arena, one, STR("ReadWriteType"), jv_new_str(c->arena, STR("All")));
        jv_set(c->arena, one, STR("IncludeManagementEvents"), jv_new_bool(c->arena, true));
        jv_set(c->arena, one, STR("DataResources"), jv_new_arr(c->arena));
        jv_set(c->arena, one, STR("ExcludeManagementEventSources"), jv_new_arr(c->arena));
        jv_push(c->arena, list, one);
        jv_set(c->arena, whole, STR("EventSelectors"), list);
    }
    void *filled;
    TRY(shape_from_json(c->arena, c->op->output, whole, false, &filled));
    *out = *(struct cloudtrail_GetEventSelectorsResponse *)filled;
    out->TrailARN = t.arn;
    return NULL;
}
