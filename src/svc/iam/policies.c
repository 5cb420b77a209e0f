#include "room.h"

#include "auth/managed_policies.h"
#include "core/clock.h"

/* Managed policies: the account's own, with versions, and those of AWS that Ward knows. */

struct err *iam_check_document(struct str document, enum policy_kind kind)
{
    struct policy *p = NULL;
    TRY(policy_compile(document, kind, &p));
    policy_unref(p);
    return NULL;
}

struct err *iam_check_attachable(struct call *c, struct str arn)
{
    struct jv *row = NULL;
    if (managed_policy_find(arn) != NULL)
        return NULL;
    TRY(iam_row_get(c->txn, c->arena, "iam.policy", c->account, arn, &row));
    if (row == NULL)
        return err_aws(404, "NoSuchEntity", "Policy %.*s does not exist or is not attachable.",
                       STR_ARG(arn));
    return NULL;
}

/* -- how often a policy is used ---------------------------------------------------------------- */

static struct err *uses_get(struct call *c, struct str arn, const char *what, int64_t *out)
{
    struct jv *row = NULL;
    TRY(iam_row_get(c->txn, c->arena, "iam.uses", c->account, arn, &row));
    *out = jv_i(jv_get(row, what), 0);
    return NULL;
}

struct err *iam_uses_add(struct call *c, struct str arn, const char *what, int64_t by)
{
    struct jv *row = NULL;
    TRY(iam_row_get(c->txn, c->arena, "iam.uses", c->account, arn, &row));
    if (row == NULL)
        row = jv_new_obj(c->arena);
    row_set(c, row, "name", arn);
    row_set_i(c, row, what, jv_i(jv_get(row, what), 0) + by);
    return iam_row_put(c->txn, c->arena, "iam.uses", c->account, arn, row);
}

/* -- as AWS shows it --------------------------------------------------------------------------- */

static struct err *uses_out(struct call *c, struct iam_Policy *out)
{
    int64_t attached = 0, bounds = 0;
    TRY(uses_get(c, out->Arn, "attachments", &attached));
    TRY(uses_get(c, out->Arn, "boundaries", &bounds));
    out->AttachmentCount = some_int(attached);
    out->PermissionsBoundaryUsageCount = some_int(bounds);
    out->IsAttachable = some_bool(true);
    return NULL;
}

static struct err *policy_out(struct call *c, const struct jv *row, bool full,
                              struct iam_Policy *out)
{
    out->PolicyName = row_s(row, "name");
    out->PolicyId = row_s(row, "id");
    out->Arn = row_s(row, "arn");
    out->Path = row_s(row, "path");
    out->DefaultVersionId = row_s(row, "default");
    out->CreateDate = row_time(row, "created_ms");
    out->UpdateDate = row_time(row, "updated_ms");
    if (full) {
        out->Description = row_s(row, "description");
        iam_tags_out(c, row, &out->Tags);
    }
    return uses_out(c, out);
}

static struct opt_int aws_time(const char *text)
{
    int64_t ms = 0;
    return time_parse_iso8601(str_c(text), &ms) ? some_int(ms) : (struct opt_int){0};
}

static struct err *aws_policy_out(struct call *c, const struct managed_policy *m,
                                  struct iam_Policy *out)
{
    out->PolicyName = str_c(m->name);
    out->Arn = str_c(m->arn);
    out->Path = str_c(m->path);
    out->DefaultVersionId = str_c(m->version);
    out->CreateDate = aws_time(m->created);
    out->UpdateDate = aws_time(m->updated);
    return uses_out(c, out);
}

struct err *iam_own_policy(struct call *c, struct str arn, struct jv **out)
{
    if (managed_policy_find(arn) != NULL)
        return err_aws(403, "AccessDenied", "Policy %.*s is managed by AWS and cannot be changed.",
                       STR_ARG(arn));
    return iam_entity(c, IAM_POLICY, arn, out);
}

/* -- policies ---------------------------------------------------------------------------------- */

struct err *iam_check_managed_document(struct str document)
{
    TRY(iam_check_document(document, POLICY_IDENTITY));
    if (iam_doc_chars(document) > IAM_POLICY_CHARS)
        return err_aws(409, "LimitExceeded", "Cannot exceed quota for PolicySize: %d",
                       IAM_POLICY_CHARS);
    return NULL;
}

void iam_version_put(struct call *c, struct jv *row, struct str id, struct str document,
                     bool as_default)
{
    struct jv *versions = row_obj(c, row, "versions"), *v = jv_new_obj(c->arena);
    row_set(c, v, "document", document);
    row_set_i(c, v, "created_ms", iam_now(c));
    jv_set(c->arena, versions, id, v);
    jv_set(c->arena, row, STR("versions"), versions);
    if (!as_default)
        return;
    row_set(c, row, "default", id);
    row_set_i(c, row, "updated_ms", iam_now(c));
}

OP_HANDLER(iam, CreatePolicy, CreatePolicyRequest, CreatePolicyResponse)
{
    struct jv *row = NULL;
    TRY(iam_check_managed_document(in->PolicyDocument));
    TRY(iam_entity_new(c, IAM_POLICY, in->PolicyName, in->Path, &in->Tags, &row));
    row_set(c, row, "description", in->Description);
    row_set_i(c, row, "next_version", 2);
    iam_version_put(c, row, STR("v1"), in->PolicyDocument, true);
    TRY(iam_entity_put(c, IAM_POLICY, row));
    out->Policy = ARENA_NEW(c->arena, struct iam_Policy);
    return policy_out(c, row, true, out->Policy);
}

