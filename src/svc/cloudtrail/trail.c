/* Trails: made, changed, deleted, described. */
#include "room.h"

#include "crypto/crypto.h"

enum { TRAIL_ID_CHARS = 16 };

struct skey trail_key(struct str account, struct str region, struct str name)
{
    struct skey k = skey();
    key_str(&k, account);
    key_str(&k, region);
    key_str(&k, name);
    return k;
}

struct skey trail_id_key(const struct trail *t)
{
    struct skey k = skey();
    key_str(&k, t->account);
    key_str(&k, t->id);
    return k;
}

static void from_row(struct str account, struct str region, struct jv *row, struct trail *out)
{
    *out = (struct trail){
        .id = jv_s(jv_get(row, "id")),
        .name = jv_s(jv_get(row, "name")),
        .arn = jv_s(jv_get(row, "arn")),
        .account = account,
        .region = region,
        .bucket = jv_s(jv_get(row, "bucket")),
        .prefix = jv_s(jv_get(row, "prefix")),
        .topic = jv_s(jv_get(row, "topic")),
        .kms_key = jv_s(jv_get(row, "kms_key")),
        .all_regions = jv_b(jv_get(row, "all_regions"), false),
        .global_events = jv_b(jv_get(row, "global_events"), true),
        .validation = jv_b(jv_get(row, "validation"), false),
        .logging = jv_b(jv_get(row, "logging"), false),
        .running = jv_b(jv_get(row, "running"), false),
        .created_ms = jv_i(jv_get(row, "created_ms"), 0),
        .started_ms = jv_i(jv_get(row, "started_ms"), 0),
        .stopped_ms = jv_i(jv_get(row, "stopped_ms"), 0),
        .validated_ms = jv_i(jv_get(row, "validated_ms"), 0),
        .delivered_ms = jv_i(jv_get(row, "delivered_ms"), 0),
        .digested_ms = jv_i(jv_get(row, "digested_ms"), 0),
        .delivery_error = jv_s(jv_get(row, "delivery_error")),
        .digest_error = jv_s(jv_get(row, "digest_error")),
        .notified_ms = jv_i(jv_get(row, "notified_ms"), 0),
        .notify_error = jv_s(jv_get(row, "notify_error")),
        .selectors = (struct jv *)jv_get(row, "selectors"),
        .advanced = (struct jv *)jv_get(row, "advanced"),
        .tags = (struct jv *)jv_get(row, "tags"),
    };
}

struct err *trail_read(struct txn *t, struct arena *a, struct str account, struct str region,
                       struct str name, struct trail *out, bool *out_found)
{
    struct skey k = trail_key(account, region, name);
    struct str text;
    struct jv *row;
    TRY(txn_get(t, TRAIL_T, key_of(&k), a, &text));
    *out_found = text.p != NULL;
    if (!*out_found)
        return NULL;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    from_row(account, region, row, out);
    return NULL;
}

struct err *trail_read_id(struct txn *t, struct arena *a, struct str account, struct str region,
                          struct str name, struct str id, struct trail *out, bool *out_found)
{
    TRY(trail_read(t, a, account, region, name, out, out_found));
    if (*out_found && str_eq(out->id, id))
        return NULL;
    struct trail at = {.account = account, .id = id};
    struct skey k = trail_id_key(&at);
    struct str text;
    struct jv *row;
    TRY(txn_get(t, TRAIL_T_ENDED, key_of(&k), a, &text));
    *out_found = text.p != NULL;
    if (!*out_found)
        return NULL;
    TRY(json_parse(a, text, JSON_DEPTH_DEFAULT, &row));
    from_row(account, region, row, out);
    out->ended = true;
    return NULL;
}

struct err *trail_rows_drop(struct txn *t, const struct trail *tr, const char *table)
{
    struct skey prefix = trail_id_key(tr);
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(t, table, &sc, &cur));
    for (;;) {
        bool more;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        TRY(txn_del(t, table, key));
    }
}

struct err *trail_job(struct txn *t, struct arena *a, const struct trail *tr, int64_t due_ms)
{
    struct str payload = arena_fmt(a, "%.*s %.*s", STR_ARG(tr->arn), STR_ARG(tr->id));
    return job_put(t, tr->account, TRAIL_JOB, tr->id, due_ms, payload);
}

