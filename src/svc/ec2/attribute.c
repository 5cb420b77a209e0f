/* Instances described, and their attributes read and changed.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html */
#include "instance.h"

/* The reservation is not a member of AWS's Instance, but is filtered by. */
struct err *derive_instance(struct call *c, const struct jv *row, struct jv *view)
{
    set_s(c, view, "reservation", get_s(row, "reservation"));
    return NULL;
}

static struct jv *reservation_in(struct call *c, struct rows *all, struct str id)
{
    for (size_t i = 0; i < all->n; i++)
        if (str_eq(get_s(all->v[i], "ReservationId"), id))
            return all->v[i];
    struct jv *r = jv_new_obj(c->arena);
    set_s(c, r, "ReservationId", id);
    set_s(c, r, "OwnerId", c->account);
    set_v(c, r, "Groups", jv_new_arr(c->arena));
    set_v(c, r, "Instances", jv_new_arr(c->arena));
    VEC_PUSH(c->arena, all, r);
    return r;
}

EC2_OP(DescribeInstances, DescribeInstancesRequest, DescribeInstancesResult)
{
    struct selection s;
    struct rows reservations = {0};
    TRY(select_things(c, K_INSTANCE, "InstanceIds", &s));
    for (size_t i = 0; i < s.docs.n; i++) {
        struct jv *r = reservation_in(c, &reservations, get_s(s.docs.v[i], "reservation"));
        unset(s.docs.v[i], "reservation");
        jv_push(c->arena, list_in(c, r, "Instances"), s.docs.v[i]);
    }
    TRY(answer_list(c, out, "Reservations", &reservations));
    out->NextToken = s.next;
    return NULL;
}

/* -- status ------------------------------------------------------------------------------------ */

static const struct filter_def status_filters[] = {
    {"instance-state-name", "InstanceState.Name"},
    {"instance-state-code", "InstanceState.Code"},
    {"availability-zone", "AvailabilityZone"},
    {"instance-status.status", "InstanceStatus.Status"},
    {"system-status.status", "SystemStatus.Status"},
    {"availability-zone-id", "AvailabilityZoneId"},
    /* No check is made, no event planned, no disk attached. */
    {"instance-status.reachability", "-"}, {"system-status.reachability", "-"},
    {"attached-ebs-status.status", "-"},   {"application-status.status", "-"},
    {"event.code", "-"},                   {"event.description", "-"},
    {"event.instance-event-id", "-"},      {"event.not-after", "-"},
    {"event.not-before", "-"},             {"event.not-before-deadline", "-"},
    {"operator.managed", "-"},             {"operator.principal", "-"},
    {0},
};

/* There is no machine to check: what AWS says when it cannot tell. */
static struct jv *status_row(struct call *c, const struct jv *row)
{
    bool running = instance_state(row) == INSTANCE_RUNNING;
    struct jv *d = jv_new_obj(c->arena), *s = jv_new_obj(c->arena);
    set_c(c, s, "Status", running ? "insufficient-data" : "not-applicable");
    set_s(c, d, "AvailabilityZone", get_s(jv_get(row, "Placement"), "AvailabilityZone"));
    set_s(c, d, "AvailabilityZoneId", get_s(jv_get(row, "Placement"), "AvailabilityZoneId"));
    set_s(c, d, "InstanceId", thing_id(K_INSTANCE, row));
    set_v(c, d, "InstanceState", jv_get(row, "State"));
    set_v(c, d, "InstanceStatus", s);
    set_v(c, d, "SystemStatus", s);
    set_s(c, d, "at", thing_id(K_INSTANCE, row));
    return d;
}

