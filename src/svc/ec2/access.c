/* From a call to what it is about: the resources that a policy must allow, and the condition keys.
 *
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
 * A need has one target, but an EC2 call may name many resources, each of which must be allowed:
 * the target function has all but the last checked, and hands the last one on. */
#include "room.h"

struct named { /* a member of the input that names resources of a kind */
    const char *member; /* NULL: what is to be made */
    enum kind kind;     /* K_NONE: by the id's form */
};

enum { NAMED_MAX = 4 };

static const struct about_op {
    const char *op;
    struct named named[NAMED_MAX];
} about_ops[] = {
    {"CreateVpc", {{NULL, K_VPC}}},
    {"DeleteVpc", {{"VpcId", K_VPC}}},
    {"ModifyVpcAttribute", {{"VpcId", K_VPC}}},
    {"DescribeVpcAttribute", {{"VpcId", K_VPC}}},
    {"AssociateDhcpOptions", {{"VpcId", K_VPC}, {"DhcpOptionsId", K_DHCP}}},
    {"CreateSubnet", {{NULL, K_SUBNET}, {"VpcId", K_VPC}}},
    {"DeleteSubnet", {{"SubnetId", K_SUBNET}}},
    {"ModifySubnetAttribute", {{"SubnetId", K_SUBNET}}},
    {"CreateInternetGateway", {{NULL, K_GATEWAY}}},
    {"AttachInternetGateway", {{"InternetGatewayId", K_GATEWAY}, {"VpcId", K_VPC}}},
    {"DetachInternetGateway", {{"InternetGatewayId", K_GATEWAY}, {"VpcId", K_VPC}}},
    {"DeleteInternetGateway", {{"InternetGatewayId", K_GATEWAY}}},
    {"CreateRouteTable", {{NULL, K_ROUTES}, {"VpcId", K_VPC}}},
    {"DeleteRouteTable", {{"RouteTableId", K_ROUTES}}},
    {"CreateRoute", {{"RouteTableId", K_ROUTES}}},
    {"ReplaceRoute", {{"RouteTableId", K_ROUTES}}},
    {"DeleteRoute", {{"RouteTableId", K_ROUTES}}},
    {"AssociateRouteTable", {{"RouteTableId", K_ROUTES}, {"SubnetId", K_SUBNET}}},
    {"DisassociateRouteTable", {{"AssociationId", K_ROUTES}}},
    {"ReplaceRouteTableAssociation", {{"AssociationId", K_ROUTES}, {"RouteTableId", K_ROUTES}}},
    {"CreateNetworkAcl", {{NULL, K_ACL}, {"VpcId", K_VPC}}},
    {"DeleteNetworkAcl", {{"NetworkAclId", K_ACL}}},
    {"CreateNetworkAclEntry", {{"NetworkAclId", K_ACL}}},
    {"ReplaceNetworkAclEntry", {{"NetworkAclId", K_ACL}}},
    {"DeleteNetworkAclEntry", {{"NetworkAclId", K_ACL}}},
    {"ReplaceNetworkAclAssociation", {{"AssociationId", K_ACL}, {"NetworkAclId", K_ACL}}},
    {"CreateSecurityGroup", {{NULL, K_GROUP}, {"VpcId", K_VPC}}},
    {"DeleteSecurityGroup", {{"GroupId", K_GROUP}}},
    {"AuthorizeSecurityGroupIngress", {{"GroupId", K_GROUP}}},
    {"AuthorizeSecurityGroupEgress", {{"GroupId", K_GROUP}}},
    {"RevokeSecurityGroupIngress", {{"GroupId", K_GROUP}}},
    {"RevokeSecurityGroupEgress", {{"GroupId", K_GROUP}}},
    {"CreateDhcpOptions", {{NULL, K_DHCP}}},
    {"DeleteDhcpOptions", {{"DhcpOptionsId", K_DHCP}}},
    {"AllocateAddress", {{NULL, K_ADDRESS}}},
    {"ReleaseAddress", {{"AllocationId", K_ADDRESS}}},
    {"AssociateAddress",
     {{"AllocationId", K_ADDRESS}, {"InstanceId", K_INSTANCE},
      {"NetworkInterfaceId", K_INTERFACE}}},
    {"DisassociateAddress", {{"AssociationId", K_ADDRESS}}},
    {"RunInstances",
     {{NULL, K_INSTANCE}, {"ImageId", K_IMAGE}, {"SubnetId", K_SUBNET},
      {"SecurityGroupIds", K_GROUP}}},
    {"StartInstances", {{"InstanceIds", K_INSTANCE}}},
    {"StopInstances", {{"InstanceIds", K_INSTANCE}}},
    {"RebootInstances", {{"InstanceIds", K_INSTANCE}}},
    {"TerminateInstances", {{"InstanceIds", K_INSTANCE}}},
    {"DescribeInstanceAttribute", {{"InstanceId", K_INSTANCE}}},
    {"ModifyInstanceAttribute", {{"InstanceId", K_INSTANCE}, {"Groups", K_GROUP}}},
    {"CreateTags", {{"Resources", K_NONE}}},
    {"DeleteTags", {{"Resources", K_NONE}}},
};