struct err *trail_write(struct txn *t, struct arena *a, const struct trail *tr)
{
    struct jv *r = jv_new_obj(a);
    const struct {
        const char *key;
        struct str value;
    } texts[] = {{"id", tr->id},         {"name", tr->name},   {"arn", tr->arn},
                 {"bucket", tr->bucket}, {"prefix", tr->prefix}, {"topic", tr->topic},
                 {"kms_key", tr->kms_key}, {"delivery_error", tr->delivery_error},
                 {"digest_error", tr->digest_error}, {"notify_error", tr->notify_error}};
    const struct {
        const char *key;
        bool value;
    } flags[] = {{"all_regions", tr->all_regions},
                 {"global_events", tr->global_events},
                 {"validation", tr->validation},
                 {"logging", tr->logging},
                 {"running", tr->running}};
    const struct {
        const char *key;
        int64_t value;
    } times[] = {{"created_ms", tr->created_ms},
                 {"started_ms", tr->started_ms},
                 {"stopped_ms", tr->stopped_ms},
                 {"validated_ms", tr->validated_ms},
                 {"delivered_ms", tr->delivered_ms},
                 {"digested_ms", tr->digested_ms},
                 {"notified_ms", tr->notified_ms}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].value.p != NULL)
            jv_set(a, r, str_c(texts[i].key), jv_new_str(a, texts[i].value));
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        jv_set(a, r, str_c(flags[i].key), jv_new_bool(a, flags[i].value));
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        jv_set(a, r, str_c(times[i].key), jv_new_int(a, times[i].value));
    if (tr->selectors != NULL)
        jv_set(a, r, STR("selectors"), tr->selectors);
    if (tr->advanced != NULL)
        jv_set(a, r, STR("advanced"), tr->advanced);
    if (tr->tags != NULL)
        jv_set(a, r, STR("tags"), tr->tags);
    struct skey k = tr->ended ? trail_id_key(tr) : trail_key(tr->account, tr->region, tr->name);
    return txn_put(t, tr->ended ? TRAIL_T_ENDED : TRAIL_T, tr->account, key_of(&k), jv_text(a, r));
}

static struct err *not_found(struct call *c, struct str name)
{
    return err_aws(400, "TrailNotFoundException", "Unknown trail: %.*s for the user: %.*s",
                   STR_ARG(name), STR_ARG(c->account));
}

struct err *trail_need(struct call *c, struct str name_or_arn, struct trail *out)
{
    struct str region = c->region, name = name_or_arn;
    struct arn arn;
    if (str_starts_c(name, "arn:")) {
        if (!arn_parse(name, &arn) || !str_is(arn.service, "cloudtrail") ||
            !str_starts_c(arn.resource, "trail/"))
            return err_aws(400, "CloudTrailARNInvalidException", "The trail's ARN is not valid.");
        if (!str_eq(arn.account, c->account))
            return not_found(c, name_or_arn);
        region = arn.region;
        name = str_skip(arn.resource, 6);
    }
    bool found;
    TRY(trail_read(c->txn, c->arena, c->account, region, name, out, &found));
    return found ? NULL : not_found(c, name_or_arn);
}

struct err *trail_need_home(struct call *c, struct str name_or_arn, struct trail *out)
{
    TRY(trail_need(c, name_or_arn, out));
    if (str_eq(out->region, c->region))
        return NULL;
    return err_aws(400, "InvalidHomeRegionException",
                   "The trail can be changed in its home Region only: %.*s.", STR_ARG(out->region));
}

struct err *trail_list(struct call *c, bool shadows, struct trail_list *out)
{
    struct skey prefix = skey();
    key_str(&prefix, c->account);
    struct scan sc = {.prefix = key_of(&prefix)};
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    TRY(txn_scan(c->txn, TRAIL_T, &sc, &cur));
    VEC(struct trail) all = {0};
    for (;;) {
        bool more;
        struct str key, value, account, region, name;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            break;
        if (!key_take_str(c->arena, &key, &account) || !key_take_str(c->arena, &key, &region) ||
            !key_take_str(c->arena, &key, &name))
            continue;
        struct jv *row;
        struct trail t;
        TRY(json_parse(c->arena, value, JSON_DEPTH_DEFAULT, &row));
        from_row(c->account, region, row, &t);
        if (str_eq(region, c->region) || (shadows && t.all_regions))
            VEC_PUSH(c->arena, &all, t);
    }
    out->v = all.v;
    out->n = all.n;
    return NULL;
}

/* -- checks ------------------------------------------------------------------------------------ */