EC2_OP(DescribeInstanceStatus, DescribeInstanceStatusRequest, DescribeInstanceStatusResult)
{
    struct rows rows = {0}, docs = {0};
    if (in->InstanceIds.n > EC2_IDS_MAX)
        return err_aws(400, "InvalidParameterValue", "At most %d instances can be named.",
                       EC2_IDS_MAX);
    for (size_t i = 0; i < in->InstanceIds.n; i++) {
        struct jv *row;
        TRY(thing_need(c, K_INSTANCE, in->InstanceIds.v[i], &row));
        VEC_PUSH(c->arena, &rows, row);
    }
    if (in->InstanceIds.n == 0)
        TRY(thing_all(c, K_INSTANCE, NULL, STR_NONE, &rows));
    for (size_t i = 0; i < rows.n; i++)
        if (in->IncludeAllInstances.v || instance_state(rows.v[i]) == INSTANCE_RUNNING)
            VEC_PUSH(c->arena, &docs, status_row(c, rows.v[i]));
    struct selection s;
    TRY(select_docs(c, status_filters, &docs, &s));
    TRY(answer_list(c, out, "InstanceStatuses", &s.docs));
    out->NextToken = s.next;
    return NULL;
}

/* -- attributes -------------------------------------------------------------------------------- */

static struct ec2_AttributeValue *text_value(struct call *c, struct str s)
{
    struct ec2_AttributeValue *v = ARENA_NEW(c->arena, struct ec2_AttributeValue);
    v->Value = s;
    return v;
}

static struct ec2_AttributeBooleanValue *bool_value(struct call *c, bool b)
{
    struct ec2_AttributeBooleanValue *v = ARENA_NEW(c->arena, struct ec2_AttributeBooleanValue);
    v->Value = some_bool(b);
    return v;
}

EC2_OP(DescribeInstanceAttribute, DescribeInstanceAttributeRequest, InstanceAttribute)
{
    struct jv *row;
    struct str what = in->Attribute;
    TRY(thing_need(c, K_INSTANCE, in->InstanceId, &row));
    out->InstanceId = in->InstanceId;
    if (str_is(what, "instanceType")) {
        out->InstanceType = text_value(c, get_s(row, "InstanceType"));
    } else if (str_is(what, "userData")) {
        struct str data;
        TRY(user_data_get(c, in->InstanceId, &data));
        out->UserData = text_value(c, data);
    } else if (str_is(what, "disableApiTermination")) {
        out->DisableApiTermination = bool_value(c, jv_b(jv_get(row, "keep"), false));
    } else if (str_is(what, "instanceInitiatedShutdownBehavior")) {
        out->InstanceInitiatedShutdownBehavior = text_value(c, get_s(row, "shutdown"));
    } else if (str_is(what, "sourceDestCheck")) {
        out->SourceDestCheck = bool_value(c, jv_b(jv_get(row, "SourceDestCheck"), true));
    } else if (str_is(what, "ebsOptimized")) {
        out->EbsOptimized = bool_value(c, false);
    } else if (str_is(what, "groupSet")) {
        const struct jv *groups = jv_get(row, "SecurityGroups");
        out->Groups.v = ARENA_ARRAY(c->arena, jv_len(groups) + 1, struct ec2_GroupIdentifier);
        out->Groups.n = jv_len(groups);
        out->Groups.set = true;
        for (size_t i = 0; i < jv_len(groups); i++)
            out->Groups.v[i] =
                (struct ec2_GroupIdentifier){.GroupId = get_s(jv_at(groups, i), "GroupId"),
                                             .GroupName = get_s(jv_at(groups, i), "GroupName")};
    } else {
        return err_not_implemented(
            c, arena_fmt(c->arena, "The attribute %.*s", STR_ARG(what)).p);
    }
    return NULL;
}

/* The interface has it as well, and is what counts for traffic. */
static void set_check(struct call *c, struct jv *row, bool on)
{
    struct jv *enis = list_in(c, row, "NetworkInterfaces");
    if (enis->arr.n > 0)
        set_b(c, &enis->arr.v[0], "SourceDestCheck", on);
    set_b(c, row, "SourceDestCheck", on);
}

static struct err *set_groups(struct call *c, struct jv *row, const struct ec2_GroupIdStringList *l)
{
    struct jv *groups;
    struct str vpc = get_s(row, "VpcId");
    if (vpc.p == NULL)
        return err_aws(400, "IncorrectInstanceState", "The instance is terminated.");
    TRY(vpc_hold(c, vpc));
    TRY(groups_read(c, vpc, get_s(row, "SubnetId"), l->v, l->n, &groups));
    struct jv *enis = list_in(c, row, "NetworkInterfaces");
    if (enis->arr.n > 0)
        set_v(c, &enis->arr.v[0], "Groups", groups);
    set_v(c, row, "SecurityGroups", groups);
    return NULL;
}

