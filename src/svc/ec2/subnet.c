/* Subnets, and the private addresses in them.
 * https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html */
#include "room.h"

#include "crypto/crypto.h"

#define T_IP "ec2.ip"

enum {
    RESERVED_FIRST = 4, /* network, router, DNS, kept back */
    RESERVED = 5,       /* …and broadcast */
};

static struct err *check_block(struct call *c, const struct jv *vpc, struct str given,
                               const struct cidr *block)
{
    struct cidr whole, other;
    struct rows subnets = {0};
    given = str_take(given, CIDR_TEXT_MAX);
    CHECK(cidr_parse4(get_s(vpc, "CidrBlock"), &whole));
    if (block->bits < 16 || block->bits > 28 || !cidr_contains(&whole, block))
        return err_aws(400, "InvalidSubnet.Range", "The CIDR '%.*s' is invalid.", STR_ARG(given));
    TRY(thing_all(c, K_SUBNET, "VpcId", thing_id(K_VPC, vpc), &subnets));
    for (size_t i = 0; i < subnets.n; i++)
        if (cidr_parse4(get_s(subnets.v[i], "CidrBlock"), &other) && cidr_overlaps(&other, block))
            return err_aws(400, "InvalidSubnet.Conflict",
                           "The CIDR '%.*s' conflicts with another subnet", STR_ARG(given));
    return NULL;
}

static void set_launch_names(struct call *c, struct jv *subnet, struct str kind, bool a_record)
{
    struct jv *o = jv_new_obj(c->arena);
    set_s(c, o, "HostnameType", kind);
    set_b(c, o, "EnableResourceNameDnsARecord", a_record);
    set_b(c, o, "EnableResourceNameDnsAAAARecord", false);
    set_v(c, subnet, "PrivateDnsNameOptionsOnLaunch", o);
}

EC2_OP(CreateSubnet, CreateSubnetRequest, CreateSubnetResult)
{
    struct cidr block;
    struct str zone, zone_id;
    struct jv *vpc, *row;
    TRY(read_block(in->CidrBlock, "cidrBlock", &block));
    TRY(thing_need(c, K_VPC, in->VpcId, &vpc));
    TRY(zone_need(c, in->AvailabilityZone, in->AvailabilityZoneId, &zone, &zone_id));
    TRY(vpc_hold(c, in->VpcId));
    TRY(check_block(c, vpc, in->CidrBlock, &block));
    TRY(thing_new(c, K_SUBNET, &row));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_SUBNET, row));
    struct str id = thing_id(K_SUBNET, row);
    set_s(c, row, "SubnetArn", ec2_arn(c, K_SUBNET, id));
    set_s(c, row, "VpcId", in->VpcId);
    set_s(c, row, "CidrBlock", cidr_text(c->arena, &block));
    set_s(c, row, "AvailabilityZone", zone);
    set_s(c, row, "AvailabilityZoneId", zone_id);
    set_i(c, row, "AvailableIpAddressCount", (int64_t)cidr_size4(&block) - RESERVED);
    set_c(c, row, "State", "available");
    set_b(c, row, "DefaultForAz", false);
    set_b(c, row, "MapPublicIpOnLaunch", false);
    set_b(c, row, "MapCustomerOwnedIpOnLaunch", false);
    set_b(c, row, "AssignIpv6AddressOnCreation", false);
    set_b(c, row, "EnableDns64", false);
    set_b(c, row, "Ipv6Native", false);
    set_v(c, row, "Ipv6CidrBlockAssociationSet", jv_new_arr(c->arena));
    set_launch_names(c, row, STR("ip-name"), false);
    TRY(thing_put(c, K_SUBNET, row));
    TRY(acl_associate_default(c, in->VpcId, id));
    call_record_resource(c, ec2_arn(c, K_SUBNET, id), c->account, "AWS::EC2::Subnet");
    return answer_thing(c, out, "Subnet", K_SUBNET, row);
}

