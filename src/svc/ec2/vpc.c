/* VPCs: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html */
#include "room.h"

enum { BLOCK_LARGEST = 16, BLOCK_SMALLEST = 28 }; /* /16 to /28, of VPCs and subnets */

struct err *read_block(struct str text, const char *parameter, struct cidr *out)
{
    if (text.p == NULL)
        return err_parameter(parameter);
    if (!cidr_parse4(text, out))
        return err_value(text, parameter, "This is not a valid CIDR block.");
    return NULL;
}

static struct err *made_with(struct call *c, const struct jv *vpc)
{
    TRY(routes_make_main(c, vpc));
    TRY(acl_make_default(c, vpc));
    return group_make_default(c, vpc);
}

EC2_OP(CreateVpc, CreateVpcRequest, CreateVpcResult)
{
    struct cidr block;
    TRY(read_block(in->CidrBlock, "cidrBlock", &block));
    if (block.bits < BLOCK_LARGEST || block.bits > BLOCK_SMALLEST)
        return err_aws(400, "InvalidVpc.Range", "The CIDR '%.*s' is invalid.",
                       STR_ARG(str_take(in->CidrBlock, CIDR_TEXT_MAX)));
    struct str text = cidr_text(c->arena, &block), dhcp;
    struct jv *vpc;
    TRY(thing_new(c, K_VPC, &vpc));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_VPC, vpc));
    TRY(dhcp_default(c, &dhcp));
    struct jv *state = jv_new_obj(c->arena), *assoc = jv_new_obj(c->arena);
    struct jv *set = jv_new_arr(c->arena);
    set_c(c, state, "State", "associated");
    set_s(c, assoc, "AssociationId", new_id(c, "vpc-cidr-assoc-"));
    set_s(c, assoc, "CidrBlock", text);
    set_v(c, assoc, "CidrBlockState", state);
    jv_push(c->arena, set, assoc);
    set_s(c, vpc, "CidrBlock", text);
    set_v(c, vpc, "CidrBlockAssociationSet", set);
    set_v(c, vpc, "Ipv6CidrBlockAssociationSet", jv_new_arr(c->arena));
    set_s(c, vpc, "DhcpOptionsId", dhcp);
    set_c(c, vpc, "State", "available");
    set_s(c, vpc, "InstanceTenancy",
          in->InstanceTenancy.p != NULL ? in->InstanceTenancy : STR("default"));
    set_b(c, vpc, "IsDefault", false);
    set_b(c, vpc, "dns_support", true);
    set_b(c, vpc, "dns_hostnames", false);
    TRY(vpc_hold(c, thing_id(K_VPC, vpc)));
    TRY(thing_put(c, K_VPC, vpc));
    TRY(made_with(c, vpc));
    call_record_resource(c, ec2_arn(c, K_VPC, thing_id(K_VPC, vpc)), c->account, "AWS::EC2::VPC");
    return answer_thing(c, out, "Vpc", K_VPC, vpc);
}

/* What hinders: everything in it that it was not made with. */
static struct err *vpc_in_use(struct call *c, struct str id, bool *out)
{
    struct rows subnets = {0}, instances = {0}, gateways = {0}, groups = {0}, tables = {0},
                acls = {0};
    TRY(thing_all(c, K_SUBNET, "VpcId", id, &subnets));
    TRY(thing_all(c, K_INSTANCE, "VpcId", id, &instances));
    TRY(thing_all(c, K_GATEWAY, "Attachments.VpcId", id, &gateways));
    TRY(thing_all(c, K_GROUP, "VpcId", id, &groups));
    TRY(thing_all(c, K_ROUTES, "VpcId", id, &tables));
    TRY(thing_all(c, K_ACL, "VpcId", id, &acls));
    *out = subnets.n + instances.n + gateways.n > 0 || groups.n > 1 || tables.n > 1 || acls.n > 1;
    return NULL;
}

