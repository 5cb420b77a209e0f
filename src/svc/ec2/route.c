/* Route tables: https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html */
#include "room.h"

static struct jv *new_route(struct call *c, const struct cidr *to, const char *origin)
{
    struct jv *r = jv_new_obj(c->arena);
    set_s(c, r, to->v6 ? "DestinationIpv6CidrBlock" : "DestinationCidrBlock",
          cidr_text(c->arena, to));
    set_c(c, r, "Origin", origin);
    set_c(c, r, "State", "active");
    return r;
}

static struct err *new_table(struct call *c, const struct jv *vpc, struct jv **out)
{
    struct cidr block;
    struct jv *row, *routes = jv_new_arr(c->arena);
    CHECK(cidr_parse4(get_s(vpc, "CidrBlock"), &block));
    TRY(thing_new(c, K_ROUTES, &row));
    struct jv *local = new_route(c, &block, "CreateRouteTable");
    set_c(c, local, "GatewayId", "local");
    jv_push(c->arena, routes, local);
    set_s(c, row, "VpcId", thing_id(K_VPC, vpc));
    set_v(c, row, "Associations", jv_new_arr(c->arena));
    set_v(c, row, "PropagatingVgws", jv_new_arr(c->arena));
    set_v(c, row, "Routes", routes);
    *out = row;
    return NULL;
}

/* subnet_id STR_NONE: the VPC's main table. */
static struct err *associate(struct call *c, struct jv *row, struct str subnet_id,
                             struct str *out_id)
{
    struct jv *a = jv_new_obj(c->arena), *state = jv_new_obj(c->arena);
    struct str id = new_id(c, "rtbassoc-");
    set_c(c, state, "State", "associated");
    set_b(c, a, "Main", subnet_id.p == NULL);
    set_s(c, a, "RouteTableAssociationId", id);
    set_s(c, a, "RouteTableId", thing_id(K_ROUTES, row));
    set_s(c, a, "SubnetId", subnet_id);
    set_v(c, a, "AssociationState", state);
    jv_push(c->arena, list_in(c, row, "Associations"), a);
    *out_id = id;
    return assoc_put(c, id, K_ROUTES, thing_id(K_ROUTES, row));
}

struct err *routes_make_main(struct call *c, const struct jv *vpc)
{
    struct jv *row;
    struct str id;
    TRY(new_table(c, vpc, &row));
    TRY(associate(c, row, STR_NONE, &id));
    return thing_put(c, K_ROUTES, row);
}

EC2_OP(CreateRouteTable, CreateRouteTableRequest, CreateRouteTableResult)
{
    struct jv *vpc, *row;
    out->ClientToken = in->ClientToken;
    TRY(token_thing(c, in->ClientToken, K_ROUTES, &row));
    if (row != NULL)
        return answer_thing(c, out, "RouteTable", K_ROUTES, row);
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    TRY(vpc_hold(c, in->VpcId));
    TRY(new_table(c, vpc, &row));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_ROUTES, row));
    set_s(c, row, "token", in->ClientToken);
    TRY(token_put(c, in->ClientToken, thing_id(K_ROUTES, row)));
    TRY(thing_put(c, K_ROUTES, row));
    call_record_resource(c, ec2_arn(c, K_ROUTES, thing_id(K_ROUTES, row)), c->account,
                         "AWS::EC2::RouteTable");
    return answer_thing(c, out, "RouteTable", K_ROUTES, row);
}

