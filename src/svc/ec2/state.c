/* The states of an instance, and the calls and jobs that move it between them.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
 *
 * A call moves an instance to pending, stopping or shutting-down; a job moves it on, EC2_STEP_MS
 * later, and an hour after the end takes its row away. There is no machine behind it. Each change
 * is a row in ec2.state, which the event bus reads. */
#include "instance.h"

#include "core/log.h"

#define T_STATE "ec2.state"
#define JOB "ec2.instance"

enum { OUTBOX_SWEEP = 16 }; /* old rows taken away with each new one */

static const char *state_name(int64_t code)
{
    switch (code) {
    case INSTANCE_PENDING:
        return "pending";
    case INSTANCE_RUNNING:
        return "running";
    case INSTANCE_SHUTTING_DOWN:
        return "shutting-down";
    case INSTANCE_TERMINATED:
        return "terminated";
    case INSTANCE_STOPPING:
        return "stopping";
    default:
        return "stopped";
    }
}

int64_t instance_state(const struct jv *row)
{
    return jv_i(jv_get(jv_get(row, "State"), "Code"), INSTANCE_TERMINATED);
}

struct jv *state_doc(struct call *c, int64_t code)
{
    struct jv *s = jv_new_obj(c->arena);
    set_i(c, s, "Code", code);
    set_c(c, s, "Name", state_name(code));
    return s;
}

/* -- the outbox -------------------------------------------------------------------------------- */

static struct err *sweep_outbox(struct call *c)
{
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    key_str(&prefix, c->region);
    struct skey from = prefix;
    key_u64(&from, 0);
    struct scan sc = {.prefix = key_of(&prefix), .from = key_of(&from), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, T_STATE, &sc, &cur));
    for (int i = 0; i < OUTBOX_SWEEP; i++) {
        bool more;
        struct str key, value, account, region;
        uint64_t at_ms;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        struct str whole = arena_str(c->arena, key);
        if (!key_take_str(c->arena, &key, &account) || !key_take_str(c->arena, &key, &region) ||
            !key_take_u64(&key, &at_ms) || (int64_t)at_ms > c->now_ms - EC2_OUTBOX_MS)
            return NULL;
        TRY(txn_del(c->txn, T_STATE, whole));
    }
    return NULL;
}

static struct err *tell(struct call *c, struct str id, enum instance_state old, bool is_new,
                        enum instance_state to)
{
    TRY(sweep_outbox(c));
    struct skey at = skey();
    key_str(&at, c->account);
    key_str(&at, c->region);
    key_u64(&at, (uint64_t)c->now_ms);
    key_str(&at, id);
    key_u32(&at, (uint32_t)to);
    struct jv *row = jv_new_obj(c->arena);
    set_s(c, row, "instance", id);
    if (!is_new)
        set_c(c, row, "old", state_name(old));
    set_c(c, row, "state", state_name(to));
    set_i(c, row, "time_ms", c->now_ms);
    return row_put(c, T_STATE, c->account, key_of(&at), row);
}

/* -- moving ------------------------------------------------------------------------------------ */

static struct str job_id(struct call *c, struct str id)
{
    return arena_fmt(c->arena, "%.*s/%.*s/%.*s", STR_ARG(c->account), STR_ARG(c->region),
                     STR_ARG(id));
}

struct err *instance_move(struct call *c, struct jv *row, enum instance_state to)
{
    struct str id = thing_id(K_INSTANCE, row), job = job_id(c, id);
    bool is_new = jv_get(row, "State") == NULL;
    TRY(tell(c, id, (enum instance_state)instance_state(row), is_new, to));
    set_v(c, row, "State", state_doc(c, to));
    if (to == INSTANCE_RUNNING || to == INSTANCE_STOPPED)
        return NULL;
    int64_t due = c->now_ms + (to == INSTANCE_TERMINATED ? EC2_GONE_MS : EC2_STEP_MS);
    set_i(c, row, "due_ms", due);
    return job_put(c->txn, c->account, JOB, job, due, job);
}

static void set_reason(struct call *c, struct jv *row, const char *code, const char *message)
{
    struct jv *r = jv_new_obj(c->arena);
    set_c(c, r, "Code", code);
    set_c(c, r, "Message", message);
    set_v(c, row, "StateReason", r);
    set_s(c, row, "StateTransitionReason",
          arena_fmt(c->arena, "User initiated (%.*s)",
                    STR_ARG(time_iso8601_str(c->arena, c->now_ms))));
}

static void clear_reason(struct call *c, struct jv *row)
{
    unset(row, "StateReason");
    set_c(c, row, "StateTransitionReason", "");
}

static struct err *bad_state(struct str id, const char *what)
{
    return err_aws(400, "IncorrectInstanceState",
                   "The instance '%.*s' is not in a state from which it can be %s.", STR_ARG(id),
                   what);
}

/* -- the calls --------------------------------------------------------------------------------- */

