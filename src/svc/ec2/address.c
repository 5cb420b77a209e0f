/* Public addresses: elastic ones, and those that an instance is lent while it runs.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html
 *
 * They are taken from 198.18.0.0/15, which RFC 2544 keeps for benchmarks: no host on the Internet
 * has one of them, so a mistaken packet reaches nobody. */
#include "instance.h"

#include "crypto/crypto.h"

#define T_PUBLIC "ec2.public"

enum { POOL_TRIES = 64 };
static const uint32_t pool_first = (uint32_t)198 << 24 | (uint32_t)18 << 16;
static const uint32_t pool_size = (uint32_t)1 << 17;

static struct skey public_key(uint32_t ip)
{
    struct skey k = skey();
    key_u32(&k, ip);
    return k;
}

struct err *public_take(struct call *c, struct str *out_ip)
{
    for (int i = 0; i < POOL_TRIES; i++) {
        uint32_t ip = pool_first + (uint32_t)(rand_u64() % pool_size);
        struct skey at = public_key(ip);
        struct str v;
        if ((ip & 255) == 0 || (ip & 255) == 255)
            continue;
        TRY(txn_get(c->txn, T_PUBLIC, key_of(&at), c->arena, &v));
        if (v.p != NULL)
            continue;
        *out_ip = ip4_text(c->arena, ip);
        return txn_put(c->txn, T_PUBLIC, c->account, key_of(&at), c->account);
    }
    return err_aws(400, "InsufficientAddressCapacity", "Not enough addresses available.");
}

struct err *public_give(struct call *c, struct str text)
{
    uint32_t ip;
    if (!ip4_parse(text, &ip))
        return NULL;
    struct skey at = public_key(ip);
    return txn_del(c->txn, T_PUBLIC, key_of(&at));
}

void instance_set_public(struct call *c, struct jv *instance, struct str ip, struct str ip_owner)
{
    struct jv *eni = NULL, *a = jv_new_obj(c->arena);
    struct jv *list = list_in(c, instance, "NetworkInterfaces");
    if (list->arr.n > 0)
        eni = &list->arr.v[0];
    set_s(c, a, "PublicIp", ip);
    set_s(c, a, "IpOwnerId", ip_owner);
    set_c(c, a, "PublicDnsName", "");
    if (eni != NULL) {
        struct jv *ips = list_in(c, eni, "PrivateIpAddresses");
        for (size_t i = 0; i < ips->arr.n; i++) {
            unset(&ips->arr.v[i], "Association");
            if (ip.p != NULL)
                set_v(c, &ips->arr.v[i], "Association", a);
        }
        unset(eni, "Association");
        if (ip.p != NULL)
            set_v(c, eni, "Association", a);
    }
    set_s(c, instance, "PublicIpAddress", ip);
}

/* -- elastic addresses ------------------------------------------------------------------------- */

EC2_OP(AllocateAddress, AllocateAddressRequest, AllocateAddressResult)
{
    struct jv *row;
    struct str ip;
    if (str_is(in->Domain, "standard"))
        return err_value(in->Domain, "domain", "Only addresses for VPCs can be allocated.");
    if (in->NetworkBorderGroup.p != NULL && !str_eq(in->NetworkBorderGroup, c->region))
        return err_value(in->NetworkBorderGroup, "networkBorderGroup", "");
    TRY(thing_new(c, K_ADDRESS, &row));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_ADDRESS, row));
    TRY(public_take(c, &ip));
    set_s(c, row, "PublicIp", ip);
    set_c(c, row, "Domain", "vpc");
    set_c(c, row, "PublicIpv4Pool", "amazon");
    set_s(c, row, "NetworkBorderGroup", c->region);
    TRY(thing_put(c, K_ADDRESS, row));
    out->AllocationId = thing_id(K_ADDRESS, row);
    out->PublicIp = ip;
    out->Domain = STR("vpc");
    out->PublicIpv4Pool = STR("amazon");
    out->NetworkBorderGroup = c->region;
    call_record_resource(c, ec2_arn(c, K_ADDRESS, out->AllocationId), c->account, "AWS::EC2::EIP");
    return NULL;
}

