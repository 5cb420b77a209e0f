/* room.h: private to the EC2 room. */
#ifndef WARD_SVC_EC2_ROOM_H
#define WARD_SVC_EC2_ROOM_H

#include "cidr.h"
#include "ec2.h"
#include "ec2_model.h"
#include "filter.h"

#include <string.h>

/* -- kinds of things (kinds.c) ----------------------------------------------------------------- */

enum kind {
    K_NONE,
    K_VPC,
    K_SUBNET,
    K_GATEWAY,
    K_ROUTES,
    K_ACL,
    K_GROUP,
    K_DHCP,
    K_ADDRESS,
    K_INSTANCE,
    K_RULE,      /* of a security group: kept in the group's row */
    K_IMAGE,     /* only named */
    K_INTERFACE, /* kept in the instance's row */
    K_COUNT,
};

struct kind_facts {
    const char *prefix;    /* of ids: "vpc-" */
    const char *table;     /* NULL: not a row of its own */
    const char *type;      /* in ARNs and tags: "vpc" */
    const char *id_member; /* "VpcId" */
    const char *resource;  /* "AWS::EC2::VPC" */
    const char *missing, *missing_text; /* the error when there is no such thing */
    const char *malformed; /* …when the id is not of its form; NULL: as missing */
    int64_t most;
    const char *over;      /* the error beyond that */
    const struct filter_def *filters;
    /* Members that are not kept but derived; NULL: none. */
    struct err *(*derive)(struct call *c, const struct jv *row, struct jv *view);
};
extern const struct kind_facts ec2_kinds[K_COUNT];
enum kind kind_of_id(struct str id);          /* K_NONE: of no known form */
enum kind kind_of_type(struct str type);      /* "vpc" */

/* -- JSON by member names (parts.c) ------------------------------------------------------------ */

void set_s(struct call *c, struct jv *o, const char *k, struct str v); /* STR_NONE: removes */
void set_c(struct call *c, struct jv *o, const char *k, const char *v);
void set_i(struct call *c, struct jv *o, const char *k, int64_t v);
void set_b(struct call *c, struct jv *o, const char *k, bool v);
void set_v(struct call *c, struct jv *o, const char *k, const struct jv *v);
void unset(struct jv *o, const char *k);
struct str get_s(const struct jv *o, const char *k);
/* The list in the row itself, made when missing: push to it in place, but set no member of the row
 * while you hold it. */
struct jv *list_in(struct call *c, struct jv *o, const char *k);
void list_remove(struct jv *list, size_t i);
struct jv *list_find(const struct jv *list, const char *member, struct str value); /* or NULL */

/* -- rows (thing.c) ---------------------------------------------------------------------------- */

struct rows {
    struct jv **v;
    size_t n, cap;
};

struct skey ec2_key(struct call *c, struct str id);
struct str ec2_arn(struct call *c, enum kind k, struct str id); /* STR_NONE: "type/…*" */
struct str new_id(struct call *c, const char *prefix);

/* A row with id, OwnerId and no tags, counted; not yet written. */
struct err *thing_new(struct call *c, enum kind k, struct jv **out) MUST_CHECK;
struct err *thing_get(struct call *c, enum kind k, struct str id, struct jv **out) MUST_CHECK;
struct err *thing_need(struct call *c, enum kind k, struct str id, struct jv **out) MUST_CHECK;
struct err *thing_put(struct call *c, enum kind k, const struct jv *row) MUST_CHECK;
struct err *thing_drop(struct call *c, enum kind k, const struct jv *row) MUST_CHECK;
struct str thing_id(enum kind k, const struct jv *row);
/* All of a kind that have this text at the path (NULL: all). What a scan shows is not guarded
 * against other transactions: hold the VPC with vpc_hold. */
struct err *thing_all(struct call *c, enum kind k, const char *path, struct str text,
                      struct rows *out) MUST_CHECK;