static struct err *need_stopped(const struct jv *row, const char *what)
{
    if (instance_state(row) == INSTANCE_STOPPED)
        return NULL;
    return err_aws(400, "IncorrectInstanceState",
                   "The instance '%.*s' must be stopped to change its %s.",
                   STR_ARG(thing_id(K_INSTANCE, row)), what);
}

/* A type that the model of RunInstances does not list is none. */
static struct err *check_type(struct str type)
{
    const struct op_model *run = model_op(&ec2_model, STR("RunInstances"));
    const char *const *e = member_shape(run->input, "InstanceType")->enums;
    for (; e != NULL && *e != NULL; e++)
        if (str_is(type, *e))
            return NULL;
    return err_value(type, "instanceType", "");
}

static struct err *check_shutdown(struct str s)
{
    if (str_is(s, "stop") || str_is(s, "terminate"))
        return NULL;
    return err_value(s, "instanceInitiatedShutdownBehavior", "");
}

/* The older form: Attribute and Value. */
static struct err *by_name(struct call *c, struct str attribute, struct str value,
                           struct ec2_ModifyInstanceAttributeRequest *x)
{
    bool on = str_is_i(value, "true");
    if (value.p == NULL)
        return err_parameter("value");
    if (str_is(attribute, "instanceType"))
        x->InstanceType = text_value(c, value);
    else if (str_is(attribute, "disableApiTermination"))
        x->DisableApiTermination = bool_value(c, on);
    else if (str_is(attribute, "sourceDestCheck"))
        x->SourceDestCheck = bool_value(c, on);
    else if (str_is(attribute, "instanceInitiatedShutdownBehavior"))
        x->InstanceInitiatedShutdownBehavior = text_value(c, value);
    else
        return err_not_implemented(
            c, arena_fmt(c->arena, "Changing the attribute %.*s so", STR_ARG(attribute)).p);
    return NULL;
}

EC2_OP_NO_OUT(ModifyInstanceAttribute, ModifyInstanceAttributeRequest)
{
    struct jv *row;
    struct ec2_ModifyInstanceAttributeRequest x = *in;
    if (in->Attribute.p != NULL)
        TRY(by_name(c, in->Attribute, in->Value, &x));
    int given = (x.SourceDestCheck != NULL) + (x.DisableApiTermination != NULL) +
                (x.InstanceType != NULL) + (x.UserData != NULL) +
                (x.InstanceInitiatedShutdownBehavior != NULL) + (x.Groups.n > 0);
    if (given != 1)
        return err_aws(400, given == 0 ? "MissingParameter" : "InvalidParameterCombination",
                       given == 0 ? "The request must contain an attribute to change."
                                  : "Fields for multiple attribute types specified");
    TRY(thing_need(c, K_INSTANCE, in->InstanceId, &row));
    if (x.SourceDestCheck != NULL)
        set_check(c, row, x.SourceDestCheck->Value.v);
    if (x.DisableApiTermination != NULL)
        set_b(c, row, "keep", x.DisableApiTermination->Value.v);
    if (x.InstanceType != NULL) {
        TRY(check_type(x.InstanceType->Value));
        TRY(need_stopped(row, "instance type"));
        set_s(c, row, "InstanceType", x.InstanceType->Value);
    }
    if (x.InstanceInitiatedShutdownBehavior != NULL) {
        TRY(check_shutdown(x.InstanceInitiatedShutdownBehavior->Value));
        set_s(c, row, "shutdown", x.InstanceInitiatedShutdownBehavior->Value);
    }
    if (x.UserData != NULL) {
        TRY(need_stopped(row, "user data"));
        TRY(user_data_put(c, in->InstanceId, enc_base64(c->arena, x.UserData->Value)));
    }
    if (x.Groups.n > 0)
        TRY(set_groups(c, row, &x.Groups));
    return thing_put(c, K_INSTANCE, row);
}