static struct err *check_name(struct str n)
{
    bool ok = n.n >= TRAIL_NAME_MIN && n.n <= TRAIL_NAME_MAX;
    for (size_t i = 0; ok && i < n.n; i++) {
        char ch = n.p[i];
        bool alnum = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     (ch >= '0' && ch <= '9');
        bool mark = ch == '.' || ch == '_' || ch == '-';
        ok = alnum || (mark && i > 0 && i + 1 < n.n && n.p[i - 1] != '.' && n.p[i - 1] != '_' &&
                       n.p[i - 1] != '-');
    }
    if (ok)
        return NULL;
    return err_aws(400, "InvalidTrailNameException",
                   "Trail name must be 3 to 128 letters, digits, periods, underscores and dashes, "
                   "begin and end with a letter or digit, and have no two marks in a row.");
}

/* Whether the caller can see that there is no such bucket; who cannot learns nothing. */
static bool no_bucket(struct call *c, struct str bucket)
{
    struct jv *in = jv_new_obj(c->arena);
    jv_set(c->arena, in, STR("Bucket"), jv_new_str(c->arena, bucket));
    struct api_call o = {.from = c, .as = AS_CALLER, .service = TRAIL_SERVICE};
    struct err *e = api_call_json(&o, "s3", "HeadBucket", in, false, NULL);
    bool none = e != NULL && err_http_status(e) == 404;
    err_free(e);
    return none;
}

/* Proof rather than guess: what deliveries will do is done once, as the service. */
static struct err *check_bucket(struct call *c, const struct trail *t)
{
    struct str tail = arena_fmt(c->arena, "AWSLogs/%.*s/CloudTrail/", STR_ARG(c->account));
    struct jv *in = trail_put_input(c->arena, t, trail_prefixed(c->arena, t, tail));
    struct api_call o = {.from = c, .as = AS_SERVICE, .service = TRAIL_SERVICE,
                         .source_arn = t->arn};
    struct err *e = api_call_body(&o, "s3", "PutObject", in, STR(""), NULL, 0, NULL);
    if (e == NULL)
        return NULL;
    bool denied = err_is(e, ERR_DENIED);
    if (!denied && !err_has_code(e, "NoSuchBucket"))
        return e;
    err_free(e);
    if (!denied || no_bucket(c, t->bucket))
        return err_aws(400, "S3BucketDoesNotExistException", "S3 bucket %.*s does not exist!",
                       STR_ARG(t->bucket));
    return err_aws(400, "InsufficientS3BucketPolicyException",
                   "Incorrect S3 bucket policy is detected for bucket: %.*s", STR_ARG(t->bucket));
}

static struct err *check_key(struct call *c, struct trail *t)
{
    if (t->kms_key.n == 0)
        return NULL;
    struct jv *in = jv_new_obj(c->arena), *out, *context = jv_new_obj(c->arena);
    jv_set(c->arena, in, STR("KeyId"), jv_new_str(c->arena, t->kms_key));
    jv_set(c->arena, in, STR("KeySpec"), jv_new_str(c->arena, STR("AES_256")));
    jv_set(c->arena, context, STR("aws:cloudtrail:arn"), jv_new_str(c->arena, t->arn));
    jv_set(c->arena, in, STR("EncryptionContext"), context);
    struct api_call o = {.from = c, .as = AS_SERVICE, .service = TRAIL_SERVICE,
                         .source_arn = t->arn};
    struct err *e = api_call_json(&o, "kms", "GenerateDataKeyWithoutPlaintext", in, false, &out);
    if (e == NULL) {
        t->kms_key = jv_s(jv_get(out, "KeyId"));
        return NULL;
    }
    struct err *named =
        e->kind == ERR_DENIED
            ? err_aws(400, "InsufficientEncryptionPolicyException",
                      "Insufficient permissions to access S3 bucket %.*s or KMS key %.*s.",
                      STR_ARG(t->bucket), STR_ARG(t->kms_key))
        : err_has_code(e, "NotFoundException")
            ? err_aws(400, "KmsKeyNotFoundException", "KMS key %.*s does not exist.",
                      STR_ARG(t->kms_key))
            : err_aws(400, "KmsException", "The KMS key cannot be used: %s", e->message);
    err_free(e);
    return named;
}

static struct err *check_topic(struct call *c, struct trail *t)
{
    if (t->topic.n == 0 || str_starts_c(t->topic, "arn:"))
        return NULL;
    t->topic = call_arn(c, "sns", "%.*s", STR_ARG(t->topic));
    return NULL;
}

