/* Log groups and how long they keep their events. */
#include "room.h"

struct skey group_key(struct str account, struct str region, struct str name)
{
    struct skey k = skey();
    key_str(&k, account);
    key_str(&k, region);
    key_str(&k, name);
    return k;
}

struct str group_owner(struct arena *a, struct str account, uint64_t id)
{
    return arena_fmt(a, "%.*s/logs/%016llx", STR_ARG(account), (unsigned long long)id);
}

struct str group_arn(struct arena *a, const struct group *g)
{
    return arena_fmt(a, "arn:%s:logs:%.*s:%.*s:log-group:%.*s", IDENTITY_PARTITION,
                     STR_ARG(g->region), STR_ARG(g->account), STR_ARG(g->name));
}

bool group_from_row(struct jv *row, struct group *out)
{
    out->id = (uint64_t)jv_i(jv_get(row, "id"), 0);
    out->created_ms = jv_i(jv_get(row, "created_ms"), 0);
    out->retention = jv_i(jv_get(row, "retention"), 0);
    out->row = row;
    return out->id != 0;
}

int64_t group_oldest_ms(const struct group *g, int64_t now_ms)
{
    return g->retention == 0 ? 0 : now_ms - g->retention * LOGS_DAY_MS;
}

struct err *group_place(struct call *c, struct str name_or_arn, struct group *out)
{
    *out = (struct group){.account = c->account, .region = c->region, .name = name_or_arn};
    if (!str_starts_c(name_or_arn, "arn:"))
        return NULL;
    struct arn arn;
    if (!arn_parse(name_or_arn, &arn) || !str_is(arn.service, "logs") ||
        !str_starts_c(arn.resource, "log-group:"))
        return err_aws(400, "InvalidParameterException", "The ARN is not that of a log group.");
    out->account = arn.account;
    out->region = arn.region;
    out->name = str_skip(arn.resource, 10);
    if (str_ends_c(out->name, ":*"))
        out->name = str_take(out->name, out->name.n - 2);
    return NULL;
}

struct err *group_find(struct call *c, struct str name_or_arn, struct group *out, bool *out_found)
{
    TRY(group_place(c, name_or_arn, out));
    struct skey k = group_key(out->account, out->region, out->name);
    struct jv *row;
    TRY(row_get(c, LOGS_T_GROUP, key_of(&k), &row));
    *out_found = row != NULL && group_from_row(row, out);
    return NULL;
}

struct err *group_need(struct call *c, struct str name_or_arn, struct group *out)
{
    bool found;
    TRY(group_find(c, name_or_arn, out, &found));
    return found ? NULL
                 : err_aws(400, "ResourceNotFoundException",
                           "The specified log group does not exist.");
}

struct err *group_one_of(struct str name, struct str identifier, struct str *out)
{
    if ((name.p != NULL) == (identifier.p != NULL))
        return err_aws(400, "InvalidParameterException",
                       "Give either logGroupName or logGroupIdentifier.");
    *out = name.p != NULL ? name : identifier;
    return NULL;
}

struct err *group_save(struct call *c, const struct group *g)
{
    struct arena *a = c->arena;
    struct jv *r = g->row;
    jv_set(a, r, STR("name"), jv_new_str(a, g->name));
    jv_set(a, r, STR("id"), jv_new_int(a, (int64_t)g->id));
    jv_set(a, r, STR("created_ms"), jv_new_int(a, g->created_ms));
    jv_set(a, r, STR("retention"), jv_new_int(a, g->retention));
    struct skey k = group_key(g->account, g->region, g->name);
    return row_put(c, LOGS_T_GROUP, g->account, key_of(&k), r);
}

OP_HANDLER_NO_OUT(logs, CreateLogGroup, CreateLogGroupRequest)
{
    if (in->kmsKeyId.p != NULL)
        return err_not_implemented(c, "A KMS key of a log group");
    if (in->logGroupClass.p != NULL && !str_is(in->logGroupClass, "STANDARD"))
        return err_not_implemented(c, "A log group class other than STANDARD");
    if (in->deletionProtectionEnabled.v)
        return err_not_implemented(c, "Deletion protection of a log group");
    struct group g;
    bool found;
    TRY(group_find(c, in->logGroupName, &g, &found));
    if (found)
        return err_aws(400, "ResourceAlreadyExistsException",
                       "The specified log group already exists");
    g.id = rand_u64() >> 1;
    g.created_ms = c->now_ms;
    g.row = jv_new_obj(c->arena);
    TRY(logs_set_tags(c, &g, &in->tags));
    return group_save(c, &g);
}