static struct err *no_address(struct str ip)
{
    return err_aws(400, "InvalidAddress.NotFound", "Address '%.*s' not found.",
                   STR_ARG(str_take(ip, EC2_ID_TEXT_MAX)));
}

/* By allocation id or, failing that, by the address itself. */
static struct err *find_address(struct call *c, struct str id, struct str ip, struct jv **out)
{
    struct rows found = {0};
    if (id.p != NULL)
        return thing_need(c, K_ADDRESS, id, out);
    if (ip.p == NULL)
        return err_parameter("allocationId");
    TRY(thing_all(c, K_ADDRESS, "PublicIp", ip, &found));
    if (found.n == 0)
        return no_address(ip);
    return thing_need(c, K_ADDRESS, thing_id(K_ADDRESS, found.v[0]), out); /* now guarded */
}

EC2_OP_NO_OUT(ReleaseAddress, ReleaseAddressRequest)
{
    struct jv *row;
    TRY(find_address(c, in->AllocationId, in->PublicIp, &row));
    if (get_s(row, "AssociationId").p != NULL)
        return err_aws(400, "InvalidIPAddress.InUse", "Address %.*s is in use.",
                       STR_ARG(get_s(row, "PublicIp")));
    TRY(public_give(c, get_s(row, "PublicIp")));
    return thing_drop(c, K_ADDRESS, row);
}

/* Frees an address from its instance; both rows are changed, the address's is written. */
static struct err *take_off(struct call *c, struct jv *address, struct jv *instance)
{
    static const char *const members[] = {"AssociationId", "InstanceId", "NetworkInterfaceId",
                                          "NetworkInterfaceOwnerId", "PrivateIpAddress"};
    TRY(assoc_drop(c, get_s(address, "AssociationId")));
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        unset(address, members[i]);
    if (instance != NULL) {
        instance_set_public(c, instance, STR_NONE, STR_NONE);
        unset(instance, "elastic");
    }
    return thing_put(c, K_ADDRESS, address);
}

struct err *address_detach_instance(struct call *c, struct jv *instance)
{
    struct jv *address;
    struct str id = get_s(instance, "elastic");
    if (id.p == NULL)
        return NULL;
    TRY(thing_get(c, K_ADDRESS, id, &address));
    if (address == NULL)
        return NULL;
    return take_off(c, address, instance);
}

static struct err *find_instance(struct call *c, const struct ec2_AssociateAddressRequest *in,
                                 struct jv **out)
{
    struct rows found = {0};
    struct str id = in->InstanceId;
    if ((id.p == NULL) == (in->NetworkInterfaceId.p == NULL))
        return err_aws(400, id.p == NULL ? "MissingParameter" : "InvalidParameterCombination",
                       "Either instance ID or network interface ID must be specified");
    if (id.p == NULL) {
        TRY(thing_all(c, K_INSTANCE, "NetworkInterfaces.NetworkInterfaceId",
                      in->NetworkInterfaceId, &found));
        if (found.n == 0)
            return err_missing(K_INTERFACE, in->NetworkInterfaceId);
        id = thing_id(K_INSTANCE, found.v[0]);
    }
    TRY(thing_need(c, K_INSTANCE, id, out));
    int64_t state = instance_state(*out);
    if (state != INSTANCE_RUNNING && state != INSTANCE_STOPPED)
        return err_aws(400, "InvalidInstanceID",
                       "The instance '%.*s' is not in a valid state for this operation.",
                       STR_ARG(id));
    if (in->PrivateIpAddress.p != NULL &&
        !str_eq(in->PrivateIpAddress, get_s(*out, "PrivateIpAddress")))
        return err_value(in->PrivateIpAddress, "privateIpAddress",
                         "The interface does not have this address.");
    return NULL;
}