struct err *thing_any(struct call *c, enum kind k, const char *path, struct str text, bool *out)
    MUST_CHECK;
struct err *err_missing(enum kind k, struct str id) MUST_CHECK;
struct err *err_dependency(const char *noun, struct str id) MUST_CHECK; /* DependencyViolation */

/* One at a time within a VPC: of two transactions that hold it one runs again. */
struct err *vpc_hold(struct call *c, struct str vpc_id) MUST_CHECK;

struct err *assoc_put(struct call *c, struct str assoc_id, enum kind k, struct str id) MUST_CHECK;
struct err *assoc_drop(struct call *c, struct str assoc_id) MUST_CHECK;
/* K_NONE in *out_kind: no such association. */
struct err *assoc_get(struct call *c, struct str assoc_id, enum kind *out_kind,
                      struct str *out_id) MUST_CHECK;
/* The row that an association is in. InvalidAssociationID.NotFound. */
struct err *assoc_need(struct call *c, struct str assoc_id, enum kind k, struct jv **out_row)
    MUST_CHECK;

/* -- every call (begin.c) ---------------------------------------------------------------------- */

/* What the model asks for (MissingParameter, InvalidParameterValue), what is not built, DryRun. */
struct err *ec2_begin(struct call *c, const void *in) MUST_CHECK;
/* NotImplemented when a struct has members set that are not in the blank-separated list. */
struct err *only_members(struct call *c, const struct shape *s, const void *value,
                         const char *list, const char *what) MUST_CHECK;
/* InvalidParameterValue: Value (…) for parameter … is invalid. … */
struct err *err_value(struct str value, const char *parameter, const char *why) MUST_CHECK;
struct err *err_parameter(const char *name) MUST_CHECK; /* MissingParameter */
/* A model's shape by the member of the call's input or output. */
const struct shape *member_shape(const struct shape *s, const char *name);

/* Handlers: begin, then the body with c, in, out. */
#define EC2_OP(op, In, Out)                                                                        \
    static struct err *op##_run(struct call *c, const struct ec2_##In *in, struct ec2_##Out *out); \
    struct err *ec2_##op##_op(struct call *c, const void *in, void *out)                           \
    {                                                                                              \
        TRY(ec2_begin(c, in));                                                                     \
        return op##_run(c, in, out);                                                               \
    }                                                                                              \
    static struct err *op##_run(UNUSED struct call *c, UNUSED const struct ec2_##In *in,           \
                                UNUSED struct ec2_##Out *out)
#define EC2_OP_NO_OUT(op, In)                                                                      \
    static struct err *op##_run(struct call *c, const struct ec2_##In *in);                        \
    struct err *ec2_##op##_op(struct call *c, const void *in, UNUSED void *out)                    \
    {                                                                                              \
        TRY(ec2_begin(c, in));                                                                     \
        return op##_run(c, in);                                                                    \
    }                                                                                              \
    static struct err *op##_run(UNUSED struct call *c, UNUSED const struct ec2_##In *in)

/* -- answers (describe.c) ---------------------------------------------------------------------- */

/* A row as AWS shows it. */
struct err *thing_view(struct call *c, enum kind k, const struct jv *row, struct jv **out)
    MUST_CHECK;
/* Puts a document into the member of the output. */
struct err *answer(struct call *c, void *out, const char *member, const struct jv *doc) MUST_CHECK;
struct err *answer_thing(struct call *c, void *out, const char *member, enum kind k,
                         const struct jv *row) MUST_CHECK;
struct err *answer_list(struct call *c, void *out, const char *member, const struct rows *docs)
    MUST_CHECK;

struct selection {
    struct rows docs; /* as AWS shows them */
    struct str next;  /* token, or STR_NONE */
};
/* The filters of the call. */
struct err *call_filters(struct call *c, const struct filter_def *defs, struct filter **out,
                         size_t *out_n) MUST_CHECK;