struct about { /* one resource */
    enum kind kind;
    struct str id; /* STR_NONE: not made yet */
};

struct abouts {
    struct about *v;
    size_t n, cap;
};

bool ec2_is_internal(struct call *c)
{
    return call_is_internal(c);
}

/* -- condition keys ---------------------------------------------------------------------------- */

static void tag_keys(struct call *c, const struct jv *tags)
{
    for (size_t i = 0; i < jv_len(tags); i++) {
        struct str k = get_s(jv_at(tags, i), "Key"), v = get_s(jv_at(tags, i), "Value");
        call_key(c, arena_fmt(c->arena, "aws:ResourceTag/%.*s", STR_ARG(k)).p, v);
        call_key(c, arena_fmt(c->arena, "ec2:ResourceTag/%.*s", STR_ARG(k)).p, v);
    }
}

static void request_tag_keys(struct call *c, const struct ec2_TagList *const *lists, size_t n)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        total += lists[i]->n;
    if (total == 0)
        return;
    struct str *names = ARENA_ARRAY(c->arena, total, struct str);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < lists[i]->n; j++) {
            const struct ec2_Tag *t = &lists[i]->v[j];
            names[at++] = t->Key.p != NULL ? t->Key : STR("");
            call_key(c, arena_fmt(c->arena, "aws:RequestTag/%.*s", STR_ARG(t->Key)).p,
                     t->Value.p != NULL ? t->Value : STR(""));
        }
    }
    call_key_list(c, "aws:TagKeys", names, total);
}

static const void *input_member(const struct call *c, const char *name)
{
    const struct shape_member *m = shape_member(c->op->input, str_c(name));
    return m != NULL ? shape_at(m, c->in) : NULL;
}

/* Tags that the call would put on things of this kind. */
static void call_tag_keys(struct call *c, enum kind k)
{
    const struct ec2_TagSpecificationList *specs = input_member(c, "TagSpecifications");
    if (specs != NULL) {
        const struct ec2_TagList **lists =
            ARENA_ARRAY(c->arena, specs->n + 1, const struct ec2_TagList *);
        size_t n = 0;
        for (size_t i = 0; i < specs->n; i++)
            if (kind_of_type(specs->v[i].ResourceType) == k)
                lists[n++] = &specs->v[i].Tags;
        request_tag_keys(c, lists, n);
    } else if (strcmp(c->op->name, "CreateTags") == 0 || strcmp(c->op->name, "DeleteTags") == 0) {
        const struct ec2_TagList *tags = input_member(c, "Tags");
        request_tag_keys(c, &tags, 1);
    }
}

/* Every need's keys are its own: EC2's must not see those of the resource before. */
static void forget_keys(struct call *c)
{
    call_keys_reset(c);
    call_key(c, "ec2:Region", c->region);
}

static struct str vpc_of_subnet(struct call *c, struct str subnet_id)
{
    struct jv *row = NULL;
    struct err *e = thing_get(c, K_SUBNET, subnet_id, &row);
    err_free(e); /* the handler meets the same error, and reports it */
    return get_s(row, "VpcId");
}

