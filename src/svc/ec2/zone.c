/* Regions, Availability Zones, and what an account may have. */
#include "room.h"

/* Zones as AWS counts them for a new account; ids are the same for every account here. */
static const struct region {
    const char *name, *id; /* "us-east-1", "use1" */
    const char *zones;     /* letters */
} regions[] = {
    {"ap-northeast-1", "apne1", "acd"}, {"ap-northeast-2", "apne2", "abcd"},
    {"ap-northeast-3", "apne3", "abc"}, {"ap-south-1", "aps1", "abc"},
    {"ap-southeast-1", "apse1", "abc"}, {"ap-southeast-2", "apse2", "abc"},
    {"ca-central-1", "cac1", "abd"},    {"eu-central-1", "euc1", "abc"},
    {"eu-north-1", "eun1", "abc"},      {"eu-west-1", "euw1", "abc"},
    {"eu-west-2", "euw2", "abc"},       {"eu-west-3", "euw3", "abc"},
    {"sa-east-1", "sae1", "abc"},       {"us-east-1", "use1", "abcdef"},
    {"us-east-2", "use2", "abc"},       {"us-west-1", "usw1", "ac"},
    {"us-west-2", "usw2", "abcd"},
};

static const struct region *region_of(struct call *c)
{
    static const struct region other = {"", "", "abc"};
    for (size_t i = 0; i < ARRAY_LEN(regions); i++)
        if (str_is(c->region, regions[i].name))
            return &regions[i];
    return &other;
}

static struct str zone_name(struct call *c, const struct region *r, size_t i)
{
    return arena_fmt(c->arena, "%.*s%c", STR_ARG(c->region), r->zones[i]);
}

static struct str zone_id(struct call *c, const struct region *r, size_t i)
{
    if (r->id[0] == '\0')
        return arena_fmt(c->arena, "%.*s-az%zu", STR_ARG(c->region), i + 1);
    return arena_fmt(c->arena, "%s-az%zu", r->id, i + 1);
}

struct err *zone_need(struct call *c, struct str name, struct str id, struct str *out_name,
                      struct str *out_id)
{
    const struct region *r = region_of(c);
    struct buf all CLEANUP(buf_clear) = BUF_INIT(1024);
    for (size_t i = 0; r->zones[i] != '\0'; i++) {
        struct str n = zone_name(c, r, i), z = zone_id(c, r, i);
        buf_fmt(&all, "%s%.*s", i > 0 ? ", " : "", STR_ARG(n));
        if ((name.p != NULL && !str_eq(name, n)) || (id.p != NULL && !str_eq(id, z)))
            continue;
        *out_name = n;
        *out_id = z;
        return NULL;
    }
    return err_aws(400, "InvalidParameterValue",
                   "Value (%.*s) for parameter availabilityZone is invalid. Subnets can currently "
                   "only be created in the following availability zones: %.*s.",
                   STR_ARG(str_take(name.p != NULL ? name : id, 64)), STR_ARG(buf_view(&all)));
}

static const struct filter_def zone_filters[] = {
    {"zone-name", "ZoneName"},   {"zone-id", "ZoneId"},
    {"zone-type", "ZoneType"},   {"state", "State"},
    {"region-name", "RegionName"}, {"group-name", "GroupName"},
    {"opt-in-status", "OptInStatus"}, {"group-long-name", "GroupLongName"},
    {"message", "Messages.Message"},  {"parent-zone-id", "ParentZoneId"},
    {"parent-zone-name", "ParentZoneName"}, {0},
};

static bool wanted(const struct str *v, size_t n, struct str text)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i], text))
            return true;
    return n == 0;
}

static struct err *check_known(const struct str *v, size_t n, const struct rows *docs,
                               const char *member, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t j = 0; j < docs->n && !known; j++)
            known = str_eq(v[i], get_s(docs->v[j], member));
        if (!known)
            return err_aws(400, "InvalidParameterValue", "Invalid %s: [%.*s]", what,
                           STR_ARG(str_take(v[i], 64)));
    }
    return NULL;
}