static struct err *drop_all(struct call *c, enum kind k, struct str vpc_id)
{
    struct rows all = {0};
    TRY(thing_all(c, k, "VpcId", vpc_id, &all));
    for (size_t i = 0; i < all.n; i++) {
        const struct jv *main_assoc = jv_at(jv_get(all.v[i], "Associations"), 0);
        if (k == K_ROUTES && main_assoc != NULL)
            TRY(assoc_drop(c, get_s(main_assoc, "RouteTableAssociationId")));
        TRY(token_drop(c, get_s(all.v[i], "token")));
        const struct jv *rules = jv_get(all.v[i], "rules");
        for (size_t j = 0; j < jv_len(rules); j++)
            TRY(assoc_drop(c, get_s(jv_at(rules, j), "SecurityGroupRuleId")));
        TRY(thing_drop(c, k, all.v[i]));
    }
    return NULL;
}

EC2_OP_NO_OUT(DeleteVpc, DeleteVpcRequest)
{
    struct jv *vpc;
    bool used;
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    TRY(vpc_hold(c, in->VpcId));
    TRY(vpc_in_use(c, in->VpcId, &used));
    if (used)
        return err_dependency("vpc", in->VpcId);
    TRY(drop_all(c, K_ROUTES, in->VpcId));
    TRY(drop_all(c, K_ACL, in->VpcId));
    TRY(drop_all(c, K_GROUP, in->VpcId));
    return thing_drop(c, K_VPC, vpc);
}

EC2_OP_NO_OUT(ModifyVpcAttribute, ModifyVpcAttributeRequest)
{
    struct jv *vpc;
    int given = (in->EnableDnsSupport != NULL) + (in->EnableDnsHostnames != NULL) +
                (in->EnableNetworkAddressUsageMetrics != NULL);
    if (given == 0)
        return err_aws(400, "MissingParameter", "The request must contain an attribute to change.");
    if (given > 1)
        return err_aws(400, "InvalidParameterCombination",
                       "Fields for multiple attribute types specified");
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    bool support = jv_b(jv_get(vpc, "dns_support"), true);
    bool names = jv_b(jv_get(vpc, "dns_hostnames"), false);
    if (in->EnableDnsSupport != NULL)
        support = in->EnableDnsSupport->Value.v;
    if (in->EnableDnsHostnames != NULL)
        names = in->EnableDnsHostnames->Value.v;
    if (in->EnableDnsHostnames != NULL && names && !support)
        return err_aws(400, "InvalidParameterValue",
                       "DNS hostnames cannot be enabled while DNS support is disabled.");
    set_b(c, vpc, "dns_support", support);
    set_b(c, vpc, "dns_hostnames", names);
    return thing_put(c, K_VPC, vpc);
}

EC2_OP(DescribeVpcAttribute, DescribeVpcAttributeRequest, DescribeVpcAttributeResult)
{
    struct jv *vpc;
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    struct ec2_AttributeBooleanValue *v = ARENA_NEW(c->arena, struct ec2_AttributeBooleanValue);
    out->VpcId = in->VpcId;
    if (str_is(in->Attribute, "enableDnsSupport")) {
        v->Value = some_bool(jv_b(jv_get(vpc, "dns_support"), true));
        out->EnableDnsSupport = v;
    } else if (str_is(in->Attribute, "enableDnsHostnames")) {
        v->Value = some_bool(jv_b(jv_get(vpc, "dns_hostnames"), false));
        out->EnableDnsHostnames = v;
    } else {
        v->Value = some_bool(false); /* no metrics are made */
        out->EnableNetworkAddressUsageMetrics = v;
    }
    return NULL;
}

EC2_OP_NO_OUT(AssociateDhcpOptions, AssociateDhcpOptionsRequest)
{
    struct jv *vpc, *dhcp;
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    if (!str_is(in->DhcpOptionsId, "default")) {
        TRY(thing_need(c, K_DHCP, in->DhcpOptionsId, &dhcp));
        TRY(thing_put(c, K_DHCP, dhcp)); /* so that its deletion meets this */
    }
    set_s(c, vpc, "DhcpOptionsId", in->DhcpOptionsId);
    return thing_put(c, K_VPC, vpc);
}
