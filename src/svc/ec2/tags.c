/* Tags: at creation, later, and listed. They are the member Tags of each row.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html */
#include "room.h"

static struct err *check_tag(struct call *c, struct str key, struct str value)
{
    if (key.n == 0)
        return err_aws(400, "InvalidParameterValue", "Tag key cannot be null or empty.");
    if (str_utf8_count(key) > EC2_TAG_KEY_MAX)
        return err_aws(400, "InvalidParameterValue",
                       "Tag key exceeds the maximum length of %d characters", EC2_TAG_KEY_MAX);
    if (str_utf8_count(value) > EC2_TAG_VALUE_MAX)
        return err_aws(400, "InvalidParameterValue",
                       "Tag value exceeds the maximum length of %d characters",
                       EC2_TAG_VALUE_MAX);
    if (str_starts_c(key, "aws:") && !ec2_is_internal(c))
        return err_aws(400, "InvalidParameterValue",
                       "Tag keys starting with 'aws:' are reserved for internal use");
    return NULL;
}

struct err *tags_add(struct call *c, struct jv *row, const struct ec2_TagList *tags)
{
    struct jv *list = list_in(c, row, "Tags");
    for (size_t i = 0; i < tags->n; i++) {
        struct str key = tags->v[i].Key, value = tags->v[i].Value;
        if (value.p == NULL)
            value = STR("");
        TRY(check_tag(c, key, value));
        for (size_t j = 0; j < i; j++)
            if (str_eq(tags->v[j].Key, key))
                return err_aws(400, "InvalidParameterValue",
                               "Duplicate tag key '%.*s' specified.", STR_ARG(key));
        struct jv *there = list_find(list, "Key", key);
        struct jv *tag = there != NULL ? there : jv_new_obj(c->arena);
        set_s(c, tag, "Key", key);
        set_s(c, tag, "Value", value);
        if (there == NULL)
            jv_push(c->arena, list, tag);
    }
    size_t own = 0; /* AWS's own tags do not count */
    for (size_t i = 0; i < jv_len(list); i++)
        own += !str_starts_c(get_s(jv_at(list, i), "Key"), "aws:");
    if (own > EC2_TAGS_MAX)
        return err_aws(400, "TagLimitExceeded", "More than %d tags specified", EC2_TAGS_MAX);
    return NULL;
}

/* RunInstances makes an instance and its interface; the others one thing each. */
static bool may_tag(enum kind made, enum kind tagged)
{
    return tagged == made || (made == K_INSTANCE && tagged == K_INTERFACE);
}

struct err *tags_at_creation(struct call *c, const struct ec2_TagSpecificationList *specs,
                             enum kind k, struct jv *row)
{
    bool seen[K_COUNT] = {false};
    for (size_t i = 0; i < specs->n; i++) {
        const struct ec2_TagSpecification *s = &specs->v[i];
        if (s->ResourceType.p == NULL)
            return err_aws(400, "InvalidParameterValue", "Tag specification must have a resource "
                           "type.");
        enum kind of = kind_of_type(s->ResourceType);
        if (of == K_NONE || !may_tag(k, of))
            return err_aws(400, "InvalidParameterValue",
                           "'%.*s' is not a valid taggable resource type for this operation.",
                           STR_ARG(str_take(s->ResourceType, 64)));
        if (seen[of])
            return err_aws(400, "InvalidParameterValue",
                           "Duplicate resource type '%.*s' found in tag specifications.",
                           STR_ARG(s->ResourceType));
        seen[of] = true;
        if (of != k)
            return err_not_implemented(c, "Tags of a network interface");
        TRY(tags_add(c, row, &s->Tags));
    }
    return NULL;
}

/* -- later ------------------------------------------------------------------------------------- */

/* The row that holds a resource's tags, and where in it. */
static struct err *tagged_row(struct call *c, struct str id, enum kind *out_kind,
                              struct jv **out_row, struct jv **out_at)
{
    enum kind k = kind_of_id(id), of;
    struct str group;
    struct jv *row = NULL;
    if (k == K_NONE)
        return err_aws(400, "InvalidID", "The ID '%.*s' is not valid",
                       STR_ARG(str_take(id, EC2_ID_TEXT_MAX)));
    if (k == K_RULE) {
        TRY(assoc_get(c, id, &of, &group));
        TRY(thing_get(c, K_GROUP, group, &row));
        *out_at = row != NULL ? list_find(jv_get(row, "rules"), "SecurityGroupRuleId", id) : NULL;
        if (*out_at == NULL)
            return err_missing(K_RULE, id);
        *out_kind = K_GROUP;
        *out_row = row;
        return NULL;
    }
    if (ec2_kinds[k].table == NULL)
        return err_missing(k, id);
    TRY(thing_need(c, k, id, &row));
    *out_kind = k;
    *out_row = *out_at = row;
    return NULL;
}

