/* RunInstances: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html */
#include "instance.h"

#include "crypto/crypto.h"

#define T_USER_DATA "ec2.userdata"

/* -- what an instance is given ----------------------------------------------------------------- */

struct err *user_data_put(struct call *c, struct str id, struct str base64)
{
    struct str bytes;
    struct skey at = ec2_key(c, id);
    if (!dec_base64(c->arena, base64, &bytes))
        return err_aws(400, "InvalidParameterValue", "Invalid BASE64 encoding of user data.");
    if (bytes.n > EC2_USER_DATA_MAX)
        return err_aws(400, "InvalidParameterValue", "User data is limited to %d bytes",
                       EC2_USER_DATA_MAX);
    return txn_put(c->txn, T_USER_DATA, c->account, key_of(&at), base64);
}

struct err *user_data_get(struct call *c, struct str id, struct str *out_base64)
{
    struct skey at = ec2_key(c, id);
    return txn_get(c->txn, T_USER_DATA, key_of(&at), c->arena, out_base64);
}

struct err *user_data_drop(struct call *c, struct str id)
{
    struct skey at = ec2_key(c, id);
    return txn_del(c->txn, T_USER_DATA, key_of(&at));
}

/* -- the launch, read -------------------------------------------------------------------------- */

struct launch {
    const struct ec2_RunInstancesRequest *in;
    struct jv *subnet;
    struct jv *groups;  /* GroupIdentifier list */
    struct jv *profile; /* {Arn,Id}, or NULL */
    struct str private_ip, type, reservation, description;
    bool public_ip;
};

struct err *groups_read(struct call *c, struct str vpc_id, struct str subnet_id,
                        const struct str *ids, size_t n, struct jv **out)
{
    struct jv *list = jv_new_arr(c->arena);
    struct rows found = {0};
    for (size_t i = 0; i < n; i++) {
        struct jv *row;
        TRY(thing_need(c, K_GROUP, ids[i], &row));
        if (!str_eq(get_s(row, "VpcId"), vpc_id))
            return err_aws(400, "InvalidParameter",
                           "Security group %.*s and subnet %.*s belong to different networks.",
                           STR_ARG(ids[i]), STR_ARG(subnet_id));
        VEC_PUSH(c->arena, &found, row);
    }
    if (n == 0) {
        struct rows all = {0};
        TRY(thing_all(c, K_GROUP, "VpcId", vpc_id, &all));
        for (size_t i = 0; i < all.n; i++)
            if (str_is(get_s(all.v[i], "GroupName"), "default"))
                VEC_PUSH(c->arena, &found, all.v[i]);
    }
    for (size_t i = 0; i < found.n; i++) {
        struct jv *g = jv_new_obj(c->arena);
        if (list_find(list, "GroupId", thing_id(K_GROUP, found.v[i])) != NULL)
            continue;
        set_s(c, g, "GroupId", thing_id(K_GROUP, found.v[i]));
        set_s(c, g, "GroupName", get_s(found.v[i], "GroupName"));
        jv_push(c->arena, list, g);
    }
    if (jv_len(list) > EC2_GROUPS_PER_INSTANCE)
        return err_aws(400, "SecurityGroupsPerInterfaceLimitExceeded",
                       "The maximum number of security groups per interface has been reached.");
    *out = list;
    return NULL;
}