static struct err *put_on(struct call *c, struct jv *address, struct jv *instance,
                          struct str *out_id)
{
    const struct jv *eni = jv_at(jv_get(instance, "NetworkInterfaces"), 0);
    *out_id = new_id(c, "eipassoc-");
    set_s(c, address, "AssociationId", *out_id);
    set_s(c, address, "InstanceId", thing_id(K_INSTANCE, instance));
    set_s(c, address, "NetworkInterfaceId", get_s(eni, "NetworkInterfaceId"));
    set_s(c, address, "NetworkInterfaceOwnerId", c->account);
    set_s(c, address, "PrivateIpAddress", get_s(instance, "PrivateIpAddress"));
    set_s(c, instance, "elastic", thing_id(K_ADDRESS, address));
    instance_set_public(c, instance, get_s(address, "PublicIp"), c->account);
    TRY(assoc_put(c, *out_id, K_ADDRESS, thing_id(K_ADDRESS, address)));
    TRY(thing_put(c, K_ADDRESS, address));
    return thing_put(c, K_INSTANCE, instance);
}

/* Takes the address from where it is: another instance, unless that is not wanted. */
static struct err *free_address(struct call *c, const struct ec2_AssociateAddressRequest *in,
                                struct jv *address)
{
    struct jv *former = NULL;
    struct str assoc = get_s(address, "AssociationId");
    if (assoc.p == NULL)
        return NULL;
    if (in->AllowReassociation.set && !in->AllowReassociation.v)
        return err_aws(400, "Resource.AlreadyAssociated",
                       "resource %.*s is already associated with associate-id %.*s",
                       STR_ARG(thing_id(K_ADDRESS, address)), STR_ARG(assoc));
    TRY(thing_get(c, K_INSTANCE, get_s(address, "InstanceId"), &former));
    TRY(take_off(c, address, former));
    return former != NULL ? thing_put(c, K_INSTANCE, former) : NULL;
}

EC2_OP(AssociateAddress, AssociateAddressRequest, AssociateAddressResult)
{
    struct jv *address, *instance;
    struct str gateway, lent;
    TRY(find_address(c, in->AllocationId, in->PublicIp, &address));
    TRY(find_instance(c, in, &instance));
    struct str vpc = get_s(instance, "VpcId");
    TRY(vpc_hold(c, vpc));
    TRY(gateway_of_vpc(c, vpc, &gateway));
    if (gateway.p == NULL)
        return err_aws(400, "Gateway.NotAttached",
                       "Network %.*s is not attached to any internet gateway", STR_ARG(vpc));
    if (str_eq(get_s(address, "InstanceId"), thing_id(K_INSTANCE, instance)) &&
        get_s(address, "AssociationId").p != NULL) {
        out->AssociationId = get_s(address, "AssociationId");
        return NULL;
    }
    TRY(free_address(c, in, address));
    TRY(address_detach_instance(c, instance));
    lent = get_s(instance, "PublicIpAddress");
    if (lent.n > 0) /* one that it was lent at launch goes back */
        TRY(public_give(c, lent));
    return put_on(c, address, instance, &out->AssociationId);
}

EC2_OP_NO_OUT(DisassociateAddress, DisassociateAddressRequest)
{
    struct jv *address, *instance;
    if (in->AssociationId.p != NULL)
        TRY(assoc_need(c, in->AssociationId, K_ADDRESS, &address));
    else
        TRY(find_address(c, STR_NONE, in->PublicIp, &address));
    if (get_s(address, "AssociationId").p == NULL)
        return NULL; /* AWS says nothing either */
    TRY(thing_get(c, K_INSTANCE, get_s(address, "InstanceId"), &instance));
    if (instance != NULL)
        TRY(vpc_hold(c, get_s(instance, "VpcId")));
    TRY(take_off(c, address, instance));
    return instance != NULL ? thing_put(c, K_INSTANCE, instance) : NULL;
}

EC2_OP(DescribeAddresses, DescribeAddressesRequest, DescribeAddressesResult)
{
    struct selection s;
    struct rows some = {0};
    TRY(select_things(c, K_ADDRESS, "AllocationIds", &s));
    for (size_t i = 0; i < in->PublicIps.n; i++) {
        struct jv *row;
        TRY(find_address(c, STR_NONE, in->PublicIps.v[i], &row));
        for (size_t j = 0; j < s.docs.n; j++)
            if (str_eq(get_s(s.docs.v[j], "PublicIp"), in->PublicIps.v[i]))
                VEC_PUSH(c->arena, &some, s.docs.v[j]);
    }
    return answer_list(c, out, "Addresses", in->PublicIps.n > 0 ? &some : &s.docs);
}
