/* Security groups: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html */
#include "rule.h"

enum { NAME_MAX_CHARS = 255 };

/* Puts rules into a group's row, which is not yet written. */
static struct err *add_rules(struct call *c, struct jv *group, const struct rows *rules)
{
    struct jv *list = list_in(c, group, "rules");
    for (size_t i = 0; i < rules->n; i++) {
        bool egress = jv_b(jv_get(rules->v[i], "IsEgress"), false);
        size_t n = 0;
        if (rule_at(list, rules->v[i]) >= 0)
            return rule_duplicate(c, rules->v[i]);
        for (size_t j = 0; j < jv_len(list); j++)
            n += jv_b(jv_get(jv_at(list, j), "IsEgress"), false) == egress;
        if (n >= EC2_RULES_MAX)
            return err_aws(400, "RulesPerSecurityGroupLimitExceeded",
                           "The maximum number of rules per security group has been reached.");
        jv_push(c->arena, list, rules->v[i]);
        TRY(assoc_put(c, get_s(rules->v[i], "SecurityGroupRuleId"), K_GROUP,
                      thing_id(K_GROUP, group)));
    }
    return NULL;
}

static struct err *new_group(struct call *c, struct str vpc_id, struct str name,
                             struct str description, struct jv **out)
{
    struct jv *row;
    struct rows all = {0};
    TRY(thing_new(c, K_GROUP, &row));
    set_s(c, row, "SecurityGroupArn", ec2_arn(c, K_GROUP, thing_id(K_GROUP, row)));
    set_s(c, row, "VpcId", vpc_id);
    set_s(c, row, "GroupName", name);
    set_s(c, row, "Description", description);
    struct jv *rule = rule_row(c, row, true, STR("-1"), -1, -1);
    set_c(c, rule, "CidrIpv4", "0.0.0.0/0");
    VEC_PUSH(c->arena, &all, rule);
    TRY(add_rules(c, row, &all));
    *out = row;
    return NULL;
}

struct err *group_make_default(struct call *c, const struct jv *vpc)
{
    struct jv *row;
    struct rows all = {0};
    TRY(new_group(c, thing_id(K_VPC, vpc), STR("default"), STR("default VPC security group"),
                  &row));
    struct jv *rule = rule_row(c, row, false, STR("-1"), -1, -1), *info = jv_new_obj(c->arena);
    set_s(c, info, "GroupId", thing_id(K_GROUP, row));
    set_s(c, info, "UserId", c->account);
    set_v(c, rule, "ReferencedGroupInfo", info);
    VEC_PUSH(c->arena, &all, rule);
    TRY(add_rules(c, row, &all));
    return thing_put(c, K_GROUP, row);
}

static struct err *check_text(struct str s, const char *parameter)
{
    if (s.n == 0)
        return err_parameter(parameter);
    if (s.n > NAME_MAX_CHARS)
        return err_value(s, parameter, "Character limit: 255");
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' ||
            strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                   " ._-:/()#,@[]+=&;{}!$*", s.p[i]) == NULL)
            return err_value(s, parameter, "Character sets beyond ASCII are not supported.");
    return NULL;
}

EC2_OP(CreateSecurityGroup, CreateSecurityGroupRequest, CreateSecurityGroupResult)
{
    struct jv *vpc, *row;
    struct rows groups = {0};
    TRY(check_text(in->GroupName, "groupName"));
    TRY(check_text(in->Description, "groupDescription"));
    if (str_starts_c(in->GroupName, "sg-"))
        return err_value(in->GroupName, "groupName",
                         "Group names may not be in the format 'sg-*'.");
    if (str_is_i(in->GroupName, "default"))
        return err_aws(400, "InvalidParameterValue",
                       "Cannot use reserved security group name: default");
    if (in->VpcId.p == NULL)
        return err_aws(400, "VPCIdNotSpecified", "No default VPC for this user");
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    TRY(vpc_hold(c, in->VpcId));
    TRY(thing_all(c, K_GROUP, "VpcId", in->VpcId, &groups));
    for (size_t i = 0; i < groups.n; i++)
        if (str_eq(get_s(groups.v[i], "GroupName"), in->GroupName))
            return err_aws(400, "InvalidGroup.Duplicate",
                           "The security group '%.*s' already exists for VPC '%.*s'",
                           STR_ARG(in->GroupName), STR_ARG(in->VpcId));
    TRY(new_group(c, in->VpcId, in->GroupName, in->Description, &row));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_GROUP, row));
    TRY(thing_put(c, K_GROUP, row));
    out->GroupId = thing_id(K_GROUP, row);
    out->SecurityGroupArn = get_s(row, "SecurityGroupArn");
    call_record_resource(c, out->SecurityGroupArn, c->account, "AWS::EC2::SecurityGroup");
    const struct jv *tags = jv_get(row, "Tags");
    out->Tags.v = ARENA_ARRAY(c->arena, jv_len(tags) + 1, struct ec2_Tag);
    out->Tags.n = jv_len(tags);
    out->Tags.set = true;
    for (size_t i = 0; i < jv_len(tags); i++)
        out->Tags.v[i] = (struct ec2_Tag){.Key = get_s(jv_at(tags, i), "Key"),
                                          .Value = get_s(jv_at(tags, i), "Value")};
    return NULL;
}