EC2_OP_NO_OUT(DeleteRouteTable, DeleteRouteTableRequest)
{
    struct jv *row;
    TRY(thing_need(c, K_ROUTES, in->RouteTableId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    if (jv_len(jv_get(row, "Associations")) > 0)
        return err_dependency("routeTable", in->RouteTableId);
    TRY(token_drop(c, get_s(row, "token")));
    return thing_drop(c, K_ROUTES, row);
}

/* -- routes ------------------------------------------------------------------------------------ */

static struct err *read_destination(struct str v4, struct str v6, struct cidr *out)
{
    if ((v4.p == NULL) == (v6.p == NULL))
        return err_aws(400, v4.p == NULL ? "MissingParameter" : "InvalidParameterCombination",
                       "The request must contain exactly one of destinationCidrBlock and "
                       "destinationIpv6CidrBlock");
    if (v4.p != NULL ? !cidr_parse4(v4, out) : !cidr_parse6(v6, out))
        return err_value(v4.p != NULL ? v4 : v6,
                         v4.p != NULL ? "destinationCidrBlock" : "destinationIpv6CidrBlock",
                         "This is not a valid CIDR block.");
    return NULL;
}

/* The place of the route to exactly this block; -1: there is none. */
static ptrdiff_t route_at(const struct jv *routes, const struct cidr *to)
{
    for (size_t i = 0; i < jv_len(routes); i++) {
        const struct jv *r = jv_at(routes, i);
        struct str text = get_s(r, to->v6 ? "DestinationIpv6CidrBlock" : "DestinationCidrBlock");
        struct cidr x;
        if (text.p != NULL && cidr_parse(text, &x) && cidr_equal(&x, to))
            return (ptrdiff_t)i;
    }
    return -1;
}

static bool is_local(const struct jv *route)
{
    return str_is(get_s(route, "GatewayId"), "local");
}

struct via { /* where a route leads; one of them is given */
    struct str gateway, instance, interface;
};

static struct err *via_gateway(struct call *c, const struct jv *table, struct str id,
                               struct jv *route)
{
    struct jv *g = NULL;
    if (kind_of_id(id) == K_GATEWAY)
        TRY(thing_get(c, K_GATEWAY, id, &g));
    if (g == NULL)
        return err_aws(400, "InvalidGatewayID.NotFound", "The gateway ID '%.*s' does not exist",
                       STR_ARG(str_take(id, EC2_ID_TEXT_MAX)));
    if (!path_has(g, "Attachments.VpcId", get_s(table, "VpcId")))
        return err_aws(400, "InvalidParameterValue",
                       "route table %.*s and network gateway %.*s belong to different networks",
                       STR_ARG(thing_id(K_ROUTES, table)), STR_ARG(id));
    set_s(c, route, "GatewayId", id);
    return NULL;
}

static struct err *via_instance(struct call *c, const struct jv *table, const struct via *via,
                                struct jv *route)
{
    struct rows found = {0};
    struct jv *row = NULL;
    if (via->instance.p != NULL) {
        TRY(thing_need(c, K_INSTANCE, via->instance, &row));
    } else {
        TRY(thing_all(c, K_INSTANCE, "NetworkInterfaces.NetworkInterfaceId", via->interface,
                      &found));
        if (found.n == 0)
            return err_missing(K_INTERFACE, via->interface);
        row = found.v[0];
    }
    const struct jv *eni = jv_at(jv_get(row, "NetworkInterfaces"), 0);
    if (eni == NULL || !str_eq(get_s(row, "VpcId"), get_s(table, "VpcId")))
        return err_aws(400, "InvalidParameterValue",
                       "route table %.*s and interface %.*s belong to different networks",
                       STR_ARG(thing_id(K_ROUTES, table)),
                       STR_ARG(get_s(eni, "NetworkInterfaceId")));
    set_s(c, route, "InstanceId", thing_id(K_INSTANCE, row));
    set_s(c, route, "InstanceOwnerId", c->account);
    set_s(c, route, "NetworkInterfaceId", get_s(eni, "NetworkInterfaceId"));
    if (instance_state(row) != INSTANCE_RUNNING)
        set_c(c, route, "State", "blackhole");
    return NULL;
}

static struct err *set_via(struct call *c, const struct jv *table, const struct via *via,
                           struct jv *route)
{
    int given = (via->gateway.p != NULL) + (via->instance.p != NULL) + (via->interface.p != NULL);
    if (given == 0)
        return err_aws(400, "MissingParameter",
                       "The request must contain exactly one of gatewayId, instanceId or "
                       "networkInterfaceId");
    if (given > 1)
        return err_aws(400, "InvalidParameterCombination",
                       "The request must contain exactly one of gatewayId, instanceId or "
                       "networkInterfaceId");
    return via->gateway.p != NULL ? via_gateway(c, table, via->gateway, route)
                                  : via_instance(c, table, via, route);
}

/* Within the VPC its own route counts, which only an interface may be put before. */
static struct err *check_specific(const struct jv *table, const struct cidr *to,
                                  const struct via *via)
{
    struct cidr local;
    const struct jv *first = jv_at(jv_get(table, "Routes"), 0);
    if (via->gateway.p != NULL && cidr_parse4(get_s(first, "DestinationCidrBlock"), &local) &&
        cidr_contains(&local, to))
        return err_aws(400, "InvalidParameterValue",
                       "The destination CIDR block is equal to or more specific than one of this "
                       "VPC's CIDR blocks. This route can target only an interface or an "
                       "instance.");
    return NULL;
}

EC2_OP(CreateRoute, CreateRouteRequest, CreateRouteResult)
{
    struct cidr to;
    struct jv *row;
    const struct via via = {in->GatewayId, in->InstanceId, in->NetworkInterfaceId};
    TRY(read_destination(in->DestinationCidrBlock, in->DestinationIpv6CidrBlock, &to));
    TRY(thing_need(c, K_ROUTES, in->RouteTableId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    struct str text = cidr_text(c->arena, &to);
    if (route_at(jv_get(row, "Routes"), &to) >= 0)
        return err_aws(400, "RouteAlreadyExists", "The route identified by %.*s already exists.",
                       STR_ARG(text));
    TRY(check_specific(row, &to, &via));
    if (jv_len(jv_get(row, "Routes")) >= EC2_ROUTES_MAX)
        return err_aws(400, "RouteLimitExceeded",
                       "The maximum number of routes has been reached: %d.", EC2_ROUTES_MAX);
    struct jv *route = new_route(c, &to, "CreateRoute");
    TRY(set_via(c, row, &via, route));
    jv_push(c->arena, list_in(c, row, "Routes"), route);
    out->Return = some_bool(true);
    return thing_put(c, K_ROUTES, row);
}

EC2_OP_NO_OUT(ReplaceRoute, ReplaceRouteRequest)
{
    struct cidr to;
    struct jv *row;
    const struct via via = {in->GatewayId, in->InstanceId, in->NetworkInterfaceId};
    TRY(read_destination(in->DestinationCidrBlock, in->DestinationIpv6CidrBlock, &to));
    TRY(thing_need(c, K_ROUTES, in->RouteTableId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    struct jv *routes = list_in(c, row, "Routes");
    ptrdiff_t at = route_at(routes, &to);
    if (at < 0)
        return err_aws(400, "InvalidParameterValue",
                       "There is no route defined for '%.*s' in the route table. Use CreateRoute "
                       "instead.", STR_ARG(cidr_text(c->arena, &to)));
    if (is_local(jv_at(routes, (size_t)at)))
        return err_not_implemented(c, "Replacing the target of a local route");
    TRY(check_specific(row, &to, &via));
    struct jv *route = new_route(c, &to, "CreateRoute");
    TRY(set_via(c, row, &via, route));
    routes->arr.v[at] = *route;
    return thing_put(c, K_ROUTES, row);
}

EC2_OP_NO_OUT(DeleteRoute, DeleteRouteRequest)
{
    struct cidr to;
    struct jv *row;
    TRY(read_destination(in->DestinationCidrBlock, in->DestinationIpv6CidrBlock, &to));
    TRY(thing_need(c, K_ROUTES, in->RouteTableId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    struct jv *routes = list_in(c, row, "Routes");
    ptrdiff_t at = route_at(routes, &to);
    struct str text = cidr_text(c->arena, &to);
    if (at < 0)
        return err_aws(400, "InvalidRoute.NotFound",
                       "no route with destination-cidr-block %.*s in route table %.*s",
                       STR_ARG(text), STR_ARG(in->RouteTableId));
    if (is_local(jv_at(routes, (size_t)at)))
        return err_aws(400, "InvalidParameterValue",
                       "cannot remove local route %.*s in route table %.*s", STR_ARG(text),
                       STR_ARG(in->RouteTableId));
    list_remove(routes, (size_t)at);
    return thing_put(c, K_ROUTES, row);
}

/* Routes of the VPC that lead through this get the state. */
static struct err *set_states(struct call *c, struct str vpc_id, const char *member,
                              struct str id, const char *state)
{
    struct rows tables = {0};
    TRY(thing_all(c, K_ROUTES, "VpcId", vpc_id, &tables));
    for (size_t i = 0; i < tables.n; i++) {
        struct jv *routes = list_in(c, tables.v[i], "Routes");
        bool changed = false;
        for (size_t j = 0; j < routes->arr.n; j++) {
            if (!str_eq(get_s(&routes->arr.v[j], member), id))
                continue;
            set_c(c, &routes->arr.v[j], "State", state);
            changed = true;
        }
        if (changed)
            TRY(thing_put(c, K_ROUTES, tables.v[i]));
    }
    return NULL;
}

struct err *routes_gateway_state(struct call *c, struct str vpc_id, struct str gateway_id,
                                 const char *state)
{
    return set_states(c, vpc_id, "GatewayId", gateway_id, state);
}

struct err *routes_instance_state(struct call *c, struct str vpc_id, struct str instance_id,
                                  const char *state)
{
    return set_states(c, vpc_id, "InstanceId", instance_id, state);
}

/* -- associations ------------------------------------------------------------------------------ */

static struct ec2_RouteTableAssociationState *associated(struct call *c)
{
    struct ec2_RouteTableAssociationState *s =
        ARENA_NEW(c->arena, struct ec2_RouteTableAssociationState);
    s->State = STR("associated");
    return s;
}

static struct err *check_same_vpc(const struct jv *table, const struct jv *subnet)
{
    if (str_eq(get_s(table, "VpcId"), get_s(subnet, "VpcId")))
        return NULL;
    return err_aws(400, "InvalidParameterValue",
                   "Route table %.*s and subnet %.*s belong to different networks",
                   STR_ARG(thing_id(K_ROUTES, table)), STR_ARG(thing_id(K_SUBNET, subnet)));
}

EC2_OP(AssociateRouteTable, AssociateRouteTableRequest, AssociateRouteTableResult)
{
    struct jv *row, *subnet;
    bool has_one;
    if (in->SubnetId.p == NULL)
        return err_parameter("subnetId");
    TRY(thing_need(c, K_ROUTES, in->RouteTableId, &row));
    TRY(thing_need(c, K_SUBNET, in->SubnetId, &subnet));
    TRY(check_same_vpc(row, subnet));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    const struct jv *same = list_find(jv_get(row, "Associations"), "SubnetId", in->SubnetId);
    TRY(thing_any(c, K_ROUTES, "Associations.SubnetId", in->SubnetId, &has_one));
    out->AssociationState = associated(c);
    if (same != NULL) { /* the same again changes nothing */
        out->AssociationId = get_s(same, "RouteTableAssociationId");
        return NULL;
    }
    if (has_one)
        return err_aws(400, "Resource.AlreadyAssociated",
                       "the specified association for route table %.*s conflicts with an existing "
                       "association", STR_ARG(in->RouteTableId));
    TRY(associate(c, row, in->SubnetId, &out->AssociationId));
    return thing_put(c, K_ROUTES, row);
}

/* Takes the association from the row; what it was about is the answer. */
static struct err *take_association(struct call *c, struct jv *row, struct str id,
                                    struct str *out_subnet)
{
    struct jv *list = list_in(c, row, "Associations");
    for (size_t i = 0; i < jv_len(list); i++) {
        if (!str_eq(get_s(jv_at(list, i), "RouteTableAssociationId"), id))
            continue;
        *out_subnet = get_s(jv_at(list, i), "SubnetId");
        list_remove(list, i);
        return assoc_drop(c, id);
    }
    return err_aws(400, "InvalidAssociationID.NotFound", "The association ID '%.*s' does not exist",
                   STR_ARG(id));
}

EC2_OP_NO_OUT(DisassociateRouteTable, DisassociateRouteTableRequest)
{
    struct jv *row;
    struct str subnet;
    TRY(assoc_need(c, in->AssociationId, K_ROUTES, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    TRY(take_association(c, row, in->AssociationId, &subnet));
    if (subnet.p == NULL)
        return err_aws(400, "InvalidParameterValue",
                       "cannot disassociate the main route table association %.*s",
                       STR_ARG(in->AssociationId));
    return thing_put(c, K_ROUTES, row);
}

EC2_OP(ReplaceRouteTableAssociation, ReplaceRouteTableAssociationRequest,
       ReplaceRouteTableAssociationResult)
{
    struct jv *from, *to;
    struct str subnet;
    TRY(assoc_need(c, in->AssociationId, K_ROUTES, &from));
    TRY(thing_need(c, K_ROUTES, in->RouteTableId, &to));
    if (!str_eq(get_s(from, "VpcId"), get_s(to, "VpcId")))
        return err_aws(400, "InvalidParameterValue",
                       "Route table %.*s and the association belong to different networks",
                       STR_ARG(in->RouteTableId));
    TRY(vpc_hold(c, get_s(to, "VpcId")));
    TRY(take_association(c, from, in->AssociationId, &subnet));
    if (str_eq(thing_id(K_ROUTES, from), thing_id(K_ROUTES, to)))
        to = from;
    else
        TRY(thing_put(c, K_ROUTES, from));
    TRY(associate(c, to, subnet, &out->NewAssociationId));
    out->AssociationState = associated(c);
    return thing_put(c, K_ROUTES, to);
}

struct err *routes_forget_subnet(struct call *c, struct str subnet_id)
{
    struct rows found = {0};
    struct str subnet;
    TRY(thing_all(c, K_ROUTES, "Associations.SubnetId", subnet_id, &found));
    for (size_t i = 0; i < found.n; i++) {
        const struct jv *a = list_find(jv_get(found.v[i], "Associations"), "SubnetId", subnet_id);
        TRY(take_association(c, found.v[i], get_s(a, "RouteTableAssociationId"), &subnet));
        TRY(thing_put(c, K_ROUTES, found.v[i]));
    }
    return NULL;
}
