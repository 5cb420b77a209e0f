#include "room.h"

#include "auth/managed_policies.h"
#include "core/clock.h"

/* Versions of managed policies: v1, v2 …, never the same number twice. */

static struct err *no_such_version(struct str arn, struct str id)
{
    return err_aws(404, "NoSuchEntity", "Policy %.*s version %.*s does not exist or is not "
                                        "attachable.",
                   STR_ARG(arn), STR_ARG(id));
}

static void version_out(const struct jv *row, struct str id, struct iam_PolicyVersion *out)
{
    out->VersionId = id;
    out->IsDefaultVersion = some_bool(str_eq(row_s(row, "default"), id));
    out->CreateDate = row_time(jv_get_str(jv_get(row, "versions"), id), "created_ms");
}

OP_HANDLER(iam, CreatePolicyVersion, CreatePolicyVersionRequest, CreatePolicyVersionResponse)
{
    struct jv *row = NULL;
    TRY(iam_own_policy(c, in->PolicyArn, &row));
    TRY(iam_check_managed_document(in->PolicyDocument));
    if (jv_len(jv_get(row, "versions")) >= IAM_VERSIONS_MAX)
        return err_aws(409, "LimitExceeded",
                       "A managed policy can have up to %d versions. Before you create a new "
                       "version, you must delete an existing version.",
                       IAM_VERSIONS_MAX);
    int64_t number = jv_i(jv_get(row, "next_version"), 1);
    struct str id = arena_fmt(c->arena, "v%lld", (long long)number);
    row_set_i(c, row, "next_version", number + 1);
    iam_version_put(c, row, id, in->PolicyDocument, in->SetAsDefault.v);
    TRY(iam_entity_put(c, IAM_POLICY, row));
    out->PolicyVersion = ARENA_NEW(c->arena, struct iam_PolicyVersion);
    version_out(row, id, out->PolicyVersion);
    return NULL;
}

static struct err *aws_version(struct call *c, const struct managed_policy *m, struct str id,
                               struct iam_PolicyVersion *out)
{
    int64_t ms = 0;
    if (!str_is(id, m->version))
        return no_such_version(str_c(m->arn), id);
    out->VersionId = id;
    out->IsDefaultVersion = some_bool(true);
    out->Document = iam_doc_out(c, str_c(m->document));
    if (time_parse_iso8601(str_c(m->updated), &ms))
        out->CreateDate = some_int(ms);
    return NULL;
}

OP_HANDLER(iam, GetPolicyVersion, GetPolicyVersionRequest, GetPolicyVersionResponse)
{
    const struct managed_policy *aws = managed_policy_find(in->PolicyArn);
    out->PolicyVersion = ARENA_NEW(c->arena, struct iam_PolicyVersion);
    if (aws != NULL)
        return aws_version(c, aws, in->VersionId, out->PolicyVersion);
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_POLICY, in->PolicyArn, &row));
    struct str doc = row_s(jv_get_str(jv_get(row, "versions"), in->VersionId), "document");
    if (doc.p == NULL)
        return no_such_version(in->PolicyArn, in->VersionId);
    version_out(row, in->VersionId, out->PolicyVersion);
    out->PolicyVersion->Document = iam_doc_out(c, doc);
    return NULL;
}

OP_HANDLER(iam, ListPolicyVersions, ListPolicyVersionsRequest, ListPolicyVersionsResponse)
{
    const struct managed_policy *aws = managed_policy_find(in->PolicyArn);
    out->Versions.set = true;
    out->Versions.v = ARENA_ARRAY(c->arena, IAM_VERSIONS_MAX, struct iam_PolicyVersion);
    out->IsTruncated = some_bool(false);
    if (aws != NULL) {
        out->Versions.n = 1;
        TRY(aws_version(c, aws, str_c(aws->version), out->Versions.v));
        out->Versions.v[0].Document = STR_NONE;
        return NULL;
    }
    struct jv *row = NULL;
    TRY(iam_entity(c, IAM_POLICY, in->PolicyArn, &row));
    const struct jv *versions = jv_get(row, "versions");
    struct iam_range r;
    TRY(iam_page_range(c, in->Marker, in->MaxItems, jv_len(versions), &r));
    size_t total = jv_len(versions);
    for (size_t i = r.from; i < r.to && out->Versions.n < IAM_VERSIONS_MAX; i++) /* newest first */
        version_out(row, versions->obj.v[total - 1 - i].key,
                    &out->Versions.v[out->Versions.n++]);
    out->IsTruncated = some_bool(r.next_marker.p != NULL);
    out->Marker = r.next_marker;
    return NULL;
}

OP_HANDLER_NO_OUT(iam, DeletePolicyVersion, DeletePolicyVersionRequest)
{
    struct jv *row = NULL;
    TRY(iam_own_policy(c, in->PolicyArn, &row));
    if (str_eq(row_s(row, "default"), in->VersionId))
        return err_aws(409, "DeleteConflict", "Cannot delete the default version of a policy.");
    struct jv *versions = row_obj(c, row, "versions");
    if (!jv_drop_key(versions, in->VersionId))
        return no_such_version(in->PolicyArn, in->VersionId);
    jv_set(c->arena, row, STR("versions"), versions);
    return iam_entity_put(c, IAM_POLICY, row);
}

OP_HANDLER_NO_OUT(iam, SetDefaultPolicyVersion, SetDefaultPolicyVersionRequest)
{
    struct jv *row = NULL;
    TRY(iam_own_policy(c, in->PolicyArn, &row));
    if (jv_get_str(jv_get(row, "versions"), in->VersionId) == NULL)
        return no_such_version(in->PolicyArn, in->VersionId);
    row_set(c, row, "default", in->VersionId);
    row_set_i(c, row, "updated_ms", iam_now(c));
    return iam_entity_put(c, IAM_POLICY, row);
}
