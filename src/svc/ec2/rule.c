/* Rules of security groups: read from a request, compared, shown in AWS's two forms.
 * https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html
 *
 * A group's row keeps them under "rules", one for each peer, as SecurityGroupRule shows them;
 * IpPermissions, which joins those of the same protocol and ports, is derived. */
#include "rule.h"

static const char *protocol_name(int64_t n)
{
    switch (n) {
    case 1:
        return "icmp";
    case 6:
        return "tcp";
    case 17:
        return "udp";
    case 58:
        return "icmpv6";
    default:
        return NULL;
    }
}

struct jv *rule_row(struct call *c, const struct jv *group, bool egress, struct str protocol,
                    int64_t from, int64_t to)
{
    struct jv *r = jv_new_obj(c->arena);
    struct str id = new_id(c, "sgr-");
    set_s(c, r, "SecurityGroupRuleId", id);
    set_s(c, r, "SecurityGroupRuleArn", ec2_arn(c, K_RULE, id));
    set_s(c, r, "GroupId", thing_id(K_GROUP, group));
    set_s(c, r, "GroupOwnerId", c->account);
    set_b(c, r, "IsEgress", egress);
    set_s(c, r, "IpProtocol", protocol);
    set_i(c, r, "FromPort", from);
    set_i(c, r, "ToPort", to);
    set_v(c, r, "Tags", jv_new_arr(c->arena));
    return r;
}

/* -- from a request ---------------------------------------------------------------------------- */

static struct err *bad_ports(const char *why)
{
    return err_aws(400, "InvalidParameterValue", "Invalid value for portRange. %s", why);
}

/* Protocol and ports in canonical form. */
static struct err *read_ports(struct call *c, const struct ec2_IpPermission *p,
                              struct str *out_protocol, int64_t *from, int64_t *to)
{
    int64_t n;
    if (p->IpProtocol.p == NULL)
        return err_parameter("ipProtocol");
    if (!protocol_number(p->IpProtocol, &n))
        return err_value(p->IpProtocol, "ipProtocol", "Unknown protocol.");
    const char *name = protocol_name(n);
    *out_protocol =
        name != NULL ? str_c(name) : arena_fmt(c->arena, "%lld", (long long)n);
    *from = *to = -1;
    if (name == NULL) /* all ports, whatever was given */
        return NULL;
    if (!p->FromPort.set || !p->ToPort.set) {
        if (n == 6 || n == 17)
            return bad_ports("Must specify both from and to ports with TCP/UDP.");
        *from = p->FromPort.set ? p->FromPort.v : -1;
        return NULL;
    }
    *from = p->FromPort.v;
    *to = p->ToPort.v;
    if (n == 1 || n == 58) {
        if (*from < -1 || *from > 255 || *to < -1 || *to > 255 || (*from == -1 && *to != -1))
            return bad_ports("ICMP type and code must be between -1 and 255.");
        return NULL;
    }
    if (*from < 0 || *to > 65535)
        return bad_ports("Ports must be between 0 and 65535.");
    if (*from > *to)
        return err_aws(400, "InvalidParameterValue", "Invalid %s port range (%lld:%lld)",
                       n == 6 ? "TCP" : "UDP", (long long)*from, (long long)*to);
    return NULL;
}

static struct err *set_description(struct call *c, struct jv *r, struct str text)
{
    if (text.p == NULL)
        return NULL;
    if (text.n > 255)
        return err_value(text, "description", "At most 255 characters are taken.");
    set_s(c, r, "Description", text);
    return NULL;
}

struct reading {
    struct call *c;
    const struct jv *group;
    bool egress;
    struct str protocol;
    int64_t from, to;
    struct rows *out;
};

static struct err *push_block(struct reading *r, struct str text, bool v6, struct str description)
{
    struct cidr block;
    if (v6 ? !cidr_parse6(text, &block) : !cidr_parse4(text, &block))
        return err_aws(400, "InvalidParameterValue", "CIDR block %.*s is malformed",
                       STR_ARG(str_take(text, CIDR_TEXT_MAX)));
    struct jv *row = rule_row(r->c, r->group, r->egress, r->protocol, r->from, r->to);
    set_s(r->c, row, v6 ? "CidrIpv6" : "CidrIpv4", cidr_text(r->c->arena, &block));
    TRY(set_description(r->c, row, description));
    VEC_PUSH(r->c->arena, r->out, row);
    return NULL;
}

