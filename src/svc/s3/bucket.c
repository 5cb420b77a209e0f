/* Buckets: their rows, making, listing, deleting. */
#include "internal.h"

#include "../../crypto/crypto.h"

enum { DELETE_MARK_MS = 30000, BUCKET_NAME_MIN = 3, BUCKET_NAME_MAX = 63, ACCOUNT_ID_SIZE = 12 };

/* -- the row ----------------------------------------------------------------------------------- */

struct str s3_canonical_id(struct arena *a, struct str account)
{
    return sha256_hex(a, arena_concat(a, STR("s3 canonical user "), account));
}

struct s3_Owner *s3_owner(struct arena *a, struct str account)
{
    struct s3_Owner *o = ARENA_NEW(a, struct s3_Owner);
    o->ID = s3_canonical_id(a, account);
    return o;
}

struct err *s3_bucket_find(struct call *c, struct str name, struct s3_bucket *out, bool *found)
{
    struct jv *row = NULL;
    *found = false;
    if (name.n == 0 || name.n > BUCKET_NAME_MAX)
        return NULL;
    /* Everybody who writes into a bucket reads its row: a tracked read would make them wait for
     * each other. Deletion is guarded by the bucket's gate; a change of the row itself conflicts
     * with another change. */
    TRY(row_peek(c, T_BUCKET, name, &row));
    if (row == NULL)
        return NULL;
    struct s3_bucket b = {.name = name, .row = row};
    b.account = jv_s(jv_get(row, "account"));
    b.region = jv_s(jv_get(row, "region"));
    b.id = (uint64_t)jv_i(jv_get(row, "id"), 0);
    b.arn = arena_concat(c->arena, STR("arn:aws:s3:::"), name);
    b.owner = arena_fmt(c->arena, "%.*s/s3/%.*s/%016llx", STR_ARG(b.account), STR_ARG(name),
                        (unsigned long long)b.id);
    struct str v = jv_s(jv_get(row, "versioning"));
    b.versioning = str_is(v, "Enabled")     ? VERSIONING_ENABLED
                   : str_is(v, "Suspended") ? VERSIONING_SUSPENDED
                                            : VERSIONING_OFF;
    *out = b;
    *found = true;
    return NULL;
}

static bool is_account_id(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n == ACCOUNT_ID_SIZE;
}

struct err *s3_bucket_get(struct call *c, struct str name, struct str expected_owner,
                          struct s3_bucket *out)
{
    bool found = false;
    c->resource_name = arena_concat(c->arena, STR("/"), name);
    struct str key = s3_in(c, "Key");
    if (key.p != NULL)
        c->resource_name = arena_fmt(c->arena, "/%.*s/%.*s", STR_ARG(name), STR_ARG(key));
    TRY(s3_bucket_find(c, name, out, &found));
    if (expected_owner.p != NULL && !is_account_id(expected_owner))
        return err_aws(400, "InvalidBucketOwnerAWSAccountID",
                       "The value of the expected bucket owner parameter must be an AWS Account "
                       "ID");
    if (!found)
        return err_aws(404, "NoSuchBucket", "The specified bucket does not exist");
    if (expected_owner.p != NULL && !str_eq(expected_owner, out->account))
        return err_aws(403, "AccessDenied", "Access Denied");
    return NULL;
}

static struct str gate_name(struct call *c, const struct s3_bucket *b)
{
    return arena_fmt(c->arena, "s3/%016llx", (unsigned long long)b->id);
}

struct err *s3_bucket_for_write(struct call *c, struct str name, struct str expected_owner,
                                struct s3_bucket *out)
{
    TRY(s3_bucket_get(c, name, expected_owner, out));
    TRY(txn_gate_pass(c->txn, c->arena, gate_name(c, out)));
    const struct jv *mark = jv_get(out->row, "deleting");
    if (!jv_is(mark, JV_OBJ))
        return NULL;
    if (jv_i(jv_get(mark, "until"), 0) > c->now_ms)
        return err_aws(409, "OperationAborted",
                       "A conflicting conditional operation is currently in progress against this "
                       "resource. Please try again.");
    /* A deletion that never ended. Taking its mark away makes its commit fail, should it still be
     * under way. */
    return s3_bucket_set(c, out, "deleting", NULL);
}

struct err *s3_bucket_save(struct call *c, const struct s3_bucket *b)
{
    return row_put(c, T_BUCKET, b->account, b->name, b->row);
}

struct err *s3_bucket_set(struct call *c, struct s3_bucket *b, const char *name,
                          const struct jv *value)
{
    struct jv *row = jv_new_obj(c->arena);
    for (size_t i = 0; i < b->row->obj.n; i++)
        if (!str_is(b->row->obj.v[i].key, name))
            jv_set(c->arena, row, b->row->obj.v[i].key, &b->row->obj.v[i].value);
    if (value != NULL)
        jv_set(c->arena, row, str_c(name), value);
    b->row = row;
    return s3_bucket_save(c, b);
}

