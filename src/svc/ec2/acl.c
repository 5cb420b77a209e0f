/* Network ACLs: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html */
#include "room.h"

enum { RULE_LEAST = 1, RULE_MOST = 32766, RULE_LAST = 32767 };

static void push_all(struct call *c, struct jv *entries, bool egress, int64_t number,
                     const char *action)
{
    struct jv *e = jv_new_obj(c->arena);
    set_c(c, e, "CidrBlock", "0.0.0.0/0");
    set_b(c, e, "Egress", egress);
    set_c(c, e, "Protocol", "-1");
    set_c(c, e, "RuleAction", action);
    set_i(c, e, "RuleNumber", number);
    jv_push(c->arena, entries, e);
}

static struct err *new_acl(struct call *c, struct str vpc_id, bool is_default, struct jv **out)
{
    struct jv *row, *entries = jv_new_arr(c->arena);
    TRY(thing_new(c, K_ACL, &row));
    for (int egress = 1; egress >= 0; egress--) {
        if (is_default)
            push_all(c, entries, egress, 100, "allow");
        push_all(c, entries, egress, RULE_LAST, "deny");
    }
    set_s(c, row, "VpcId", vpc_id);
    set_b(c, row, "IsDefault", is_default);
    set_v(c, row, "Entries", entries);
    set_v(c, row, "Associations", jv_new_arr(c->arena));
    *out = row;
    return NULL;
}

struct err *acl_make_default(struct call *c, const struct jv *vpc)
{
    struct jv *row;
    TRY(new_acl(c, thing_id(K_VPC, vpc), true, &row));
    return thing_put(c, K_ACL, row);
}

EC2_OP(CreateNetworkAcl, CreateNetworkAclRequest, CreateNetworkAclResult)
{
    struct jv *vpc, *row;
    out->ClientToken = in->ClientToken;
    TRY(token_thing(c, in->ClientToken, K_ACL, &row));
    if (row != NULL)
        return answer_thing(c, out, "NetworkAcl", K_ACL, row);
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    TRY(vpc_hold(c, in->VpcId));
    TRY(new_acl(c, in->VpcId, false, &row));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_ACL, row));
    set_s(c, row, "token", in->ClientToken);
    TRY(token_put(c, in->ClientToken, thing_id(K_ACL, row)));
    TRY(thing_put(c, K_ACL, row));
    call_record_resource(c, ec2_arn(c, K_ACL, thing_id(K_ACL, row)), c->account,
                         "AWS::EC2::NetworkAcl");
    return answer_thing(c, out, "NetworkAcl", K_ACL, row);
}