/* Whether an instance, or a rule of another group, names it. */
static struct err *in_use(struct call *c, const struct jv *group, bool *out)
{
    struct rows groups = {0}, instances = {0};
    struct str id = thing_id(K_GROUP, group), vpc = get_s(group, "VpcId");
    TRY(thing_all(c, K_INSTANCE, "VpcId", vpc, &instances));
    TRY(thing_all(c, K_GROUP, "VpcId", vpc, &groups));
    *out = false;
    for (size_t i = 0; i < instances.n; i++)
        *out = *out || path_has(instances.v[i], "SecurityGroups.GroupId", id);
    for (size_t i = 0; i < groups.n; i++)
        *out = *out || (!str_eq(thing_id(K_GROUP, groups.v[i]), id) &&
                        path_has(groups.v[i], "rules.ReferencedGroupInfo.GroupId", id));
    return NULL;
}

EC2_OP(DeleteSecurityGroup, DeleteSecurityGroupRequest, DeleteSecurityGroupResult)
{
    struct jv *row;
    bool used;
    if (in->GroupId.p == NULL)
        return err_parameter("groupId");
    TRY(thing_need(c, K_GROUP, in->GroupId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    if (str_is(get_s(row, "GroupName"), "default"))
        return err_aws(400, "CannotDelete",
                       "the specified group: \"%.*s\" name: \"default\" cannot be deleted by a "
                       "user", STR_ARG(in->GroupId));
    TRY(in_use(c, row, &used));
    if (used)
        return err_aws(400, "DependencyViolation", "resource %.*s has a dependent object",
                       STR_ARG(in->GroupId));
    const struct jv *rules = jv_get(row, "rules");
    for (size_t i = 0; i < jv_len(rules); i++)
        TRY(assoc_drop(c, get_s(jv_at(rules, i), "SecurityGroupRuleId")));
    out->Return = some_bool(true);
    out->GroupId = in->GroupId;
    return thing_drop(c, K_GROUP, row);
}

/* -- rules come and go ------------------------------------------------------------------------- */

/* The members that the four calls share; the old form gives one permission without a list. */
struct change {
    struct str group_id, cidr, protocol;
    struct opt_int from, to;
    const struct ec2_IpPermissionList *list;
    bool egress;
};

#define CHANGE(way)                                                                                \
    {                                                                                              \
        .group_id = in->GroupId, .cidr = in->CidrIp, .protocol = in->IpProtocol,                   \
        .from = in->FromPort, .to = in->ToPort, .list = &in->IpPermissions, .egress = (way)        \
    }

static struct err *read_change(struct call *c, const struct change *x, const struct jv *group,
                               struct rows *out)
{
    if (x->list->n > 0)
        return rules_read(c, group, x->egress, x->list, out);
    if (x->protocol.p == NULL && x->cidr.p == NULL)
        return err_parameter("ipPermissions");
    if (x->cidr.p == NULL)
        return err_parameter("cidrIp");
    struct ec2_IpRange *range = ARENA_NEW(c->arena, struct ec2_IpRange);
    struct ec2_IpPermission *p = ARENA_NEW(c->arena, struct ec2_IpPermission);
    range->CidrIp = x->cidr;
    p->IpProtocol = x->protocol;
    p->FromPort = x->from;
    p->ToPort = x->to;
    p->IpRanges.v = range;
    p->IpRanges.n = 1;
    p->IpRanges.set = true;
    struct ec2_IpPermissionList one = {.n = 1, .v = p, .set = true};
    return rules_read(c, group, x->egress, &one, out);
}

static struct err *group_held(struct call *c, struct str id, struct jv **out)
{
    if (id.p == NULL)
        return err_parameter("groupId");
    TRY(thing_need(c, K_GROUP, id, out));
    return vpc_hold(c, get_s(*out, "VpcId"));
}

static struct err *authorize(struct call *c, const struct change *x,
                             const struct ec2_TagSpecificationList *specs, void *out)
{
    struct jv *group;
    struct rows rules = {0};
    TRY(group_held(c, x->group_id, &group));
    TRY(read_change(c, x, group, &rules));
    for (size_t i = 0; i < rules.n; i++)
        TRY(tags_at_creation(c, specs, K_RULE, rules.v[i]));
    TRY(add_rules(c, group, &rules));
    TRY(thing_put(c, K_GROUP, group));
    return answer_list(c, out, "SecurityGroupRules", &rules);
}

EC2_OP(AuthorizeSecurityGroupIngress, AuthorizeSecurityGroupIngressRequest,
       AuthorizeSecurityGroupIngressResult)
{
    const struct change x = CHANGE(false);
    out->Return = some_bool(true);
    return authorize(c, &x, &in->TagSpecifications, out);
}

EC2_OP(AuthorizeSecurityGroupEgress, AuthorizeSecurityGroupEgressRequest,
       AuthorizeSecurityGroupEgressResult)
{
    const struct change x = CHANGE(true);
    out->Return = some_bool(true);
    return authorize(c, &x, &in->TagSpecifications, out);
}

static struct jv *revoked(struct call *c, const struct jv *rule)
{
    static const char *const same[] = {"SecurityGroupRuleId", "GroupId", "IpProtocol", "CidrIpv4",
                                       "CidrIpv6", "Description"};
    struct jv *d = jv_new_obj(c->arena);
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        set_s(c, d, same[i], get_s(rule, same[i]));
    set_b(c, d, "IsEgress", jv_b(jv_get(rule, "IsEgress"), false));
    set_i(c, d, "FromPort", jv_i(jv_get(rule, "FromPort"), -1));
    set_i(c, d, "ToPort", jv_i(jv_get(rule, "ToPort"), -1));
    set_s(c, d, "ReferencedGroupId", get_s(jv_get(rule, "ReferencedGroupInfo"), "GroupId"));
    return d;
}

static struct err *drop_rule(struct call *c, struct jv *list, size_t at, struct rows *gone)
{
    VEC_PUSH(c->arena, gone, revoked(c, jv_at(list, at)));
    TRY(assoc_drop(c, get_s(jv_at(list, at), "SecurityGroupRuleId")));
    list_remove(list, at);
    return NULL;
}

static struct err *revoke_ids(struct call *c, struct jv *list, bool egress,
                              const struct ec2_SecurityGroupRuleIdList *ids, struct rows *gone)
{
    for (size_t i = 0; i < ids->n; i++) {
        size_t at = 0;
        while (at < jv_len(list) &&
               (!str_eq(get_s(jv_at(list, at), "SecurityGroupRuleId"), ids->v[i]) ||
                jv_b(jv_get(jv_at(list, at), "IsEgress"), false) != egress))
            at++;
        if (at == jv_len(list))
            return err_missing(K_RULE, ids->v[i]);
        TRY(drop_rule(c, list, at, gone));
    }
    return NULL;
}

static struct err *revoke(struct call *c, const struct change *x,
                          const struct ec2_SecurityGroupRuleIdList *ids, void *out)
{
    struct jv *group;
    struct rows rules = {0}, gone = {0};
    TRY(group_held(c, x->group_id, &group));
    struct jv *list = list_in(c, group, "rules");
    if (ids->n > 0)
        TRY(revoke_ids(c, list, x->egress, ids, &gone));
    if (ids->n == 0 || x->list->n > 0 || x->cidr.p != NULL)
        TRY(read_change(c, x, group, &rules));
    for (size_t i = 0; i < rules.n; i++) {
        ptrdiff_t at = rule_at(list, rules.v[i]);
        if (at < 0)
            return err_aws(400, "InvalidPermission.NotFound",
                           "The specified rule does not exist in this security group.");
        TRY(drop_rule(c, list, (size_t)at, &gone));
    }
    TRY(thing_put(c, K_GROUP, group));
    return answer_list(c, out, "RevokedSecurityGroupRules", &gone);
}

EC2_OP(RevokeSecurityGroupIngress, RevokeSecurityGroupIngressRequest,
       RevokeSecurityGroupIngressResult)
{
    const struct change x = CHANGE(false);
    out->Return = some_bool(true);
    return revoke(c, &x, &in->SecurityGroupRuleIds, out);
}

EC2_OP(RevokeSecurityGroupEgress, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResult)
{
    const struct change x = CHANGE(true);
    out->Return = some_bool(true);
    return revoke(c, &x, &in->SecurityGroupRuleIds, out);
}