static struct err *check_trail(struct call *c, struct trail *t)
{
    if (t->prefix.n > TRAIL_PREFIX_MAX)
        return err_aws(400, "InvalidS3PrefixException", "The S3 prefix is longer than %d.",
                       TRAIL_PREFIX_MAX);
    if (t->all_regions && !t->global_events)
        return err_aws(400, "InvalidParameterCombinationException",
                       "Multi-Region trail must include global service events.");
    TRY(check_topic(c, t));
    TRY(check_key(c, t));
    return check_bucket(c, t);
}

static struct str topic_name(struct str arn)
{
    ptrdiff_t at = str_rfind_char(arn, ':');
    return at < 0 ? arn : str_skip(arn, (size_t)at + 1);
}

/* What CreateTrail, UpdateTrail and the descriptions all say of a trail: three structs of the model
 * with the same members. */
#define SAY_TRAIL(out, t)                                                                          \
    do {                                                                                           \
        (out)->Name = (t)->name;                                                                   \
        (out)->S3BucketName = (t)->bucket;                                                         \
        (out)->S3KeyPrefix = (t)->prefix;                                                          \
        (out)->SnsTopicARN = (t)->topic;                                                           \
        (out)->SnsTopicName = topic_name((t)->topic);                                              \
        (out)->IncludeGlobalServiceEvents = some_bool((t)->global_events);                         \
        (out)->IsMultiRegionTrail = some_bool((t)->all_regions);                                   \
        (out)->TrailARN = (t)->arn;                                                                \
        (out)->LogFileValidationEnabled = some_bool((t)->validation);                              \
        (out)->KmsKeyId = (t)->kms_key;                                                            \
        (out)->IsOrganizationTrail = some_bool(false);                                             \
    } while (0)

/* -- operations -------------------------------------------------------------------------------- */

static struct err *not_built(struct call *c, struct str group, struct opt_bool organization)
{
    if (group.n > 0)
        return err_not_implemented(c, "Delivery of a trail to CloudWatch Logs");
    if (organization.v)
        return err_not_implemented(c, "An organization trail");
    return NULL;
}

OP_HANDLER(cloudtrail, CreateTrail, CreateTrailRequest, CreateTrailResponse)
{
    struct trail t;
    struct trail_list others;
    bool found;
    TRY(check_name(in->Name));
    TRY(not_built(c, in->CloudWatchLogsLogGroupArn, in->IsOrganizationTrail));
    TRY(trail_read(c->txn, c->arena, c->account, c->region, in->Name, &t, &found));
    if (found)
        return err_aws(400, "TrailAlreadyExistsException",
                       "Trail %.*s already exists for customer: %.*s", STR_ARG(in->Name),
                       STR_ARG(c->account));
    TRY(trail_list(c, false, &others));
    if (others.n >= TRAIL_PER_REGION_MAX)
        return err_aws(400, "MaximumNumberOfTrailsExceededException",
                       "User: %.*s already has %d trails in %.*s.", STR_ARG(c->account),
                       TRAIL_PER_REGION_MAX, STR_ARG(c->region));
    t = (struct trail){.name = in->Name,
                       .account = c->account,
                       .region = c->region,
                       .bucket = in->S3BucketName,
                       .prefix = in->S3KeyPrefix,
                       .topic = in->SnsTopicName,
                       .kms_key = in->KmsKeyId,
                       .all_regions = in->IsMultiRegionTrail.v,
                       .global_events = !in->IncludeGlobalServiceEvents.set ||
                                        in->IncludeGlobalServiceEvents.v,
                       .validation = in->EnableLogFileValidation.v,
                       .created_ms = c->now_ms};
    t.arn = call_arn(c, "cloudtrail", "trail/%.*s", STR_ARG(in->Name));
    t.id = rand_text(c->arena, TRAIL_ID_CHARS, "abcdefghijklmnopqrstuvwxyz0123456789");
    t.validated_ms = t.validation ? c->now_ms : 0;
    if (in->TagsList.n > TRAIL_TAGS_MAX)
        return err_aws(400, "TagsLimitExceededException", "A trail has at most %d tags.",
                       TRAIL_TAGS_MAX);
    t.tags = jv_new_arr(c->arena);
    for (size_t i = 0; i < in->TagsList.n; i++) {
        struct jv *tag = jv_new_obj(c->arena);
        jv_set(c->arena, tag, STR("Key"), jv_new_str(c->arena, in->TagsList.v[i].Key));
        jv_set(c->arena, tag, STR("Value"), jv_new_str(c->arena, in->TagsList.v[i].Value));
        jv_push(c->arena, t.tags, tag);
    }
    TRY(check_trail(c, &t));
    TRY(trail_write(c->txn, c->arena, &t));
    SAY_TRAIL(out, &t);
    return NULL;
}