EC2_OP_NO_OUT(DeleteNetworkAcl, DeleteNetworkAclRequest)
{
    struct jv *row;
    TRY(thing_need(c, K_ACL, in->NetworkAclId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    if (jv_b(jv_get(row, "IsDefault"), false))
        return err_aws(400, "InvalidParameterValue", "cannot delete default network ACL %.*s",
                       STR_ARG(in->NetworkAclId));
    if (jv_len(jv_get(row, "Associations")) > 0)
        return err_dependency("networkAcl", in->NetworkAclId);
    TRY(token_drop(c, get_s(row, "token")));
    return thing_drop(c, K_ACL, row);
}

/* -- entries ----------------------------------------------------------------------------------- */

bool protocol_number(struct str text, int64_t *out)
{
    static const struct {
        const char *name;
        int64_t number;
    } names[] = {{"all", -1}, {"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"icmpv6", 58}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_is_i(text, names[i].name)) {
            *out = names[i].number;
            return true;
        }
    }
    return str_to_i64(text, -1, 255, out);
}

static struct err *check_ports(int64_t protocol, const struct ec2_PortRange *ports,
                               const struct ec2_IcmpTypeCode *icmp)
{
    if (protocol == 6 || protocol == 17) {
        if (ports == NULL || !ports->From.set || !ports->To.set)
            return err_aws(400, "InvalidParameterValue",
                           "The parameter PortRange must be specified for protocols TCP and UDP.");
        if (ports->From.v < 0 || ports->To.v > 65535 || ports->From.v > ports->To.v)
            return err_aws(400, "InvalidParameterValue", "Invalid TCP/UDP port range (%lld:%lld)",
                           (long long)ports->From.v, (long long)ports->To.v);
    }
    if (protocol == 1 || protocol == 58) {
        if (icmp == NULL || !icmp->Type.set || !icmp->Code.set)
            return err_aws(400, "InvalidParameterValue",
                           "The parameter IcmpTypeCode must be specified for protocol ICMP.");
        if (icmp->Type.v < -1 || icmp->Type.v > 255 || icmp->Code.v < -1 || icmp->Code.v > 255)
            return err_aws(400, "InvalidParameterValue", "Invalid ICMP type and code (%lld:%lld)",
                           (long long)icmp->Type.v, (long long)icmp->Code.v);
    }
    return NULL;
}

/* Create and Replace have the same members. */
static struct err *read_entry(struct call *c, const struct ec2_CreateNetworkAclEntryRequest *in,
                              struct jv **out)
{
    struct cidr block;
    int64_t protocol;
    struct jv *e = jv_new_obj(c->arena);
    if (in->RuleNumber.v < RULE_LEAST || in->RuleNumber.v > RULE_MOST)
        return err_aws(400, "InvalidParameterValue",
                       "Value (%lld) for parameter ruleNumber is invalid. Must be between %d and "
                       "%d.", (long long)in->RuleNumber.v, RULE_LEAST, RULE_MOST);
    if (!protocol_number(in->Protocol, &protocol))
        return err_value(in->Protocol, "protocol", "Unknown protocol.");
    if ((in->CidrBlock.p == NULL) == (in->Ipv6CidrBlock.p == NULL))
        return err_aws(400, in->CidrBlock.p == NULL ? "MissingParameter"
                                                    : "InvalidParameterCombination",
                       "The request must contain exactly one of cidrBlock and ipv6CidrBlock");
    if (in->CidrBlock.p != NULL ? !cidr_parse4(in->CidrBlock, &block)
                                : !cidr_parse6(in->Ipv6CidrBlock, &block))
        return err_value(in->CidrBlock.p != NULL ? in->CidrBlock : in->Ipv6CidrBlock, "cidrBlock",
                         "This is not a valid CIDR block.");
    TRY(check_ports(protocol, in->PortRange, in->IcmpTypeCode));
    set_s(c, e, block.v6 ? "Ipv6CidrBlock" : "CidrBlock", cidr_text(c->arena, &block));
    set_b(c, e, "Egress", in->Egress.v);
    set_s(c, e, "Protocol", arena_fmt(c->arena, "%lld", (long long)protocol));
    set_s(c, e, "RuleAction", in->RuleAction);
    set_i(c, e, "RuleNumber", in->RuleNumber.v);
    if (protocol == 6 || protocol == 17) {
        struct jv *p = jv_new_obj(c->arena);
        set_i(c, p, "From", in->PortRange->From.v);
        set_i(c, p, "To", in->PortRange->To.v);
        set_v(c, e, "PortRange", p);
    }
    if (protocol == 1 || protocol == 58) {
        struct jv *p = jv_new_obj(c->arena);
        set_i(c, p, "Code", in->IcmpTypeCode->Code.v);
        set_i(c, p, "Type", in->IcmpTypeCode->Type.v);
        set_v(c, e, "IcmpTypeCode", p);
    }
    *out = e;
    return NULL;
}

static ptrdiff_t entry_at(const struct jv *entries, bool egress, int64_t number)
{
    for (size_t i = 0; i < jv_len(entries); i++)
        if (jv_b(jv_get(jv_at(entries, i), "Egress"), false) == egress &&
            jv_i(jv_get(jv_at(entries, i), "RuleNumber"), 0) == number)
            return (ptrdiff_t)i;
    return -1;
}

static size_t entries_of(const struct jv *entries, bool egress)
{
    size_t n = 0;
    for (size_t i = 0; i < jv_len(entries); i++)
        n += jv_b(jv_get(jv_at(entries, i), "Egress"), false) == egress;
    return n;
}

/* AWS lists them by direction and number. */
static void insert_entry(struct call *c, struct jv *entries, const struct jv *e)
{
    bool egress = jv_b(jv_get(e, "Egress"), false);
    int64_t number = jv_i(jv_get(e, "RuleNumber"), 0);
    size_t at = 0;
    for (; at < jv_len(entries); at++) {
        bool x = jv_b(jv_get(jv_at(entries, at), "Egress"), false);
        if ((egress && !x) ||
            (x == egress && jv_i(jv_get(jv_at(entries, at), "RuleNumber"), 0) > number))
            break;
    }
    jv_push(c->arena, entries, e);
    memmove(&entries->arr.v[at + 1], &entries->arr.v[at],
            (entries->arr.n - 1 - at) * sizeof *entries->arr.v);
    entries->arr.v[at] = *e;
}

EC2_OP_NO_OUT(CreateNetworkAclEntry, CreateNetworkAclEntryRequest)
{
    struct jv *row, *e;
    TRY(read_entry(c, in, &e));
    TRY(thing_need(c, K_ACL, in->NetworkAclId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    struct jv *entries = list_in(c, row, "Entries");
    if (entry_at(entries, in->Egress.v, in->RuleNumber.v) >= 0)
        return err_aws(400, "NetworkAclEntryAlreadyExists",
                       "The network acl entry identified by %lld already exists.",
                       (long long)in->RuleNumber.v);
    if (entries_of(entries, in->Egress.v) > EC2_ACL_ENTRIES_MAX)
        return err_aws(400, "NetworkAclEntryLimitExceeded",
                       "The maximum number of network acl entries has been reached: %d.",
                       EC2_ACL_ENTRIES_MAX);
    insert_entry(c, entries, e);
    return thing_put(c, K_ACL, row);
}

static struct err *no_entry(int64_t number, struct str acl_id)
{
    return err_aws(400, "InvalidNetworkAclEntry.NotFound",
                   "The network acl entry with rule number %lld does not exist in network acl %.*s",
                   (long long)number, STR_ARG(acl_id));
}

EC2_OP_NO_OUT(ReplaceNetworkAclEntry, ReplaceNetworkAclEntryRequest)
{
    const struct ec2_CreateNetworkAclEntryRequest same = {
        .RuleNumber = in->RuleNumber,
        .Protocol = in->Protocol,
        .RuleAction = in->RuleAction,
        .Egress = in->Egress,
        .CidrBlock = in->CidrBlock,
        .Ipv6CidrBlock = in->Ipv6CidrBlock,
        .IcmpTypeCode = in->IcmpTypeCode,
        .PortRange = in->PortRange,
    };
    struct jv *row, *e;
    TRY(read_entry(c, &same, &e));
    TRY(thing_need(c, K_ACL, in->NetworkAclId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    struct jv *entries = list_in(c, row, "Entries");
    ptrdiff_t at = entry_at(entries, in->Egress.v, in->RuleNumber.v);
    if (at < 0)
        return no_entry(in->RuleNumber.v, in->NetworkAclId);
    entries->arr.v[at] = *e;
    return thing_put(c, K_ACL, row);
}

EC2_OP_NO_OUT(DeleteNetworkAclEntry, DeleteNetworkAclEntryRequest)
{
    struct jv *row;
    TRY(thing_need(c, K_ACL, in->NetworkAclId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    struct jv *entries = list_in(c, row, "Entries");
    ptrdiff_t at = entry_at(entries, in->Egress.v, in->RuleNumber.v);
    if (in->RuleNumber.v == RULE_LAST)
        return err_aws(400, "InvalidParameterValue", "The last rule cannot be deleted.");
    if (at < 0)
        return no_entry(in->RuleNumber.v, in->NetworkAclId);
    list_remove(entries, (size_t)at);
    return thing_put(c, K_ACL, row);
}

/* -- associations: a subnet always has exactly one --------------------------------------------- */

static struct err *associate(struct call *c, struct jv *row, struct str subnet_id,
                             struct str *out_id)
{
    struct jv *a = jv_new_obj(c->arena);
    *out_id = new_id(c, "aclassoc-");
    set_s(c, a, "NetworkAclAssociationId", *out_id);
    set_s(c, a, "NetworkAclId", thing_id(K_ACL, row));
    set_s(c, a, "SubnetId", subnet_id);
    jv_push(c->arena, list_in(c, row, "Associations"), a);
    return assoc_put(c, *out_id, K_ACL, thing_id(K_ACL, row));
}

static struct err *take_association(struct call *c, struct jv *row, const char *member,
                                    struct str value, struct str *out_subnet)
{
    struct jv *list = list_in(c, row, "Associations");
    for (size_t i = 0; i < jv_len(list); i++) {
        if (!str_eq(get_s(jv_at(list, i), member), value))
            continue;
        struct str id = get_s(jv_at(list, i), "NetworkAclAssociationId");
        *out_subnet = get_s(jv_at(list, i), "SubnetId");
        list_remove(list, i);
        return assoc_drop(c, id);
    }
    return err_aws(400, "InvalidAssociationID.NotFound", "The association ID '%.*s' does not exist",
                   STR_ARG(value));
}

struct err *acl_associate_default(struct call *c, struct str vpc_id, struct str subnet_id)
{
    struct rows acls = {0};
    struct str id;
    TRY(thing_all(c, K_ACL, "VpcId", vpc_id, &acls));
    for (size_t i = 0; i < acls.n; i++) {
        if (!jv_b(jv_get(acls.v[i], "IsDefault"), false))
            continue;
        TRY(associate(c, acls.v[i], subnet_id, &id));
        return thing_put(c, K_ACL, acls.v[i]);
    }
    return err_new(ERR_INTERNAL, "The VPC has no default network ACL.");
}

struct err *acl_forget_subnet(struct call *c, struct str subnet_id)
{
    struct rows found = {0};
    struct str subnet;
    TRY(thing_all(c, K_ACL, "Associations.SubnetId", subnet_id, &found));
    for (size_t i = 0; i < found.n; i++) {
        TRY(take_association(c, found.v[i], "SubnetId", subnet_id, &subnet));
        TRY(thing_put(c, K_ACL, found.v[i]));
    }
    return NULL;
}

EC2_OP(ReplaceNetworkAclAssociation, ReplaceNetworkAclAssociationRequest,
       ReplaceNetworkAclAssociationResult)
{
    struct jv *from, *to;
    struct str subnet;
    TRY(assoc_need(c, in->AssociationId, K_ACL, &from));
    TRY(thing_need(c, K_ACL, in->NetworkAclId, &to));
    if (!str_eq(get_s(from, "VpcId"), get_s(to, "VpcId")))
        return err_aws(400, "InvalidParameterValue",
                       "Network ACL %.*s and the association belong to different networks",
                       STR_ARG(in->NetworkAclId));
    TRY(vpc_hold(c, get_s(to, "VpcId")));
    TRY(take_association(c, from, "NetworkAclAssociationId", in->AssociationId, &subnet));
    if (str_eq(thing_id(K_ACL, from), thing_id(K_ACL, to)))
        to = from;
    else
        TRY(thing_put(c, K_ACL, from));
    TRY(associate(c, to, subnet, &out->NewAssociationId));
    return thing_put(c, K_ACL, to);
}