EC2_OP(DescribeAvailabilityZones, DescribeAvailabilityZonesRequest,
       DescribeAvailabilityZonesResult)
{
    const struct region *r = region_of(c);
    struct rows all = {0}, some = {0};
    for (size_t i = 0; r->zones[i] != '\0'; i++) {
        struct jv *z = jv_new_obj(c->arena);
        struct str name = zone_name(c, r, i), id = zone_id(c, r, i);
        set_c(c, z, "OptInStatus", "opt-in-not-required");
        set_s(c, z, "RegionName", c->region);
        set_s(c, z, "ZoneName", name);
        set_s(c, z, "ZoneId", id);
        set_s(c, z, "GroupName", arena_fmt(c->arena, "%.*s-zg-1", STR_ARG(c->region)));
        set_s(c, z, "NetworkBorderGroup", c->region);
        set_c(c, z, "ZoneType", "availability-zone");
        set_c(c, z, "State", "available");
        set_s(c, z, "at", name);
        VEC_PUSH(c->arena, &all, z);
        if (wanted(in->ZoneNames.v, in->ZoneNames.n, name) &&
            wanted(in->ZoneIds.v, in->ZoneIds.n, id))
            VEC_PUSH(c->arena, &some, z);
    }
    TRY(check_known(in->ZoneNames.v, in->ZoneNames.n, &all, "ZoneName", "availability zone"));
    TRY(check_known(in->ZoneIds.v, in->ZoneIds.n, &all, "ZoneId", "availability zone-id"));
    struct selection s;
    TRY(select_docs(c, zone_filters, &some, &s));
    return answer_list(c, out, "AvailabilityZones", &s.docs);
}

static const struct filter_def region_filters[] = {
    {"region-name", "RegionName"},
    {"endpoint", "Endpoint"},
    {"opt-in-status", "OptInStatus"},
    {0},
};

EC2_OP(DescribeRegions, DescribeRegionsRequest, DescribeRegionsResult)
{
    struct rows all = {0}, some = {0};
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        struct jv *r = jv_new_obj(c->arena);
        set_c(c, r, "OptInStatus", "opt-in-not-required");
        set_c(c, r, "RegionName", regions[i].name);
        set_s(c, r, "Endpoint", arena_fmt(c->arena, "ec2.%s.amazonaws.com", regions[i].name));
        set_c(c, r, "at", regions[i].name);
        VEC_PUSH(c->arena, &all, r);
        if (wanted(in->RegionNames.v, in->RegionNames.n, str_c(regions[i].name)))
            VEC_PUSH(c->arena, &some, r);
    }
    TRY(check_known(in->RegionNames.v, in->RegionNames.n, &all, "RegionName", "region"));
    struct selection s;
    TRY(select_docs(c, region_filters, &some, &s));
    return answer_list(c, out, "Regions", &s.docs);
}

/* The limits that this room does hold to, and that there is no default VPC. */
EC2_OP(DescribeAccountAttributes, DescribeAccountAttributesRequest, DescribeAccountAttributesResult)
{
    const struct {
        const char *name, *value;
        int64_t number;
    } facts[] = {
        {"supported-platforms", "VPC", 0},
        {"default-vpc", "none", 0},
        {"max-instances", NULL, EC2_INSTANCES_MAX},
        {"vpc-max-security-groups-per-interface", NULL, EC2_GROUPS_PER_INSTANCE},
        {"max-elastic-ips", NULL, EC2_ADDRESSES_MAX},
        {"vpc-max-elastic-ips", NULL, EC2_ADDRESSES_MAX},
    };
    struct rows docs = {0};
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        if (!wanted(in->AttributeNames.v, in->AttributeNames.n, str_c(facts[i].name)))
            continue;
        struct jv *d = jv_new_obj(c->arena), *l = jv_new_arr(c->arena), *v = jv_new_obj(c->arena);
        set_s(c, v, "AttributeValue",
              facts[i].value != NULL
                  ? str_c(facts[i].value)
                  : arena_fmt(c->arena, "%lld", (long long)facts[i].number));
        jv_push(c->arena, l, v);
        set_c(c, d, "AttributeName", facts[i].name);
        set_v(c, d, "AttributeValues", l);
        VEC_PUSH(c->arena, &docs, d);
    }
    return answer_list(c, out, "AccountAttributes", &docs);
}