/* What ids, Filters, MaxResults and NextToken of the call choose. */
struct err *select_things(struct call *c, enum kind k, const char *ids_member,
                          struct selection *out) MUST_CHECK;
/* The same over documents made on the fly, in order; each has its place in the order at "at". */
struct err *select_docs(struct call *c, const struct filter_def *defs, const struct rows *from,
                        struct selection *out) MUST_CHECK;
void answer_next(struct call *c, void *out, struct str next);

/* -- tags (tags.c) ----------------------------------------------------------------------------- */

/* Puts the tags of TagSpecifications for this kind into the row. */
struct err *tags_at_creation(struct call *c, const struct ec2_TagSpecificationList *specs,
                             enum kind k, struct jv *row) MUST_CHECK;
struct err *tags_add(struct call *c, struct jv *row, const struct ec2_TagList *tags) MUST_CHECK;

/* -- authorisation (access.c) ------------------------------------------------------------------ */

struct err *ec2_target(struct call *c, struct target *out);
struct err *ec2_target_tags(struct call *c, struct target *out); /* CreateTags at creation */
bool ec2_has_tags(const struct call *c);
bool ec2_has_profile(const struct call *c);
struct err *ec2_target_passed_role(struct call *c, struct target *out);
bool ec2_is_internal(struct call *c);

/* -- client tokens (token.c) ------------------------------------------------------------------- */

/* STR_NONE: no token, or a new one. IdempotentParameterMismatch. */
struct err *token_get(struct call *c, struct str token, struct str *out_id) MUST_CHECK;
struct err *token_put(struct call *c, struct str token, struct str id) MUST_CHECK;
struct err *token_drop(struct call *c, struct str token) MUST_CHECK;
/* The thing that the token made before, for things that keep it as "token"; NULL: none. */
struct err *token_thing(struct call *c, struct str token, enum kind k, struct jv **out) MUST_CHECK;

/* -- between the files ------------------------------------------------------------------------- */

/* zone.c */
/* The zone named, or the first; InvalidParameterValue. */
struct err *zone_need(struct call *c, struct str name, struct str id, struct str *out_name,
                      struct str *out_id) MUST_CHECK;

/* vpc.c, and what a VPC is made with */
struct err *routes_make_main(struct call *c, const struct jv *vpc) MUST_CHECK;
struct err *acl_make_default(struct call *c, const struct jv *vpc) MUST_CHECK;
struct err *group_make_default(struct call *c, const struct jv *vpc) MUST_CHECK;
struct err *dhcp_default(struct call *c, struct str *out_id) MUST_CHECK;
struct err *read_block(struct str text, const char *parameter, struct cidr *out) MUST_CHECK;

/* acl.c */
struct err *acl_associate_default(struct call *c, struct str vpc_id, struct str subnet_id)
    MUST_CHECK;
struct err *acl_forget_subnet(struct call *c, struct str subnet_id) MUST_CHECK;
/* route.c */
struct err *routes_forget_subnet(struct call *c, struct str subnet_id) MUST_CHECK;
/* gateway.c */
struct err *gateway_of_vpc(struct call *c, struct str vpc_id, struct str *out_id) MUST_CHECK;
struct err *routes_gateway_state(struct call *c, struct str vpc_id, struct str gateway_id,
                                 const char *state) MUST_CHECK;
struct err *routes_instance_state(struct call *c, struct str vpc_id, struct str instance_id,
                                  const char *state) MUST_CHECK;

/* rule.c */
struct err *derive_group(struct call *c, const struct jv *row, struct jv *view);
/* attribute.c */
struct err *derive_instance(struct call *c, const struct jv *row, struct jv *view);
/* A rule row, by its parts; the peer is the caller's to set. */
struct jv *rule_row(struct call *c, const struct jv *group, bool egress, struct str protocol,
                    int64_t from, int64_t to);
bool protocol_number(struct str text, int64_t *out); /* -1: all */