/* -- making ------------------------------------------------------------------------------------ */

static bool looks_like_ip(struct str name)
{
    int parts = 0;
    while (name.p != NULL) {
        int64_t v;
        if (!str_to_i64(str_cut(&name, '.'), 0, 255, &v))
            return false;
        parts++;
    }
    return parts == 4;
}

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
static bool valid_name(struct str n)
{
    static const char *const prefixes[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const suffixes[] = {"-s3alias", "--ol-s3",    ".mrap",
                                           "--x-s3",   "--table-s3", "-an"};
    if (n.n < BUCKET_NAME_MIN || n.n > BUCKET_NAME_MAX || looks_like_ip(n))
        return false;
    for (size_t i = 0; i < n.n; i++) {
        char ch = n.p[i];
        bool alnum = (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9');
        bool edge = i == 0 || i == n.n - 1;
        if (!alnum && (edge || (ch != '-' && ch != '.')))
            return false;
        if (ch == '.' && n.p[i - 1] == '.')
            return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts_c(n, prefixes[i]))
            return false;
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
        if (str_ends_c(n, suffixes[i]))
            return false;
    return true;
}

/* Where the bucket is to be: the endpoint's region, which a constraint has to agree with, but for
 * us-east-1, from where buckets are made everywhere. */
static struct err *choose_region(struct call *c, const struct s3_CreateBucketConfiguration *k,
                                 struct str *out)
{
    struct str wish = k == NULL ? STR_NONE : k->LocationConstraint;
    bool us_east_1 = str_is(c->region, "us-east-1");
    if (str_is(wish, "EU"))
        wish = STR("eu-west-1");
    if (wish.n == 0 && !us_east_1)
        return err_aws(400, "IllegalLocationConstraintException",
                       "The unspecified location constraint is incompatible for the region "
                       "specific endpoint this request was sent to.");
    if (wish.n > 0 && !us_east_1 && !str_eq(wish, c->region))
        return err_aws(400, "IllegalLocationConstraintException",
                       "The %.*s location constraint is incompatible for the region specific "
                       "endpoint this request was sent to.",
                       STR_ARG(wish));
    *out = wish.n > 0 ? wish : c->region;
    return NULL;
}

static struct err *check_create(struct call *c, const struct s3_CreateBucketRequest *in)
{
    if (!valid_name(in->Bucket))
        return err_aws(400, "InvalidBucketName", "The specified bucket is not valid.");
    const struct str grants[] = {in->GrantFullControl, in->GrantRead, in->GrantReadACP,
                                 in->GrantWrite, in->GrantWriteACP};
    for (size_t i = 0; i < ARRAY_LEN(grants); i++)
        if (grants[i].p != NULL)
            return err_aws(400, "InvalidBucketAclWithObjectOwnership",
                           "Bucket cannot have ACLs set with ObjectOwnership's "
                           "BucketOwnerEnforced setting");
    if (in->ACL.p != NULL && !str_is(in->ACL, "private"))
        return err_aws(400, "InvalidBucketAclWithObjectOwnership",
                       "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced "
                       "setting");
    if (in->ObjectLockEnabledForBucket.v)
        return err_not_implemented(c, "Object Lock");
    if (in->ObjectOwnership.p != NULL && !str_is(in->ObjectOwnership, "BucketOwnerEnforced"))
        return err_not_implemented(c, "ObjectOwnership other than BucketOwnerEnforced");
    if (str_is(in->BucketNamespace, "account-regional"))
        return err_not_implemented(c, "BucketNamespace account-regional");
    const struct s3_CreateBucketConfiguration *k = in->CreateBucketConfiguration;
    if (k != NULL && (k->Location != NULL || k->Bucket != NULL))
        return err_not_implemented(c, "Directory buckets");
    return NULL;
}

static struct jv *all_blocked(struct arena *a)
{
    static const char *const names[] = {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy",
                                        "RestrictPublicBuckets"};
    struct jv *o = jv_new_obj(a);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        jv_set(a, o, str_c(names[i]), jv_new_bool(a, true));
    return o;
}

static struct err *check_count(struct call *c)
{
    struct skey k = skey();
    key_str(&k, c->account);
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {.prefix = key_of(&k), .keys_only = true};
    TRY(txn_scan(c->txn, T_MINE, &sc, &cur));
    for (int n = 0;; n++) {
        bool more = false;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            return NULL;
        if (n >= S3_BUCKETS_MAX)
            return err_aws(400, "TooManyBuckets",
                           "You have attempted to create more buckets than allowed");
    }
}

static struct err *make_bucket(struct call *c, const struct s3_CreateBucketRequest *in,
                               struct str region)
{
    struct arena *a = c->arena;
    const struct s3_CreateBucketConfiguration *k = in->CreateBucketConfiguration;
    struct jv *row = jv_new_obj(a);
    int64_t id = (int64_t)(rand_u64() >> 1) | 1;
    jv_set(a, row, STR("account"), jv_new_str(a, c->account));
    jv_set(a, row, STR("region"), jv_new_str(a, region));
    jv_set(a, row, STR("id"), jv_new_int(a, id));
    jv_set(a, row, STR("created"), jv_new_int(a, c->now_ms));
    jv_set(a, row, STR("ownership"), jv_new_str(a, STR("BucketOwnerEnforced")));
    jv_set(a, row, STR("block"), all_blocked(a));
    if (k != NULL && k->Tags.n > 0) {
        TRY(s3_tags_check(&k->Tags, S3_BUCKET_TAGS_MAX));
        jv_set(a, row, STR("tags"), s3_tags_to_jv(a, &k->Tags));
    }
    TRY(row_put(c, T_BUCKET, c->account, in->Bucket, row));
    struct skey key = skey();
    key_str(&key, c->account);
    key_tail(&key, in->Bucket);
    return txn_put(c->txn, T_MINE, c->account, key_of(&key), STR(""));
}

S3_HANDLER(CreateBucket, CreateBucketRequest, CreateBucketOutput)
{
    struct str region = STR_NONE;
    struct s3_bucket old;
    bool found = false;
    if (c->id.who.kind == PRINCIPAL_ANONYMOUS)
        return err_aws(403, "AccessDenied", "Access Denied");
    c->resource_name = arena_concat(c->arena, STR("/"), in->Bucket);
    TRY(check_create(c, in));
    TRY(choose_region(c, in->CreateBucketConfiguration, &region));
    TRY(s3_bucket_find(c, in->Bucket, &old, &found));
    bool mine = found && str_eq(old.account, c->account);
    if (found && !mine)
        return err_aws(409, "BucketAlreadyExists",
                       "The requested bucket name is not available. The bucket namespace is shared "
                       "by all users of the system. Please select a different name and try again.");
    /* us-east-1 alone answers success to the owner who makes a bucket a second time. */
    if (mine && !(str_is(c->region, "us-east-1") && str_eq(old.region, region)))
        return err_aws(409, "BucketAlreadyOwnedByYou",
                       "Your previous request to create the named bucket succeeded and you already "
                       "own it.");
    if (!mine) {
        TRY(check_count(c));
        TRY(make_bucket(c, in, region));
    }
    out->Location = str_is(c->region, "us-east-1") && str_eq(region, c->region)
                        ? arena_concat(c->arena, STR("/"), in->Bucket)
                        : arena_fmt(c->arena, "http://%.*s.s3.amazonaws.com/", STR_ARG(in->Bucket));
    out->BucketArn = arena_concat(c->arena, STR("arn:aws:s3:::"), in->Bucket);
    return NULL;
}

/* -- deleting ---------------------------------------------------------------------------------- */

static struct err *has_objects(struct call *c, const struct s3_bucket *b, bool *out)
{
    struct skey k = skey();
    key_u64(&k, b->id);
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {.prefix = key_of(&k), .keys_only = true};
    TRY(txn_scan(c->txn, T_OBJECT, &sc, &cur));
    struct str key, value;
    return cursor_next(cur, out, &key, &value);
}

/* Sets or takes away this call's mark in a transaction of its own. */
static struct err *mark_deleting(struct call *c, const struct s3_bucket *b, bool on)
{
    struct txn *mine CLEANUP(txn_abort) = NULL;
    struct txn *kept = c->txn;
    struct s3_bucket now;
    bool found = false;
    TRY(store_begin(c->ward->store, TXN_WRITE, &mine));
    c->txn = mine; /* the row functions work in the call's transaction */
    struct err *e = s3_bucket_find(c, b->name, &now, &found);
    if (e == NULL && found && now.id == b->id) {
        struct jv *mark = jv_new_obj(c->arena);
        jv_set(c->arena, mark, STR("by"), jv_new_str(c->arena, str_c(c->request_id)));
        jv_set(c->arena, mark, STR("until"), jv_new_int(c->arena, clock_now_ms() + DELETE_MARK_MS));
        e = s3_bucket_set(c, &now, "deleting", on ? mark : NULL);
        /* Whoever passed before the mark and has not committed must look again, and sees it. */
        if (e == NULL && on)
            e = txn_gate_shut(mine, now.account, gate_name(c, &now));
    }
    c->txn = kept;
    TRY(e);
    return txn_commit(&mine);
}

static struct err *not_empty(void)
{
    return err_aws(409, "BucketNotEmpty", "The bucket you tried to delete is not empty");
}

S3_HANDLER_NO_OUT(DeleteBucket, DeleteBucketRequest)
{
    struct s3_bucket b;
    bool any = false;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    TRY(has_objects(c, &b, &any));
    const struct jv *mark = jv_get(b.row, "deleting");
    bool mine = str_is(jv_s(jv_get(mark, "by")), c->request_id);
    if (any) {
        if (mine)
            err_free(mark_deleting(c, &b, false)); /* else it lapses by itself */
        return not_empty();
    }
    if (!mine) {
        if (jv_i(jv_get(mark, "until"), 0) > c->now_ms)
            return err_aws(409, "OperationAborted",
                           "A conflicting conditional operation is currently in progress against "
                           "this resource. Please try again.");
        TRY(mark_deleting(c, &b, true));
        /* Once more, in a snapshot that is later than the mark. */
        return err_new(ERR_CONFLICT, "The bucket is about to be deleted.");
    }
    struct skey k = skey();
    key_str(&k, b.account);
    key_tail(&k, b.name);
    TRY(txn_del(c->txn, T_MINE, key_of(&k)));
    TRY(txn_del(c->txn, T_BUCKET, b.name));
    struct jv *what = jv_new_obj(c->arena);
    jv_set(c->arena, what, STR("bucket"), jv_new_int(c->arena, (int64_t)b.id));
    jv_set(c->arena, what, STR("owner"), jv_new_str(c->arena, b.owner));
    return job_put(c->txn, b.account, "s3.reap",
                   arena_fmt(c->arena, "b%016llx", (unsigned long long)b.id),
                   c->now_ms + S3_REAP_DELAY_MS, jv_text(c->arena, what));
}

/* -- looking ----------------------------------------------------------------------------------- */

S3_HANDLER(HeadBucket, HeadBucketRequest, HeadBucketOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    out->BucketRegion = b.region;
    out->BucketArn = b.arn;
    out->AccessPointAlias = some_bool(false);
    return NULL;
}

S3_HANDLER(GetBucketLocation, GetBucketLocationRequest, GetBucketLocationOutput)
{
    struct s3_bucket b;
    TRY(s3_bucket_get(c, in->Bucket, in->ExpectedBucketOwner, &b));
    /* us-east-1 is told as nothing:
     * https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html */
    if (!str_is(b.region, "us-east-1"))
        out->LocationConstraint = b.region;
    return NULL;
}

static struct err *add_bucket(struct call *c, struct str name, struct str region, bool *out_added,
                              struct s3_Bucket *out)
{
    struct s3_bucket b;
    bool found = false;
    *out_added = false;
    TRY(s3_bucket_find(c, arena_str(c->arena, name), &b, &found));
    if (!found || (region.n > 0 && !str_eq(region, b.region)))
        return NULL;
    out->Name = b.name;
    out->CreationDate = some_int(jv_i(jv_get(b.row, "created"), 0));
    out->BucketRegion = b.region;
    out->BucketArn = b.arn;
    *out_added = true;
    return NULL;
}

S3_HANDLER(ListBuckets, ListBucketsRequest, ListBucketsOutput)
{
    int64_t max = in->MaxBuckets.set ? in->MaxBuckets.v : S3_BUCKETS_MAX;
    struct str after = STR_NONE;
    TRY(page_position(c, in->ContinuationToken, "InvalidArgument", &after));
    struct skey base = skey(), prefix, from;
    key_str(&base, c->account);
    prefix = from = base;
    key_tail(&prefix, in->Prefix);
    key_tail(&from, after);
    struct cursor *cur CLEANUP(cursor_free_ptr) = NULL;
    struct scan sc = {.prefix = key_of(&prefix), .keys_only = true};
    if (after.n > 0 && str_cmp(key_of(&from), key_of(&prefix)) > 0) {
        sc.from = key_of(&from);
        sc.after = true;
    }
    TRY(txn_scan(c->txn, T_MINE, &sc, &cur));
    VEC(struct s3_Bucket) found = {0};
    struct str last = STR_NONE;
    for (;;) {
        bool more = false, added = false;
        struct str key, value;
        TRY(cursor_next(cur, &more, &key, &value));
        if (!more)
            break;
        if ((int64_t)found.n == max) {
            out->ContinuationToken = page_token(c, last);
            break;
        }
        struct s3_Bucket item = {0};
        last = arena_str(c->arena, str_skip(key, base.n));
        TRY(add_bucket(c, last, in->BucketRegion, &added, &item));
        if (added)
            VEC_PUSH(c->arena, &found, item);
    }
    out->Buckets.v = found.v;
    out->Buckets.n = found.n;
    out->Buckets.set = true;
    out->Owner = s3_owner(c->arena, c->account);
    out->Prefix = in->Prefix;
    return NULL;
}