/* Subnet, groups and addresses, from the call itself or from its one interface. */
static struct err *read_network(struct call *c, struct launch *l)
{
    const struct ec2_RunInstancesRequest *in = l->in;
    const struct ec2_InstanceNetworkInterfaceSpecification *n = NULL;
    struct str subnet_id = in->SubnetId;
    const struct str *ids = in->SecurityGroupIds.v;
    size_t n_ids = in->SecurityGroupIds.n;
    l->private_ip = in->PrivateIpAddress;
    if (in->NetworkInterfaces.n > 1)
        return err_not_implemented(c, "More than one network interface");
    if (in->NetworkInterfaces.n == 1) {
        n = &in->NetworkInterfaces.v[0];
        TRY(only_members(c, member_shape(c->op->input, "NetworkInterfaces")->elem, n,
                         "AssociatePublicIpAddress DeleteOnTermination Description DeviceIndex "
                         "Groups PrivateIpAddress SubnetId", "a network interface"));
        if (subnet_id.p != NULL || n_ids > 0 || l->private_ip.p != NULL)
            return err_aws(400, "InvalidParameterCombination",
                           "Network interfaces and an instance-level subnet ID, private IP address "
                           "or security groups may not be specified on the same request");
        if (n->DeviceIndex.v != 0)
            return err_value(STR("1"), "deviceIndex", "The first interface has index 0.");
        subnet_id = n->SubnetId;
        ids = n->Groups.v;
        n_ids = n->Groups.n;
        l->private_ip = n->PrivateIpAddress;
        l->description = n->Description;
    }
    if (subnet_id.p == NULL)
        return err_aws(400, "VPCIdNotSpecified",
                       "No default VPC for this user. Name a subnet.");
    TRY(thing_need(c, K_SUBNET, subnet_id, &l->subnet));
    TRY(vpc_hold(c, get_s(l->subnet, "VpcId")));
    l->public_ip = n != NULL && n->AssociatePublicIpAddress.set
                       ? n->AssociatePublicIpAddress.v
                       : jv_b(jv_get(l->subnet, "MapPublicIpOnLaunch"), false);
    if (l->private_ip.p != NULL && in->MaxCount.v > 1)
        return err_aws(400, "InvalidParameterCombination",
                       "A private IP address can be given to one instance only.");
    return groups_read(c, get_s(l->subnet, "VpcId"), subnet_id, ids, n_ids, &l->groups);
}

static struct err *read_profile(struct call *c, struct launch *l)
{
    const struct ec2_IamInstanceProfileSpecification *p = l->in->IamInstanceProfile;
    struct jv *row = NULL;
    struct arn arn;
    if (!ec2_has_profile(c)) /* a caller within Ward may give an empty one */
        return NULL;
    struct str name = p->Name;
    if (p->Name.p != NULL && p->Arn.p != NULL)
        return err_aws(400, "InvalidParameterCombination",
                       "Give the instance profile's name or its ARN.");
    if (name.p == NULL && arn_parse(p->Arn, &arn) && str_eq(arn.account, c->account))
        name = str_skip(arn.resource, (size_t)(str_rfind_char(arn.resource, '/') + 1));
    if (name.n > 0)
        TRY(iam_row_get(c->txn, c->arena, "iam.profile", c->account, name, &row));
    if (row == NULL || (p->Arn.p != NULL && !str_eq(get_s(row, "arn"), p->Arn)))
        return err_value(name.n > 0 ? name : p->Arn,
                         p->Arn.p != NULL ? "iamInstanceProfile.arn" : "iamInstanceProfile.name",
                         "Invalid IAM Instance Profile");
    l->profile = jv_new_obj(c->arena);
    set_s(c, l->profile, "Arn", get_s(row, "arn"));
    set_s(c, l->profile, "Id", get_s(row, "id"));
    return NULL;
}

static struct err *read_placement(struct call *c, struct launch *l)
{
    const struct ec2_RunInstancesRequest *in = l->in;
    if (in->Monitoring != NULL && in->Monitoring->Enabled.v)
        return err_not_implemented(c, "Detailed monitoring");
    if (in->Placement == NULL)
        return NULL;
    TRY(only_members(c, member_shape(c->op->input, "Placement"), in->Placement,
                     "AvailabilityZone Tenancy", "Placement"));
    if (in->Placement->Tenancy.n > 0 && !str_is(in->Placement->Tenancy, "default"))
        return err_not_implemented(c, "A tenancy other than default");
    struct str zone = get_s(l->subnet, "AvailabilityZone");
    if (in->Placement->AvailabilityZone.n > 0 && !str_eq(in->Placement->AvailabilityZone, zone))
        return err_aws(400, "InvalidParameterValue",
                       "The availability zone of the subnet is %.*s.", STR_ARG(zone));
    return NULL;
}