static struct err *push_group(struct reading *r, const struct ec2_UserIdGroupPair *pair)
{
    struct jv *peer;
    const struct shape *permission = member_shape(r->c->op->input, "IpPermissions")->elem;
    TRY(only_members(r->c, member_shape(permission, "UserIdGroupPairs")->elem, pair,
                     "Description GroupId UserId VpcId", "a security group's peer"));
    if (pair->GroupId.p == NULL)
        return err_parameter("groupId");
    if (pair->UserId.p != NULL && !str_eq(pair->UserId, r->c->account))
        return err_not_implemented(r->c, "A security group of another account");
    TRY(thing_need(r->c, K_GROUP, pair->GroupId, &peer));
    if (!str_eq(get_s(peer, "VpcId"), get_s(r->group, "VpcId")))
        return err_aws(400, "InvalidGroup.NotFound",
                       "You have specified two resources that belong to different networks.");
    struct jv *row = rule_row(r->c, r->group, r->egress, r->protocol, r->from, r->to);
    struct jv *info = jv_new_obj(r->c->arena);
    set_s(r->c, info, "GroupId", pair->GroupId);
    set_s(r->c, info, "UserId", r->c->account);
    set_v(r->c, row, "ReferencedGroupInfo", info);
    TRY(set_description(r->c, row, pair->Description));
    VEC_PUSH(r->c->arena, r->out, row);
    return NULL;
}

struct err *rules_read(struct call *c, const struct jv *group, bool egress,
                       const struct ec2_IpPermissionList *list, struct rows *out)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct ec2_IpPermission *p = &list->v[i];
        struct reading r = {.c = c, .group = group, .egress = egress, .out = out};
        size_t before = out->n;
        TRY(read_ports(c, p, &r.protocol, &r.from, &r.to));
        if (p->PrefixListIds.n > 0)
            return err_not_implemented(c, "A prefix list in a security group's rule");
        for (size_t j = 0; j < p->IpRanges.n; j++)
            TRY(push_block(&r, p->IpRanges.v[j].CidrIp, false, p->IpRanges.v[j].Description));
        for (size_t j = 0; j < p->Ipv6Ranges.n; j++)
            TRY(push_block(&r, p->Ipv6Ranges.v[j].CidrIpv6, true,
                           p->Ipv6Ranges.v[j].Description));
        for (size_t j = 0; j < p->UserIdGroupPairs.n; j++)
            TRY(push_group(&r, &p->UserIdGroupPairs.v[j]));
        if (out->n == before)
            return err_aws(400, "MissingParameter",
                           "Source group ID or source CIDR block missing.");
    }
    if (out->n == 0)
        return err_parameter("ipPermissions");
    return NULL;
}

/* -- compared ---------------------------------------------------------------------------------- */

static bool same_number(const struct jv *x, const struct jv *y, const char *k)
{
    return jv_i(jv_get(x, k), -1) == jv_i(jv_get(y, k), -1);
}

static bool same_ports(const struct jv *x, const struct jv *y)
{
    return str_eq(get_s(x, "IpProtocol"), get_s(y, "IpProtocol")) &&
           same_number(x, y, "FromPort") && same_number(x, y, "ToPort");
}

static struct str peer_group(const struct jv *r)
{
    return get_s(jv_get(r, "ReferencedGroupInfo"), "GroupId");
}

static bool is_egress(const struct jv *r)
{
    return jv_b(jv_get(r, "IsEgress"), false);
}

static bool same_rule(const struct jv *x, const struct jv *y)
{
    return is_egress(x) == is_egress(y) && same_ports(x, y) &&
           str_eq(get_s(x, "CidrIpv4"), get_s(y, "CidrIpv4")) &&
           str_eq(get_s(x, "CidrIpv6"), get_s(y, "CidrIpv6")) &&
           str_eq(peer_group(x), peer_group(y));
}

ptrdiff_t rule_at(const struct jv *rules, const struct jv *rule)
{
    for (size_t i = 0; i < jv_len(rules); i++)
        if (same_rule(jv_at(rules, i), rule))
            return (ptrdiff_t)i;
    return -1;
}

