/* Internet gateways: https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html */
#include "room.h"

EC2_OP(CreateInternetGateway, CreateInternetGatewayRequest, CreateInternetGatewayResult)
{
    struct jv *row;
    TRY(thing_new(c, K_GATEWAY, &row));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_GATEWAY, row));
    set_v(c, row, "Attachments", jv_new_arr(c->arena));
    TRY(thing_put(c, K_GATEWAY, row));
    call_record_resource(c, ec2_arn(c, K_GATEWAY, thing_id(K_GATEWAY, row)), c->account,
                         "AWS::EC2::InternetGateway");
    return answer_thing(c, out, "InternetGateway", K_GATEWAY, row);
}

/* STR_NONE: the VPC has none. */
struct err *gateway_of_vpc(struct call *c, struct str vpc_id, struct str *out_id)
{
    struct rows found = {0};
    TRY(thing_all(c, K_GATEWAY, "Attachments.VpcId", vpc_id, &found));
    *out_id = found.n > 0 ? thing_id(K_GATEWAY, found.v[0]) : STR_NONE;
    return NULL;
}

EC2_OP_NO_OUT(AttachInternetGateway, AttachInternetGatewayRequest)
{
    struct jv *row, *vpc;
    struct str other;
    TRY(thing_need(c, K_GATEWAY, in->InternetGatewayId, &row));
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    TRY(vpc_hold(c, in->VpcId));
    const struct jv *now = jv_at(jv_get(row, "Attachments"), 0);
    if (now != NULL)
        return err_aws(400, "Resource.AlreadyAssociated",
                       "resource %.*s is already attached to network %.*s",
                       STR_ARG(in->InternetGatewayId), STR_ARG(get_s(now, "VpcId")));
    TRY(gateway_of_vpc(c, in->VpcId, &other));
    if (other.p != NULL)
        return err_aws(400, "InvalidParameterValue",
                       "Network %.*s already has an internet gateway attached",
                       STR_ARG(in->VpcId));
    struct jv *a = jv_new_obj(c->arena);
    set_c(c, a, "State", "available");
    set_s(c, a, "VpcId", in->VpcId);
    jv_push(c->arena, list_in(c, row, "Attachments"), a);
    TRY(thing_put(c, K_GATEWAY, row));
    return routes_gateway_state(c, in->VpcId, in->InternetGatewayId, "active");
}

/* Addresses that the world reaches through the gateway. */
static struct err *has_public(struct call *c, struct str vpc_id, bool *out)
{
    struct rows instances = {0};
    *out = false;
    TRY(thing_all(c, K_INSTANCE, "VpcId", vpc_id, &instances));
    for (size_t i = 0; i < instances.n; i++)
        *out = *out || get_s(instances.v[i], "PublicIpAddress").n > 0;
    return NULL;
}

EC2_OP_NO_OUT(DetachInternetGateway, DetachInternetGatewayRequest)
{
    struct jv *row;
    bool in_use;
    TRY(thing_need(c, K_GATEWAY, in->InternetGatewayId, &row));
    struct jv *list = list_in(c, row, "Attachments");
    if (list_find(list, "VpcId", in->VpcId) == NULL)
        return err_aws(400, "Gateway.NotAttached", "resource %.*s is not attached to network %.*s",
                       STR_ARG(in->InternetGatewayId), STR_ARG(str_take(in->VpcId, 64)));
    TRY(vpc_hold(c, in->VpcId));
    TRY(has_public(c, in->VpcId, &in_use));
    if (in_use)
        return err_aws(400, "DependencyViolation",
                       "Network %.*s has some mapped public address(es). Please unmap those public "
                       "address(es) before detaching the gateway.", STR_ARG(in->VpcId));
    list_remove(list, 0);
    TRY(thing_put(c, K_GATEWAY, row));
    return routes_gateway_state(c, in->VpcId, in->InternetGatewayId, "blackhole");
}

EC2_OP_NO_OUT(DeleteInternetGateway, DeleteInternetGatewayRequest)
{
    struct jv *row;
    TRY(thing_need(c, K_GATEWAY, in->InternetGatewayId, &row));
    if (jv_len(jv_get(row, "Attachments")) > 0)
        return err_dependency("internetGateway", in->InternetGatewayId);
    return thing_drop(c, K_GATEWAY, row);
}