/* subnet.c: addresses of a subnet. `wanted` STR_NONE: any free one. The row is changed, not
 * written. */
struct err *subnet_take_ip(struct call *c, struct jv *subnet, struct str wanted, struct str owner,
                           struct str *out_ip) MUST_CHECK;
struct err *subnet_give_ip(struct call *c, struct str subnet_id, struct str ip) MUST_CHECK;

/* address.c: public addresses */
struct err *public_take(struct call *c, struct str *out_ip) MUST_CHECK;
struct err *public_give(struct call *c, struct str ip) MUST_CHECK;
/* Takes an elastic address from the instance that has it; rows are written. */
struct err *address_detach_instance(struct call *c, struct jv *instance) MUST_CHECK;
/* Puts a public address on an instance's row (STR_NONE: takes it off). */
void instance_set_public(struct call *c, struct jv *instance, struct str ip, struct str ip_owner);

/* state.c */
enum instance_state {
    INSTANCE_PENDING = 0,
    INSTANCE_RUNNING = 16,
    INSTANCE_SHUTTING_DOWN = 32,
    INSTANCE_TERMINATED = 48,
    INSTANCE_STOPPING = 64,
    INSTANCE_STOPPED = 80,
};
int64_t instance_state(const struct jv *row);
/* Sets the state, its row in the outbox, and the job for the next one. */
struct err *instance_move(struct call *c, struct jv *row, enum instance_state to) MUST_CHECK;
struct jv *state_doc(struct call *c, int64_t code);
extern const struct job_kind ec2_jobs[];

/* -- handlers ---------------------------------------------------------------------------------- */

struct err *ec2_describe_op(struct call *c, const void *in, void *out); /* most Describe calls */

#define EC2_HANDLERS(X)                                                                            \
    X(CreateVpc) X(DeleteVpc) X(ModifyVpcAttribute) X(DescribeVpcAttribute)                        \
    X(AssociateDhcpOptions) X(CreateSubnet) X(DeleteSubnet) X(ModifySubnetAttribute)               \
    X(CreateInternetGateway) X(AttachInternetGateway) X(DetachInternetGateway)                     \
    X(DeleteInternetGateway) X(CreateRouteTable) X(DeleteRouteTable) X(CreateRoute)                \
    X(ReplaceRoute) X(DeleteRoute) X(AssociateRouteTable) X(DisassociateRouteTable)                \
    X(ReplaceRouteTableAssociation) X(CreateNetworkAcl) X(DeleteNetworkAcl)                        \
    X(CreateNetworkAclEntry) X(ReplaceNetworkAclEntry) X(DeleteNetworkAclEntry)                    \
    X(ReplaceNetworkAclAssociation) X(CreateSecurityGroup) X(DeleteSecurityGroup)                  \
    X(DescribeSecurityGroupRules) X(AuthorizeSecurityGroupIngress)                                 \
    X(AuthorizeSecurityGroupEgress) X(RevokeSecurityGroupIngress) X(RevokeSecurityGroupEgress)     \
    X(CreateDhcpOptions) X(DeleteDhcpOptions) X(AllocateAddress) X(ReleaseAddress)                 \
    X(DescribeAddresses) X(AssociateAddress) X(DisassociateAddress) X(RunInstances)                \
    X(StartInstances) X(StopInstances) X(RebootInstances) X(TerminateInstances)                    \
    X(DescribeInstances) X(DescribeInstanceStatus) X(DescribeInstanceAttribute)                    \
    X(ModifyInstanceAttribute) X(CreateTags) X(DeleteTags) X(DescribeTags)                         \
    X(DescribeAvailabilityZones) X(DescribeRegions) X(DescribeAccountAttributes)
#define EC2_DECLARE(op) OP_DECLARE(ec2, op);
EC2_HANDLERS(EC2_DECLARE)
#undef EC2_DECLARE

#endif