static struct err *read_launch(struct call *c, const struct ec2_RunInstancesRequest *in,
                               struct launch *l)
{
    *l = (struct launch){.in = in};
    if (in->ImageId.p == NULL)
        return err_parameter("imageId");
    if (kind_of_id(in->ImageId) != K_IMAGE)
        return err_aws(400, "InvalidAMIID.Malformed",
                       "Invalid id: \"%.*s\" (expecting \"ami-...\")",
                       STR_ARG(str_take(in->ImageId, EC2_ID_TEXT_MAX)));
    if (in->MinCount.v < 1 || in->MaxCount.v < in->MinCount.v ||
        in->MaxCount.v > EC2_INSTANCES_MAX)
        return err_aws(400, "InvalidParameterValue",
                       "Value (%lld) for parameter maxCount is invalid. It must be at least "
                       "minCount, which must be at least 1.", (long long)in->MaxCount.v);
    if (in->KeyName.n > 0)
        return err_aws(400, "InvalidKeyPair.NotFound", "The key pair '%.*s' does not exist",
                       STR_ARG(str_take(in->KeyName, 255)));
    l->type = in->InstanceType.p != NULL ? in->InstanceType : STR("m1.small");
    l->reservation = new_id(c, "r-");
    TRY(read_network(c, l));
    TRY(read_profile(c, l));
    return read_placement(c, l);
}

/* -- the launch, made -------------------------------------------------------------------------- */

static struct jv *interface_row(struct call *c, const struct launch *l, struct str ip,
                                struct str name)
{
    struct jv *e = jv_new_obj(c->arena), *a = jv_new_obj(c->arena), *p = jv_new_obj(c->arena);
    struct jv *ips = jv_new_arr(c->arena);
    set_s(c, a, "AttachTime", time_iso8601_str(c->arena, c->now_ms));
    set_s(c, a, "AttachmentId", new_id(c, "eni-attach-"));
    set_b(c, a, "DeleteOnTermination", true);
    set_i(c, a, "DeviceIndex", 0);
    set_i(c, a, "NetworkCardIndex", 0);
    set_c(c, a, "Status", "attached");
    set_b(c, p, "Primary", true);
    set_s(c, p, "PrivateDnsName", name);
    set_s(c, p, "PrivateIpAddress", ip);
    jv_push(c->arena, ips, p);
    uint64_t r = rand_u64();
    set_v(c, e, "Attachment", a);
    set_s(c, e, "Description", l->description.p != NULL ? l->description : STR(""));
    set_v(c, e, "Groups", l->groups);
    set_v(c, e, "Ipv6Addresses", jv_new_arr(c->arena));
    set_s(c, e, "MacAddress",
          arena_fmt(c->arena, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(r & 255),
                    (unsigned)(r >> 8 & 255), (unsigned)(r >> 16 & 255), (unsigned)(r >> 24 & 255),
                    (unsigned)(r >> 32 & 255)));
    set_s(c, e, "NetworkInterfaceId", new_id(c, "eni-"));
    set_s(c, e, "OwnerId", c->account);
    set_s(c, e, "PrivateDnsName", name);
    set_s(c, e, "PrivateIpAddress", ip);
    set_v(c, e, "PrivateIpAddresses", ips);
    set_b(c, e, "SourceDestCheck", true);
    set_c(c, e, "Status", "in-use");
    set_s(c, e, "SubnetId", thing_id(K_SUBNET, l->subnet));
    set_s(c, e, "VpcId", get_s(l->subnet, "VpcId"));
    set_c(c, e, "InterfaceType", "interface");
    return e;
}

static struct str internal_name(struct call *c, struct str ip)
{
    char *z = arena_cstr(c->arena, ip);
    for (char *p = z; *p != '\0'; p++)
        if (*p == '.')
            *p = '-';
    if (str_is(c->region, "us-east-1"))
        return arena_fmt(c->arena, "ip-%s.ec2.internal", z);
    return arena_fmt(c->arena, "ip-%s.%.*s.compute.internal", z, STR_ARG(c->region));
}

static void set_placement(struct call *c, struct jv *row, const struct launch *l)
{
    struct jv *p = jv_new_obj(c->arena), *m = jv_new_obj(c->arena);
    set_s(c, p, "AvailabilityZone", get_s(l->subnet, "AvailabilityZone"));
    set_s(c, p, "AvailabilityZoneId", get_s(l->subnet, "AvailabilityZoneId"));
    set_c(c, p, "GroupName", "");
    set_c(c, p, "Tenancy", "default");
    set_c(c, m, "State", "disabled");
    set_v(c, row, "Placement", p);
    set_v(c, row, "Monitoring", m);
}