OP_HANDLER(cloudtrail, UpdateTrail, UpdateTrailRequest, UpdateTrailResponse)
{
    struct trail t;
    TRY(not_built(c, in->CloudWatchLogsLogGroupArn, in->IsOrganizationTrail));
    TRY(trail_need_home(c, in->Name, &t));
    if (in->S3BucketName.p != NULL)
        t.bucket = in->S3BucketName;
    if (in->S3KeyPrefix.p != NULL)
        t.prefix = in->S3KeyPrefix;
    if (in->SnsTopicName.p != NULL)
        t.topic = in->SnsTopicName;
    if (in->KmsKeyId.p != NULL)
        t.kms_key = in->KmsKeyId;
    if (in->IsMultiRegionTrail.set)
        t.all_regions = in->IsMultiRegionTrail.v;
    if (in->IncludeGlobalServiceEvents.set)
        t.global_events = in->IncludeGlobalServiceEvents.v;
    if (in->EnableLogFileValidation.set) {
        if (in->EnableLogFileValidation.v && !t.validation)
            t.validated_ms = c->now_ms;
        t.validation = in->EnableLogFileValidation.v;
        if (!t.validation)
            TRY(digest_forget(c->txn, &t));
    }
    TRY(check_trail(c, &t));
    TRY(trail_write(c->txn, c->arena, &t));
    SAY_TRAIL(out, &t);
    return NULL;
}

/* What was recorded until now, this call with it, is still delivered, and digested. */
OP_HANDLER(cloudtrail, DeleteTrail, DeleteTrailRequest, DeleteTrailResponse)
{
    struct trail t;
    TRY(trail_need_home(c, in->Name, &t));
    struct skey k = trail_key(t.account, t.region, t.name);
    TRY(txn_del(c->txn, TRAIL_T, key_of(&k)));
    if (!t.running) {
        struct skey cursor = trail_id_key(&t);
        return txn_del(c->txn, TRAIL_T_CURSOR, key_of(&cursor));
    }
    if (t.logging)
        t.stopped_ms = c->now_ms;
    t.logging = false;
    t.ended = true;
    TRY(trail_write(c->txn, c->arena, &t));
    return trail_job(c->txn, c->arena, &t, c->now_ms + TRAIL_LAST_MS);
}

static void describe(const struct trail *t, struct cloudtrail_Trail *out)
{
    SAY_TRAIL(out, t);
    out->HomeRegion = t->region;
    out->HasCustomEventSelectors = some_bool(t->selectors != NULL || t->advanced != NULL);
    out->HasInsightSelectors = some_bool(false);
}

OP_HANDLER(cloudtrail, GetTrail, GetTrailRequest, GetTrailResponse)
{
    struct trail t;
    TRY(trail_need(c, in->Name, &t));
    out->Trail = ARENA_NEW(c->arena, struct cloudtrail_Trail);
    describe(&t, out->Trail);
    return NULL;
}

static bool wanted(const struct cloudtrail_TrailNameList *names, const struct trail *t)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(names->v[i], t->name) || str_eq(names->v[i], t->arn))
            return true;
    return names->n == 0;
}

OP_HANDLER(cloudtrail, DescribeTrails, DescribeTrailsRequest, DescribeTrailsResponse)
{
    struct trail_list all;
    TRY(trail_list(c, !in->includeShadowTrails.set || in->includeShadowTrails.v, &all));
    out->trailList.v = ARENA_ARRAY(c->arena, all.n + 1, struct cloudtrail_Trail);
    out->trailList.set = true;
    for (size_t i = 0; i < all.n; i++)
        if (wanted(&in->trailNameList, &all.v[i]))
            describe(&all.v[i], &out->trailList.v[out->trailList.n++]);
    return NULL;
}

OP_HANDLER(cloudtrail, ListTrails, ListTrailsRequest, ListTrailsResponse)
{
    struct trail_list all;
    TRY(trail_list(c, true, &all));
    out->Trails.v = ARENA_ARRAY(c->arena, all.n + 1, struct cloudtrail_TrailInfo);
    out->Trails.set = true;
    for (size_t i = 0; i < all.n; i++) {
        struct cloudtrail_TrailInfo *t = &out->Trails.v[out->Trails.n++];
        t->Name = all.v[i].name;
        t->TrailARN = all.v[i].arn;
        t->HomeRegion = all.v[i].region;
    }
    return NULL;
}