EC2_OP_NO_OUT(DeleteSubnet, DeleteSubnetRequest)
{
    struct jv *row;
    bool used;
    TRY(thing_need(c, K_SUBNET, in->SubnetId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    TRY(thing_any(c, K_INSTANCE, "SubnetId", in->SubnetId, &used));
    if (used)
        return err_dependency("subnet", in->SubnetId);
    TRY(routes_forget_subnet(c, in->SubnetId));
    TRY(acl_forget_subnet(c, in->SubnetId));
    return thing_drop(c, K_SUBNET, row);
}

EC2_OP_NO_OUT(ModifySubnetAttribute, ModifySubnetAttributeRequest)
{
    struct jv *row;
    int given = (in->MapPublicIpOnLaunch != NULL) +
                (in->EnableResourceNameDnsARecordOnLaunch != NULL) +
                (in->PrivateDnsHostnameTypeOnLaunch.p != NULL);
    if (given == 0)
        return err_aws(400, "MissingParameter", "The request must contain an attribute to change.");
    if (given > 1)
        return err_aws(400, "InvalidParameterCombination",
                       "Fields for multiple attribute types specified");
    TRY(thing_need(c, K_SUBNET, in->SubnetId, &row));
    TRY(vpc_hold(c, get_s(row, "VpcId")));
    const struct jv *names = jv_get(row, "PrivateDnsNameOptionsOnLaunch");
    struct str kind = get_s(names, "HostnameType");
    bool a_record = jv_b(jv_get(names, "EnableResourceNameDnsARecord"), false);
    if (in->MapPublicIpOnLaunch != NULL)
        set_b(c, row, "MapPublicIpOnLaunch", in->MapPublicIpOnLaunch->Value.v);
    if (in->EnableResourceNameDnsARecordOnLaunch != NULL)
        a_record = in->EnableResourceNameDnsARecordOnLaunch->Value.v;
    if (in->PrivateDnsHostnameTypeOnLaunch.p != NULL)
        kind = in->PrivateDnsHostnameTypeOnLaunch;
    set_launch_names(c, row, kind, a_record);
    return thing_put(c, K_SUBNET, row);
}

/* -- private addresses ------------------------------------------------------------------------- */

static struct skey ip_key(struct call *c, struct str subnet_id, uint32_t ip)
{
    struct skey k = ec2_key(c, subnet_id);
    key_u32(&k, ip);
    return k;
}

static struct err *ip_is_free(struct call *c, struct str subnet_id, uint32_t ip, bool *out)
{
    struct skey at = ip_key(c, subnet_id, ip);
    struct str v;
    TRY(txn_get(c->txn, T_IP, key_of(&at), c->arena, &v));
    *out = v.p == NULL;
    return NULL;
}

/* A random free one: from a random place on. The subnet's row is read and written with it, so the
 * search meets no other. */
static struct err *find_free(struct call *c, struct str subnet_id, const struct cidr *block,
                             uint32_t *out)
{
    uint32_t usable = cidr_size4(block) - RESERVED;
    uint32_t first = cidr_first4(block) + RESERVED_FIRST;
    uint32_t start = (uint32_t)(rand_u64() % usable);
    for (uint32_t i = 0; i < usable; i++) {
        bool is_free;
        uint32_t ip = first + (start + i) % usable;
        TRY(ip_is_free(c, subnet_id, ip, &is_free));
        TRY(arena_check(c->arena));
        if (is_free) {
            *out = ip;
            return NULL;
        }
    }
    return err_aws(400, "InsufficientFreeAddressesInSubnet",
                   "There are not enough free addresses in subnet '%.*s' to satisfy the requested "
                   "number of instances.", STR_ARG(subnet_id));
}

struct err *subnet_take_ip(struct call *c, struct jv *subnet, struct str wanted, struct str owner,
                           struct str *out_ip)
{
    struct cidr block;
    uint32_t ip;
    struct str id = thing_id(K_SUBNET, subnet);
    int64_t left = jv_i(jv_get(subnet, "AvailableIpAddressCount"), 0);
    CHECK(cidr_parse4(get_s(subnet, "CidrBlock"), &block));
    if (left <= 0)
        return err_aws(400, "InsufficientFreeAddressesInSubnet",
                       "There are not enough free addresses in subnet '%.*s' to satisfy the "
                       "requested number of instances.", STR_ARG(id));
    if (wanted.p == NULL) {
        TRY(find_free(c, id, &block, &ip));
    } else {
        bool is_free;
        if (!ip4_parse(wanted, &ip))
            return err_value(wanted, "privateIpAddress", "An IPv4 address is expected.");
        uint32_t at = ip - cidr_first4(&block);
        if (!cidr_has4(&block, ip) || at < RESERVED_FIRST || at == cidr_size4(&block) - 1)
            return err_value(wanted, "privateIpAddress",
                             "Address is not one that the subnet can give.");
        TRY(ip_is_free(c, id, ip, &is_free));
        if (!is_free)
            return err_aws(400, "InvalidIPAddress.InUse", "Address %.*s is in use.",
                           STR_ARG(wanted));
    }
    struct skey at = ip_key(c, id, ip);
    TRY(txn_put(c->txn, T_IP, c->account, key_of(&at), owner));
    set_i(c, subnet, "AvailableIpAddressCount", left - 1);
    *out_ip = ip4_text(c->arena, ip);
    return NULL;
}

struct err *subnet_give_ip(struct call *c, struct str subnet_id, struct str ip_text)
{
    uint32_t ip;
    struct jv *subnet;
    TRY(thing_get(c, K_SUBNET, subnet_id, &subnet));
    if (subnet == NULL || !ip4_parse(ip_text, &ip))
        return NULL;
    bool is_free;
    TRY(ip_is_free(c, subnet_id, ip, &is_free));
    if (is_free)
        return NULL;
    struct skey at = ip_key(c, subnet_id, ip);
    TRY(txn_del(c->txn, T_IP, key_of(&at)));
    set_i(c, subnet, "AvailableIpAddressCount",
          jv_i(jv_get(subnet, "AvailableIpAddressCount"), 0) + 1);
    return thing_put(c, K_SUBNET, subnet);
}