static struct err *start(struct call *c, struct jv *row)
{
    struct str id = thing_id(K_INSTANCE, row), ip;
    int64_t now = instance_state(row);
    if (now == INSTANCE_RUNNING || now == INSTANCE_PENDING)
        return NULL;
    if (now != INSTANCE_STOPPED)
        return bad_state(id, "started");
    if (jv_b(jv_get(row, "auto_public"), false) && get_s(row, "PublicIpAddress").n == 0) {
        TRY(public_take(c, &ip));
        instance_set_public(c, row, ip, STR("amazon"));
    }
    clear_reason(c, row);
    set_s(c, row, "LaunchTime", time_iso8601_str(c->arena, c->now_ms));
    return instance_move(c, row, INSTANCE_PENDING);
}

static struct err *stop(struct call *c, struct jv *row)
{
    int64_t now = instance_state(row);
    if (now == INSTANCE_STOPPED || now == INSTANCE_STOPPING)
        return NULL;
    if (now != INSTANCE_RUNNING)
        return bad_state(thing_id(K_INSTANCE, row), "stopped");
    set_reason(c, row, "Client.UserInitiatedShutdown",
               "Client.UserInitiatedShutdown: User initiated shutdown");
    return instance_move(c, row, INSTANCE_STOPPING);
}

static struct err *terminate(struct call *c, struct jv *row)
{
    struct str id = thing_id(K_INSTANCE, row);
    int64_t now = instance_state(row);
    if (now == INSTANCE_TERMINATED || now == INSTANCE_SHUTTING_DOWN)
        return NULL;
    if (jv_b(jv_get(row, "keep"), false))
        return err_aws(400, "OperationNotPermitted",
                       "The instance '%.*s' may not be terminated. Modify its "
                       "'disableApiTermination' instance attribute and try again.", STR_ARG(id));
    set_reason(c, row, "Client.UserInitiatedShutdown",
               "Client.UserInitiatedShutdown: User initiated shutdown");
    return instance_move(c, row, INSTANCE_SHUTTING_DOWN);
}

/* All of them or none: one that cannot is an error, and nothing is committed. */
static struct err *change_all(struct call *c, const struct ec2_InstanceIdStringList *ids,
                              struct err *(*change)(struct call *, struct jv *), void *out,
                              const char *member)
{
    struct rows docs = {0};
    if (ids->n == 0)
        return err_parameter("instanceId");
    if (ids->n > EC2_IDS_MAX)
        return err_aws(400, "InvalidParameterValue", "At most %d instances can be named.",
                       EC2_IDS_MAX);
    for (size_t i = 0; i < ids->n; i++) {
        struct jv *row, *d = jv_new_obj(c->arena);
        bool again = false;
        for (size_t j = 0; j < i && !again; j++)
            again = str_eq(ids->v[i], ids->v[j]);
        if (again)
            continue;
        TRY(thing_need(c, K_INSTANCE, ids->v[i], &row));
        int64_t before = instance_state(row);
        if (get_s(row, "VpcId").p != NULL)
            TRY(vpc_hold(c, get_s(row, "VpcId")));
        TRY(change(c, row));
        TRY(thing_put(c, K_INSTANCE, row));
        set_s(c, d, "InstanceId", ids->v[i]);
        set_v(c, d, "CurrentState", state_doc(c, instance_state(row)));
        set_v(c, d, "PreviousState", state_doc(c, before));
        VEC_PUSH(c->arena, &docs, d);
    }
    return member != NULL ? answer_list(c, out, member, &docs) : NULL;
}

EC2_OP(StartInstances, StartInstancesRequest, StartInstancesResult)
{
    return change_all(c, &in->InstanceIds, start, out, "StartingInstances");
}

EC2_OP(StopInstances, StopInstancesRequest, StopInstancesResult)
{
    return change_all(c, &in->InstanceIds, stop, out, "StoppingInstances");
}

EC2_OP(TerminateInstances, TerminateInstancesRequest, TerminateInstancesResult)
{
    return change_all(c, &in->InstanceIds, terminate, out, "TerminatingInstances");
}

/* A restart changes no state, in AWS either. */
static struct err *reboot(struct call *c UNUSED, struct jv *row)
{
    if (instance_state(row) != INSTANCE_RUNNING)
        return bad_state(thing_id(K_INSTANCE, row), "rebooted");
    return NULL;
}

EC2_OP_NO_OUT(RebootInstances, RebootInstancesRequest)
{
    return change_all(c, &in->InstanceIds, reboot, NULL, NULL);
}

/* -- the job ----------------------------------------------------------------------------------- */

static struct err *give_back_public(struct call *c, struct jv *row)
{
    struct str ip = get_s(row, "PublicIpAddress");
    if (ip.n == 0 || get_s(row, "elastic").p != NULL)
        return NULL;
    instance_set_public(c, row, STR_NONE, STR_NONE);
    return public_give(c, ip);
}