static struct err *make_one(struct call *c, struct launch *l, int64_t index, struct jv **out)
{
    const struct ec2_RunInstancesRequest *in = l->in;
    struct jv *row, *enis = jv_new_arr(c->arena);
    struct str ip, public;
    TRY(thing_new(c, K_INSTANCE, &row));
    struct str id = thing_id(K_INSTANCE, row);
    TRY(tags_at_creation(c, &in->TagSpecifications, K_INSTANCE, row));
    TRY(subnet_take_ip(c, l->subnet, l->private_ip, id, &ip));
    struct str name = internal_name(c, ip);
    jv_push(c->arena, enis, interface_row(c, l, ip, name));
    set_s(c, row, "ImageId", in->ImageId);
    set_s(c, row, "InstanceType", l->type);
    set_i(c, row, "AmiLaunchIndex", index);
    set_s(c, row, "LaunchTime", time_iso8601_str(c->arena, c->now_ms));
    set_s(c, row, "ClientToken", in->ClientToken.p != NULL ? in->ClientToken : STR(""));
    set_s(c, row, "PrivateDnsName", name);
    set_s(c, row, "PrivateIpAddress", ip);
    set_c(c, row, "PublicDnsName", "");
    set_c(c, row, "StateTransitionReason", "");
    set_s(c, row, "SubnetId", thing_id(K_SUBNET, l->subnet));
    set_s(c, row, "VpcId", get_s(l->subnet, "VpcId"));
    set_v(c, row, "BlockDeviceMappings", jv_new_arr(c->arena));
    set_v(c, row, "ProductCodes", jv_new_arr(c->arena));
    set_b(c, row, "EbsOptimized", false);
    set_b(c, row, "SourceDestCheck", true);
    set_v(c, row, "SecurityGroups", l->groups);
    set_v(c, row, "NetworkInterfaces", enis);
    set_placement(c, row, l);
    if (l->profile != NULL)
        set_v(c, row, "IamInstanceProfile", l->profile);
    set_s(c, row, "reservation", l->reservation);
    set_b(c, row, "keep", in->DisableApiTermination.v);
    set_s(c, row, "shutdown", in->InstanceInitiatedShutdownBehavior.n > 0
                                  ? in->InstanceInitiatedShutdownBehavior
                                  : STR("stop"));
    set_b(c, row, "auto_public", l->public_ip);
    if (l->public_ip) {
        TRY(public_take(c, &public));
        instance_set_public(c, row, public, STR("amazon"));
    }
    if (in->UserData.n > 0)
        TRY(user_data_put(c, id, in->UserData));
    TRY(instance_move(c, row, INSTANCE_PENDING));
    TRY(thing_put(c, K_INSTANCE, row));
    call_record_resource(c, ec2_arn(c, K_INSTANCE, id), c->account, "AWS::EC2::Instance");
    *out = row;
    return NULL;
}

/* As many as there is room for, at least MinCount. */
static struct err *make_all(struct call *c, struct launch *l, struct rows *out)
{
    int64_t left = jv_i(jv_get(l->subnet, "AvailableIpAddressCount"), 0);
    int64_t n = l->in->MaxCount.v;
    if (left < n && left >= l->in->MinCount.v)
        n = left;
    for (int64_t i = 0; i < n; i++) {
        struct jv *row;
        TRY(make_one(c, l, i, &row));
        VEC_PUSH(c->arena, out, row);
    }
    return thing_put(c, K_SUBNET, l->subnet);
}

EC2_OP(RunInstances, RunInstancesRequest, Reservation)
{
    struct launch l;
    struct str reservation;
    struct rows rows = {0}, docs = {0};
    TRY(token_get(c, in->ClientToken, &reservation));
    if (reservation.p != NULL) {
        TRY(thing_all(c, K_INSTANCE, "reservation", reservation, &rows));
    } else {
        TRY(read_launch(c, in, &l));
        TRY(make_all(c, &l, &rows));
        TRY(token_put(c, in->ClientToken, l.reservation));
        reservation = l.reservation;
    }
    for (size_t i = 0; i < rows.n; i++) {
        struct jv *view;
        TRY(thing_view(c, K_INSTANCE, rows.v[i], &view));
        unset(view, "reservation");
        VEC_PUSH(c->arena, &docs, view);
    }
    out->ReservationId = reservation;
    out->OwnerId = c->account;
    out->Groups.set = true;
    return answer_list(c, out, "Instances", &docs);
}