static struct err *resource_keys(struct call *c, const struct about *a)
{
    forget_keys(c);
    call_tag_keys(c, a->kind);
    struct str vpc = STR_NONE, type = STR_NONE;
    struct jv *row = NULL;
    if (a->id.p != NULL && a->kind == K_RULE) {
        enum kind of;
        struct str group;
        TRY(assoc_get(c, a->id, &of, &group));
        TRY(thing_get(c, K_GROUP, group, &row));
        tag_keys(c, jv_get(list_find(jv_get(row, "rules"), "SecurityGroupRuleId", a->id), "Tags"));
    } else if (a->id.p != NULL) {
        TRY(thing_get(c, a->kind, a->id, &row));
        tag_keys(c, jv_get(row, "Tags"));
    }
    if (row != NULL) {
        vpc = a->kind == K_VPC ? STR_NONE : get_s(row, "VpcId");
        type = get_s(row, "InstanceType");
    } else if (a->id.p == NULL) {
        vpc = shape_str_at(c->op->input, c->in, "VpcId");
        if (vpc.p == NULL && (a->kind == K_INSTANCE || a->kind == K_INTERFACE)) {
            struct str subnet = shape_str_at(c->op->input, c->in, "SubnetId");
            vpc = vpc_of_subnet(c, subnet);
            if (a->kind == K_INTERFACE && subnet.p != NULL)
                call_key(c, "ec2:Subnet", ec2_arn(c, K_SUBNET, subnet));
        }
        if (a->kind == K_INSTANCE)
            type = shape_str_at(c->op->input, c->in, "InstanceType");
    }
    if (vpc.p != NULL)
        call_key(c, "ec2:Vpc", ec2_arn(c, K_VPC, vpc));
    if (a->kind == K_INSTANCE)
        call_key(c, "ec2:InstanceType", type);
    return NULL;
}

/* -- which resources --------------------------------------------------------------------------- */

static struct err *add_about(struct call *c, struct abouts *all, enum kind k, struct str id)
{
    struct about a = {k, id};
    if (k == K_NONE)
        a.kind = kind_of_id(id);
    if (str_starts_c(id, "rtbassoc-") || str_starts_c(id, "aclassoc-") ||
        str_starts_c(id, "eipassoc-"))
        TRY(assoc_get(c, id, &a.kind, &a.id));
    if (a.kind == K_NONE) /* of no form: the handler says so, to whom may do it to anything */
        a = (struct about){k != K_NONE ? k : K_VPC, STR_NONE};
    VEC_PUSH(c->arena, all, a);
    return NULL;
}

static struct err *add_member(struct call *c, struct abouts *all, const struct named *n)
{
    const struct shape_member *m = shape_member(c->op->input, str_c(n->member));
    CHECK(m != NULL);
    const void *p = shape_at(m, c->in);
    if (m->shape->kind == SH_STRING) {
        struct str id = *(const struct str *)p;
        return id.p != NULL ? add_about(c, all, n->kind, id) : NULL;
    }
    const struct any_list *l = p;
    for (size_t i = 0; i < l->n && i < EC2_IDS_MAX; i++)
        TRY(add_about(c, all, n->kind, ((const struct str *)l->v)[i]));
    return NULL;
}

/* An address may be named by its number, and an interface carry subnet and groups. */
static struct err *add_indirect(struct call *c, struct abouts *all)
{
    const struct shape_member *ip = shape_member(c->op->input, STR("PublicIp"));
    if (ip != NULL && ip->shape->kind == SH_STRING) {
        struct rows found = {0};
        struct str text = *(const struct str *)shape_at(ip, c->in);
        if (text.p != NULL)
            TRY(thing_all(c, K_ADDRESS, "PublicIp", text, &found));
        for (size_t i = 0; i < found.n; i++)
            TRY(add_about(c, all, K_ADDRESS, thing_id(K_ADDRESS, found.v[i])));
    }
    if (strcmp(c->op->name, "RunInstances") != 0)
        return NULL;
    const struct ec2_RunInstancesRequest *in = c->in;
    TRY(add_about(c, all, K_INTERFACE, STR_NONE));
    for (size_t i = 0; i < in->NetworkInterfaces.n; i++) {
        const struct ec2_InstanceNetworkInterfaceSpecification *n = &in->NetworkInterfaces.v[i];
        if (n->SubnetId.p != NULL)
            TRY(add_about(c, all, K_SUBNET, n->SubnetId));
        for (size_t j = 0; j < n->Groups.n && j < EC2_IDS_MAX; j++)
            TRY(add_about(c, all, K_GROUP, n->Groups.v[j]));
    }
    return NULL;
}