/* What a terminated instance no longer has; it is shown without, as in AWS. */
static struct err *release(struct call *c, struct jv *row)
{
    struct str id = thing_id(K_INSTANCE, row);
    TRY(address_detach_instance(c, row));
    TRY(give_back_public(c, row));
    TRY(subnet_give_ip(c, get_s(row, "SubnetId"), get_s(row, "PrivateIpAddress")));
    TRY(routes_instance_state(c, get_s(row, "VpcId"), id, "blackhole"));
    TRY(user_data_drop(c, id));
    static const char *const gone[] = {"VpcId", "SubnetId", "PrivateIpAddress",
                                       "IamInstanceProfile", "SourceDestCheck"};
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        unset(row, gone[i]);
    set_c(c, row, "PrivateDnsName", "");
    set_v(c, row, "NetworkInterfaces", jv_new_arr(c->arena));
    set_v(c, row, "SecurityGroups", jv_new_arr(c->arena));
    return NULL;
}

/* *out_next: where it goes from here; false: it stays. */
static struct err *move_on(struct call *c, struct jv *row, bool *out_moved)
{
    struct str id = thing_id(K_INSTANCE, row), vpc = get_s(row, "VpcId");
    *out_moved = true;
    if (vpc.p != NULL)
        TRY(vpc_hold(c, vpc));
    switch (instance_state(row)) {
    case INSTANCE_PENDING:
        TRY(routes_instance_state(c, vpc, id, "active"));
        return instance_move(c, row, INSTANCE_RUNNING);
    case INSTANCE_STOPPING:
        TRY(routes_instance_state(c, vpc, id, "blackhole"));
        TRY(give_back_public(c, row));
        return instance_move(c, row, INSTANCE_STOPPED);
    case INSTANCE_SHUTTING_DOWN:
        TRY(release(c, row));
        return instance_move(c, row, INSTANCE_TERMINATED);
    default:
        *out_moved = false;
        return NULL;
    }
}

static struct err *forget(struct call *c, const struct jv *row)
{
    TRY(token_drop(c, get_s(row, "ClientToken")));
    return thing_drop(c, K_INSTANCE, row);
}

static struct err *commit_moved(struct call *c, struct txn **t, const struct jv *row)
{
    struct jv *details = jv_new_obj(c->arena);
    set_s(c, details, "instance-id", thing_id(K_INSTANCE, row));
    set_c(c, details, "state", state_name(instance_state(row)));
    struct service_event ev = {.account = c->account,
                               .region = c->region,
                               .source = "ec2.amazonaws.com",
                               .name = "InstanceStateChange",
                               .resource_arn = ec2_arn(c, K_INSTANCE, thing_id(K_INSTANCE, row)),
                               .resource_type = "AWS::EC2::Instance",
                               .details = details};
    return service_event_commit(c->ward, t, &ev);
}

static struct err *step(struct job *j, int64_t *again_ms, bool *done)
{
    struct txn *t CLEANUP(txn_abort) = NULL;
    struct str rest = j->payload, account = str_cut(&rest, '/'), region = str_cut(&rest, '/');
    TRY(store_begin(j->ward->store, TXN_WRITE, &t));
    struct call c = {.ward = j->ward, .arena = j->arena, .txn = t, .account = account,
                     .region = region, .now_ms = clock_now_ms()};
    struct jv *row;
    bool moved = false;
    TRY(thing_get(&c, K_INSTANCE, rest, &row));
    *done = row == NULL;
    if (row == NULL)
        return NULL;
    int64_t due = jv_i(jv_get(row, "due_ms"), 0);
    if (due > c.now_ms) { /* a call moved it meanwhile */
        *again_ms = due;
        return NULL;
    }
    TRY(job_done_in(j, t)); /* before the next one of the same id is put */
    if (instance_state(row) == INSTANCE_TERMINATED) {
        TRY(forget(&c, row));
        return txn_commit(&t);
    }
    TRY(move_on(&c, row, &moved));
    if (!moved)
        return txn_commit(&t);
    TRY(thing_put(&c, K_INSTANCE, row));
    return commit_moved(&c, &t, row);
}

static enum job_next run_step(struct job *j, int64_t *again_ms)
{
    bool done = false;
    *again_ms = clock_now_ms() + job_backoff_ms(j->attempt, 100, 10000);
    struct err *e = step(j, again_ms, &done);
    if (e != NULL)
        j->done = false; /* nothing was committed: the job stands */
    if (e != NULL && !err_is(e, ERR_CONFLICT))
        log_err(LOG_ERROR, "an instance could not change its state; will try again", e);
    else
        err_free(e);
    return done ? JOB_DONE : JOB_AGAIN;
}

const struct job_kind ec2_jobs[] = {
    {.name = JOB, .run = run_step, .parallel = 4},
    {0},
};