OP_HANDLER_NO_OUT(logs, DeleteLogGroup, DeleteLogGroupRequest)
{
    struct group g;
    TRY(group_need(c, in->logGroupName, &g));
    struct skey k = group_key(g.account, g.region, g.name);
    TRY(txn_del(c->txn, LOGS_T_GROUP, key_of(&k)));
    return logs_purge_later(c, &g, 0);
}

static void describe(struct call *c, const struct group *g, struct logs_LogGroup *out)
{
    out->logGroupName = g->name;
    out->creationTime = some_int(g->created_ms);
    if (g->retention > 0)
        out->retentionInDays = some_int(g->retention);
    out->metricFilterCount = some_int(0);
    out->logGroupArn = group_arn(c->arena, g);
    out->arn = arena_concat(c->arena, out->logGroupArn, STR(":*"));
    out->logGroupClass = STR("STANDARD");
}

OP_HANDLER(logs, DescribeLogGroups, DescribeLogGroupsRequest, DescribeLogGroupsResponse)
{
    if (in->accountIdentifiers.n > 0 || in->includeLinkedAccounts.v ||
        in->logGroupIdentifiers.n > 0)
        return err_not_implemented(c, "DescribeLogGroups across accounts or by identifiers");
    if (in->logGroupNamePrefix.p != NULL && in->logGroupNamePattern.p != NULL)
        return err_aws(400, "InvalidParameterException",
                       "Give either logGroupNamePrefix or logGroupNamePattern.");
    size_t limit = (size_t)(in->limit.set ? in->limit.v : LOGS_PAGE_MAX);
    out->logGroups.v = ARENA_ARRAY(c->arena, limit, struct logs_LogGroup);
    out->logGroups.set = true;
    if (in->logGroupClass.p != NULL && !str_is(in->logGroupClass, "STANDARD"))
        return NULL;
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    key_tail(&prefix, in->logGroupNamePrefix);
    struct str position, last = STR_NONE;
    TRY(page_position(c, in->nextToken, "InvalidParameterException", &position));
    struct scan sc = {.prefix = key_of(&prefix), .from = position, .after = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, LOGS_T_GROUP, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        struct jv *row;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        struct group g = {.account = c->account, .region = c->region,
                          .name = jv_s(jv_get(row, "name"))};
        if (!group_from_row(row, &g) ||
            (in->logGroupNamePattern.n > 0 && str_find(g.name, in->logGroupNamePattern) < 0))
            continue;
        if (out->logGroups.n == limit) {
            out->nextToken = page_token(c, last);
            return NULL;
        }
        last = arena_str(c->arena, key);
        describe(c, &g, &out->logGroups.v[out->logGroups.n++]);
    }
}

/* -- retention --------------------------------------------------------------------------------- */

OP_HANDLER_NO_OUT(logs, PutRetentionPolicy, PutRetentionPolicyRequest)
{
    static const int allowed[] = {1,   3,   5,   7,    14,   30,   60,   90,   120,  150,  180, 365,
                                  400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    bool ok = false;
    for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
        ok |= in->retentionInDays.v == allowed[i];
    if (!ok)
        return err_aws(400, "InvalidParameterException",
                       "retentionInDays must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, "
                       "365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 and 3653.");
    struct group g;
    TRY(group_need(c, in->logGroupName, &g));
    g.retention = in->retentionInDays.v;
    TRY(group_save(c, &g));
    return logs_expire_later(c, &g);
}

OP_HANDLER_NO_OUT(logs, DeleteRetentionPolicy, DeleteRetentionPolicyRequest)
{
    struct group g;
    TRY(group_need(c, in->logGroupName, &g));
    g.retention = 0;
    return group_save(c, &g); /* the job finds nothing to do, and ends */
}