static struct err *target_of(struct call *c, const struct about *a, struct target *out)
{
    TRY(resource_keys(c, a));
    *out = (struct target){.arn = ec2_arn(c, a->kind, a->id)};
    if (a->id.p != NULL)
        out->type = ec2_kinds[a->kind].resource;
    return NULL;
}

struct err *ec2_target(struct call *c, struct target *out)
{
    const struct about_op *o = NULL;
    for (size_t i = 0; i < ARRAY_LEN(about_ops); i++)
        if (strcmp(about_ops[i].op, c->op->name) == 0)
            o = &about_ops[i];
    forget_keys(c);
    if (o == NULL) /* Describe…: AWS knows no resources for them */
        return NULL;
    struct abouts all = {0};
    for (size_t i = 0; i < NAMED_MAX && (o->named[i].member != NULL || o->named[i].kind); i++)
        TRY(o->named[i].member != NULL ? add_member(c, &all, &o->named[i])
                                       : add_about(c, &all, o->named[i].kind, STR_NONE));
    TRY(add_indirect(c, &all));
    if (all.n == 0) /* what names it is missing, which the handler says */
        TRY(add_about(c, &all, o->named[0].kind != K_NONE ? o->named[0].kind : K_VPC, STR_NONE));
    for (size_t i = 0; i + 1 < all.n; i++) {
        struct target t;
        TRY(target_of(c, &all.v[i], &t));
        if (t.type != NULL)
            call_record_resource(c, t.arn, c->account, t.type);
        TRY(call_check(c, c->row->needs[0].action, &t));
    }
    return target_of(c, &all.v[all.n - 1], out);
}

/* -- tags at creation, and the role of an instance --------------------------------------------- */

bool ec2_has_tags(const struct call *c)
{
    const struct ec2_TagSpecificationList *specs = input_member(c, "TagSpecifications");
    for (size_t i = 0; specs != NULL && i < specs->n; i++)
        if (specs->v[i].Tags.n > 0)
            return true;
    return false;
}

struct err *ec2_target_tags(struct call *c, struct target *out)
{
    const struct ec2_TagSpecificationList *specs = input_member(c, "TagSpecifications");
    struct target t = {0};
    for (size_t i = 0; i < specs->n; i++) {
        enum kind k = kind_of_type(specs->v[i].ResourceType);
        if (k == K_NONE || specs->v[i].Tags.n == 0)
            continue;
        if (t.arn.p != NULL)
            TRY(call_check(c, "ec2:CreateTags", &t));
        TRY(target_of(c, &(struct about){k, STR_NONE}, &t));
        call_key(c, "ec2:CreateAction", str_c(c->op->name));
    }
    *out = t;
    return NULL;
}

bool ec2_has_profile(const struct call *c)
{
    const struct ec2_IamInstanceProfileSpecification *p =
        ((const struct ec2_RunInstancesRequest *)c->in)->IamInstanceProfile;
    return p != NULL && (p->Name.p != NULL || p->Arn.p != NULL);
}

/* The role within the profile. Without a profile of the name, or a role in it, "*": the handler
 * says so to whom may pass any role. */
struct err *ec2_target_passed_role(struct call *c, struct target *out)
{
    const struct ec2_RunInstancesRequest *in = c->in;
    struct str name = in->IamInstanceProfile->Name;
    struct arn arn;
    if (name.p == NULL && in->IamInstanceProfile->Arn.p != NULL &&
        arn_parse(in->IamInstanceProfile->Arn, &arn))
        name = str_skip(arn.resource, (size_t)str_rfind_char(arn.resource, '/') + 1);
    struct jv *profile = NULL, *role = NULL;
    if (name.n > 0)
        TRY(iam_row_get(c->txn, c->arena, "iam.profile", c->account, name, &profile));
    struct str role_name = jv_s(jv_at(jv_get(profile, "roles"), 0));
    if (role_name.n > 0)
        TRY(iam_row_get(c->txn, c->arena, "iam.role", c->account, role_name, &role));
    out->arn = get_s(role, "arn");
    call_key(c, "iam:PassedToService", STR("ec2.amazonaws.com"));
    call_key(c, "iam:AssociatedResourceArn", ec2_arn(c, K_INSTANCE, STR_NONE));
    return NULL;
}