OP_HANDLER(iam, GetPolicy, GetPolicyRequest, GetPolicyResponse)
{
    const struct managed_policy *aws = managed_policy_find(in->PolicyArn);
    out->Policy = ARENA_NEW(c->arena, struct iam_Policy);
    if (aws != NULL)
        return aws_policy_out(c, aws, out->Policy);
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_POLICY, in->PolicyArn, &row));
    return policy_out(c, row, true, out->Policy);
}

OP_HANDLER_NO_OUT(iam, DeletePolicy, DeletePolicyRequest)
{
    struct jv *row = NULL;
    int64_t attached = 0, bounds = 0;
    TRY(iam_own_policy(c, in->PolicyArn, &row));
    TRY(uses_get(c, in->PolicyArn, "attachments", &attached));
    TRY(uses_get(c, in->PolicyArn, "boundaries", &bounds));
    if (attached + bounds > 0)
        return err_aws(409, "DeleteConflict", "Cannot delete a policy attached to entities.");
    if (jv_len(jv_get(row, "versions")) > 1)
        return err_aws(409, "DeleteConflict",
                       "This policy has more than one version. Before you delete a policy, you "
                       "must delete the policy's versions. The default version is deleted with "
                       "the policy.");
    TRY(iam_row_del(c->txn, "iam.uses", c->account, in->PolicyArn));
    return iam_entity_del(c, IAM_POLICY, row);
}

/* -- lists ------------------------------------------------------------------------------------- */

/* AWS's policies come first; a position is "a" and an index among them, or "c" and a key. */
struct listing {
    struct call *c;
    const struct iam_ListPoliciesRequest *in;
    VEC(struct iam_Policy) found;
    size_t most;
    struct err *failed;
};

static bool wanted(const struct listing *l, const struct iam_Policy *p)
{
    if (l->in->PathPrefix.p != NULL && !str_starts(p->Path, l->in->PathPrefix))
        return false;
    bool attached = p->AttachmentCount.v > 0, bounds = p->PermissionsBoundaryUsageCount.v > 0;
    if (l->in->OnlyAttached.v && !attached && !bounds)
        return false;
    if (str_is(l->in->PolicyUsageFilter, "PermissionsPolicy"))
        return attached;
    if (str_is(l->in->PolicyUsageFilter, "PermissionsBoundary"))
        return bounds;
    return true;
}

static bool list_own(void *arg, const struct jv *row)
{
    struct listing *l = arg;
    struct iam_Policy p = {0};
    l->failed = policy_out(l->c, row, false, &p);
    if (l->failed != NULL)
        return false;
    if (!wanted(l, &p))
        return true;
    if (l->found.n == l->most)
        return false;
    VEC_PUSH(l->c->arena, &l->found, p);
    return true;
}

/* From the index on; *out_next STR_NONE when all were seen. */
static struct err *list_aws(struct listing *l, size_t from, struct str *out_next)
{
    const struct managed_policy *m;
    for (size_t i = from; (m = managed_policy_at(i)) != NULL; i++) {
        struct iam_Policy p = {0};
        TRY(aws_policy_out(l->c, m, &p));
        if (!wanted(l, &p))
            continue;
        if (l->found.n == l->most) {
            *out_next = arena_fmt(l->c->arena, "a%zu", i);
            return NULL;
        }
        VEC_PUSH(l->c->arena, &l->found, p);
    }
    *out_next = STR_NONE;
    return NULL;
}

static struct err *list_all(struct listing *l, struct str position, struct str *out_next)
{
    struct call *c = l->c;
    bool own = !str_is(l->in->Scope, "AWS"), aws = !str_is(l->in->Scope, "Local");
    struct str from = STR_NONE;
    int64_t at = 0;
    *out_next = STR_NONE;
    if (str_starts_c(position, "c"))
        from = str_skip(position, 1);
    else if (position.p != NULL && !str_to_i64(str_skip(position, 1), 0, INT32_MAX, &at))
        return err_aws(400, "ValidationError", "Invalid Marker.");
    if (aws && from.p == NULL) {
        TRY(list_aws(l, (size_t)at, out_next));
        if (out_next->p != NULL)
            return NULL;
    }
    if (!own)
        return NULL;
    struct str rest = STR_NONE;
    TRY(iam_row_each(c->txn, c->arena, "iam.policy", c->account, from, list_own, l, &rest));
    if (rest.p != NULL)
        *out_next = arena_concat(c->arena, STR("c"), rest);
    return l->failed;
}

OP_HANDLER(iam, ListPolicies, ListPoliciesRequest, ListPoliciesResponse)
{
    struct listing l = {.c = c, .in = in};
    l.most = in->MaxItems.set ? (size_t)in->MaxItems.v : IAM_PAGE_DEFAULT;
    struct str position = STR_NONE, next = STR_NONE;
    TRY(page_position(c, in->Marker, "ValidationError", &position));
    TRY(list_all(&l, position, &next));
    out->Policies.set = true;
    out->Policies.v = l.found.v;
    out->Policies.n = l.found.n;
    out->IsTruncated = some_bool(next.p != NULL);
    if (next.p != NULL)
        out->Marker = page_token(c, next);
    return NULL;
}