static struct err *check_ids(const struct ec2_ResourceIdList *ids)
{
    if (ids->n == 0)
        return err_parameter("resourceIdSet");
    if (ids->n > EC2_IDS_MAX)
        return err_aws(400, "InvalidParameterValue", "At most %d resources can be named.",
                       EC2_IDS_MAX);
    return NULL;
}

EC2_OP_NO_OUT(CreateTags, CreateTagsRequest)
{
    TRY(check_ids(&in->Resources));
    if (in->Tags.n == 0)
        return err_parameter("tagSet");
    for (size_t i = 0; i < in->Resources.n; i++) {
        enum kind k;
        struct jv *row, *at;
        TRY(tagged_row(c, in->Resources.v[i], &k, &row, &at));
        TRY(tags_add(c, at, &in->Tags));
        TRY(thing_put(c, k, row));
    }
    return NULL;
}

/* A tag named without a value goes whatever its value; no tags named: all but AWS's own. */
static void remove_tags(struct call *c, struct jv *at, const struct ec2_TagList *tags)
{
    struct jv *list = list_in(c, at, "Tags");
    for (size_t i = jv_len(list); i-- > 0;) {
        struct str key = get_s(jv_at(list, i), "Key"), value = get_s(jv_at(list, i), "Value");
        bool gone = tags->n == 0 && !str_starts_c(key, "aws:");
        for (size_t j = 0; j < tags->n && !gone; j++)
            gone = str_eq(tags->v[j].Key, key) &&
                   (tags->v[j].Value.p == NULL || str_eq(tags->v[j].Value, value));
        if (gone)
            list_remove(list, i);
    }
}

EC2_OP_NO_OUT(DeleteTags, DeleteTagsRequest)
{
    TRY(check_ids(&in->Resources));
    for (size_t i = 0; i < in->Tags.n; i++)
        TRY(check_tag(c, in->Tags.v[i].Key, in->Tags.v[i].Value));
    for (size_t i = 0; i < in->Resources.n; i++) {
        enum kind k;
        struct jv *row, *at;
        TRY(tagged_row(c, in->Resources.v[i], &k, &row, &at));
        remove_tags(c, at, &in->Tags);
        TRY(thing_put(c, k, row));
    }
    return NULL;
}

/* -- listed ------------------------------------------------------------------------------------ */

static const struct filter_def tag_filters[] = {
    {"key", "Key"},
    {"value", "Value"},
    {"resource-id", "ResourceId"},
    {"resource-type", "ResourceType"},
    {0},
};

static void collect(struct call *c, struct rows *all, const struct jv *tags, enum kind k,
                    struct str id)
{
    for (size_t i = 0; i < jv_len(tags); i++) {
        struct str key = get_s(jv_at(tags, i), "Key");
        struct jv *d = jv_new_obj(c->arena), *own = jv_new_arr(c->arena);
        set_s(c, d, "Key", key);
        set_s(c, d, "Value", get_s(jv_at(tags, i), "Value"));
        set_s(c, d, "ResourceId", id);
        set_c(c, d, "ResourceType", ec2_kinds[k].type);
        jv_push(c->arena, own, jv_at(tags, i));
        set_v(c, d, "tags", own); /* for tag:KEY */
        set_s(c, d, "at", arena_fmt(c->arena, "%.*s/%.*s", STR_ARG(id), STR_ARG(key)));
        VEC_PUSH(c->arena, all, d);
    }
}

static int by_place(const void *x, const void *y)
{
    return str_cmp(get_s(*(struct jv *const *)x, "at"), get_s(*(struct jv *const *)y, "at"));
}

EC2_OP(DescribeTags, DescribeTagsRequest, DescribeTagsResult)
{
    struct rows all = {0};
    for (enum kind k = K_VPC; k < K_COUNT; k++) {
        struct rows things = {0};
        if (ec2_kinds[k].table == NULL)
            continue;
        TRY(thing_all(c, k, NULL, STR_NONE, &things));
        for (size_t i = 0; i < things.n; i++) {
            collect(c, &all, jv_get(things.v[i], "Tags"), k, thing_id(k, things.v[i]));
            const struct jv *rules = jv_get(things.v[i], "rules");
            for (size_t j = 0; j < jv_len(rules); j++)
                collect(c, &all, jv_get(jv_at(rules, j), "Tags"), K_RULE,
                        get_s(jv_at(rules, j), "SecurityGroupRuleId"));
        }
    }
    if (all.n > 1)
        qsort(all.v, all.n, sizeof *all.v, by_place);
    struct selection s;
    TRY(select_docs(c, tag_filters, &all, &s));
    TRY(answer_list(c, out, "Tags", &s.docs));
    out->NextToken = s.next;
    return NULL;
}