struct err *rule_duplicate(struct call *c, const struct jv *r)
{
    struct str peer = get_s(r, "CidrIpv4"), protocol = get_s(r, "IpProtocol");
    if (peer.p == NULL)
        peer = get_s(r, "CidrIpv6");
    if (peer.p == NULL)
        peer = peer_group(r);
    char *upper = arena_cstr(c->arena, str_is(protocol, "-1") ? STR("all") : protocol);
    for (char *p = upper; *p != '\0'; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    if (str_is(protocol, "-1"))
        return err_aws(400, "InvalidPermission.Duplicate",
                       "the specified rule \"peer: %.*s, ALL, ALLOW\" already exists",
                       STR_ARG(peer));
    return err_aws(400, "InvalidPermission.Duplicate",
                   "the specified rule \"peer: %.*s, %s, from port: %lld, to port: %lld, ALLOW\" "
                   "already exists", STR_ARG(peer), upper,
                   (long long)jv_i(jv_get(r, "FromPort"), -1),
                   (long long)jv_i(jv_get(r, "ToPort"), -1));
}

/* -- shown ------------------------------------------------------------------------------------- */

static struct jv *permission_for(struct call *c, struct jv *list, const struct jv *rule)
{
    static const char *const lists[] = {"UserIdGroupPairs", "IpRanges", "Ipv6Ranges",
                                        "PrefixListIds"};
    bool all = str_is(get_s(rule, "IpProtocol"), "-1");
    for (size_t i = 0; i < list->arr.n; i++)
        if (same_ports(&list->arr.v[i], rule))
            return &list->arr.v[i];
    struct jv *p = jv_new_obj(c->arena);
    set_s(c, p, "IpProtocol", get_s(rule, "IpProtocol"));
    if (!all) {
        set_i(c, p, "FromPort", jv_i(jv_get(rule, "FromPort"), -1));
        set_i(c, p, "ToPort", jv_i(jv_get(rule, "ToPort"), -1));
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        set_v(c, p, lists[i], jv_new_arr(c->arena));
    jv_push(c->arena, list, p);
    return &list->arr.v[list->arr.n - 1];
}

static void add_peer(struct call *c, struct jv *permission, const struct jv *rule)
{
    struct jv *e = jv_new_obj(c->arena);
    const char *list;
    if (get_s(rule, "CidrIpv4").p != NULL) {
        list = "IpRanges";
        set_s(c, e, "CidrIp", get_s(rule, "CidrIpv4"));
    } else if (get_s(rule, "CidrIpv6").p != NULL) {
        list = "Ipv6Ranges";
        set_s(c, e, "CidrIpv6", get_s(rule, "CidrIpv6"));
    } else {
        list = "UserIdGroupPairs";
        set_s(c, e, "GroupId", peer_group(rule));
        set_s(c, e, "UserId", get_s(jv_get(rule, "ReferencedGroupInfo"), "UserId"));
    }
    set_s(c, e, "Description", get_s(rule, "Description"));
    jv_push(c->arena, list_in(c, permission, list), e);
}

struct err *derive_group(struct call *c, const struct jv *row, struct jv *view)
{
    const struct jv *rules = jv_get(row, "rules");
    struct jv *ways[2] = {jv_new_arr(c->arena), jv_new_arr(c->arena)};
    for (size_t i = 0; i < jv_len(rules); i++) {
        const struct jv *r = jv_at(rules, i);
        add_peer(c, permission_for(c, ways[is_egress(r)], r), r);
    }
    set_v(c, view, "IpPermissions", ways[0]);
    set_v(c, view, "IpPermissionsEgress", ways[1]);
    return NULL;
}

/* -- DescribeSecurityGroupRules ---------------------------------------------------------------- */

static const struct filter_def rule_filters[] = {
    {"group-id", "GroupId"},
    {"security-group-rule-id", "SecurityGroupRuleId"},
    {0},
};

static int by_place(const void *x, const void *y)
{
    return str_cmp(get_s(*(struct jv *const *)x, "at"), get_s(*(struct jv *const *)y, "at"));
}

static struct err *rules_of_all(struct call *c, struct rows *out)
{
    struct rows groups = {0};
    TRY(thing_all(c, K_GROUP, NULL, STR_NONE, &groups));
    for (size_t i = 0; i < groups.n; i++) {
        struct jv *rules = list_in(c, groups.v[i], "rules");
        for (size_t j = 0; j < rules->arr.n; j++) {
            struct jv *r = &rules->arr.v[j];
            set_s(c, r, "at", get_s(r, "SecurityGroupRuleId"));
            VEC_PUSH(c->arena, out, r);
        }
    }
    if (out->n > 1)
        qsort(out->v, out->n, sizeof *out->v, by_place);
    return NULL;
}

EC2_OP(DescribeSecurityGroupRules, DescribeSecurityGroupRulesRequest,
       DescribeSecurityGroupRulesResult)
{
    struct rows all = {0}, some = {0};
    TRY(rules_of_all(c, &all));
    for (size_t i = 0; i < in->SecurityGroupRuleIds.n; i++) {
        size_t before = some.n;
        for (size_t j = 0; j < all.n; j++)
            if (str_eq(get_s(all.v[j], "at"), in->SecurityGroupRuleIds.v[i]))
                VEC_PUSH(c->arena, &some, all.v[j]);
        if (some.n == before)
            return err_missing(K_RULE, in->SecurityGroupRuleIds.v[i]);
    }
    struct selection s;
    TRY(select_docs(c, rule_filters, in->SecurityGroupRuleIds.n > 0 ? &some : &all, &s));
    TRY(answer_list(c, out, "SecurityGroupRules", &s.docs));
    out->NextToken = s.next;
    return NULL;
}
