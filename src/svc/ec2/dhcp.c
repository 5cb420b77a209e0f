/* DHCP option sets: https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSet.html */
#include "room.h"

#define DEFAULT_SET STR("default-dhcp") /* in the table of associations */

static const struct option {
    const char *key;
    size_t most;
    bool address; /* its values are IPv4 addresses */
} options[] = {
    {"domain-name-servers", 4, true},
    {"domain-name", 1, false},
    {"ntp-servers", 4, true},
    {"netbios-name-servers", 4, true},
    {"netbios-node-type", 1, false},
    {"ipv6-address-preferred-lease-time", 1, false},
};

static const struct option *option_of(struct str key)
{
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (str_is(key, options[i].key))
            return &options[i];
    return NULL;
}

static void push_option(struct call *c, struct jv *list, struct str key, const struct str *values,
                        size_t n)
{
    struct jv *o = jv_new_obj(c->arena), *l = jv_new_arr(c->arena);
    for (size_t i = 0; i < n; i++) {
        struct jv *v = jv_new_obj(c->arena);
        set_s(c, v, "Value", values[i]);
        jv_push(c->arena, l, v);
    }
    set_s(c, o, "Key", key);
    set_v(c, o, "Values", l);
    jv_push(c->arena, list, o);
}

/* The account's default set, made with its first VPC. */
struct err *dhcp_default(struct call *c, struct str *out_id)
{
    enum kind k;
    struct jv *row = NULL;
    TRY(assoc_get(c, DEFAULT_SET, &k, out_id));
    if (k == K_DHCP)
        TRY(thing_get(c, K_DHCP, *out_id, &row));
    if (row != NULL)
        return thing_put(c, K_DHCP, row); /* so that its deletion meets this */
    TRY(thing_new(c, K_DHCP, &row));
    bool first = str_is(c->region, "us-east-1");
    struct str domain = first ? STR("ec2.internal")
                              : arena_fmt(c->arena, "%.*s.compute.internal", STR_ARG(c->region));
    struct str servers = STR("AmazonProvidedDNS");
    struct jv *list = jv_new_arr(c->arena);
    push_option(c, list, STR("domain-name"), &domain, 1);
    push_option(c, list, STR("domain-name-servers"), &servers, 1);
    set_v(c, row, "DhcpConfigurations", list);
    *out_id = thing_id(K_DHCP, row);
    TRY(assoc_put(c, DEFAULT_SET, K_DHCP, *out_id));
    return thing_put(c, K_DHCP, row);
}

static struct err *check_value(const struct option *o, struct str v)
{
    uint32_t ip;
    int64_t n;
    if (v.n == 0 || v.n > 255)
        return err_value(v, o->key, "");
    if (strcmp(o->key, "domain-name-servers") == 0 && str_is(v, "AmazonProvidedDNS"))
        return NULL;
    if (o->address && !ip4_parse(v, &ip))
        return err_value(v, o->key, "An IPv4 address is expected.");
    if (strcmp(o->key, "netbios-node-type") == 0 &&
        (!str_to_i64(v, 1, 8, &n) || (n & (n - 1)) != 0))
        return err_value(v, o->key, "NetBIOS node type must be 1, 2, 4 or 8.");
    if (strcmp(o->key, "ipv6-address-preferred-lease-time") == 0 &&
        !str_to_i64(v, 140, INT32_MAX, &n))
        return err_value(v, o->key, "A number of seconds, 140 or more, is expected.");
    return NULL;
}

EC2_OP(CreateDhcpOptions, CreateDhcpOptionsRequest, CreateDhcpOptionsResult)
{
    if (in->DhcpConfigurations.n == 0)
        return err_parameter("dhcpConfiguration");
    struct jv *list = jv_new_arr(c->arena), *row;
    for (size_t i = 0; i < in->DhcpConfigurations.n; i++) {
        const struct ec2_NewDhcpConfiguration *d = &in->DhcpConfigurations.v[i];
        const struct option *o = option_of(d->Key);
        if (o == NULL)
            return err_value(d->Key, "name", "Unknown DHCP option");
        if (list_find(list, "Key", d->Key) != NULL)
            return err_value(d->Key, "name", "The option is given twice.");
        if (d->Values.n == 0 || d->Values.n > o->most)
            return err_value(d->Key, "value", "The option has too many values, or none.");
        for (size_t j = 0; j < d->Values.n; j++)
            TRY(check_value(o, d->Values.v[j]));
        push_option(c, list, d->Key, d->Values.v, d->Values.n);
    }
    TRY(thing_new(c, K_DHCP, &row));
    TRY(tags_at_creation(c, &in->TagSpecifications, K_DHCP, row));
    set_v(c, row, "DhcpConfigurations", list);
    TRY(thing_put(c, K_DHCP, row));
    return answer_thing(c, out, "DhcpOptions", K_DHCP, row);
}

EC2_OP_NO_OUT(DeleteDhcpOptions, DeleteDhcpOptionsRequest)
{
    struct jv *row;
    bool used;
    TRY(thing_need(c, K_DHCP, in->DhcpOptionsId, &row));
    TRY(thing_any(c, K_VPC, "DhcpOptionsId", in->DhcpOptionsId, &used));
    if (used)
        return err_dependency("dhcpOptions", in->DhcpOptionsId);
    return thing_drop(c, K_DHCP, row);
}
