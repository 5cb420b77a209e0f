/* The rows of STS:
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html */
#include "room.h"

/* What a chained session hands on counts like what is asked for: a role that does not accept tags
 * or a source identity cannot be assumed from a session that has them.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html */
static bool with_tags(const struct call *c)
{
    const struct sts_AssumeRoleRequest *in = c->in;
    return in->Tags.n > 0 || in->TransitiveTagKeys.n > 0 || jv_len(c->id.transitive_tags) > 0;
}

static bool with_source_identity(const struct call *c)
{
    const struct sts_AssumeRoleRequest *in = c->in;
    return in->SourceIdentity.p != NULL || c->id.source_identity.n > 0;
}

static const struct need need_assume[] = {
    {"sts:AssumeRole", NULL, sts_target_role},
    {"sts:TagSession", with_tags, sts_target_role},
    {"sts:SetSourceIdentity", with_source_identity, sts_target_role},
    {0}};
static const struct need need_key_info[] = {{"sts:GetAccessKeyInfo", NULL, NULL}, {0}};

/* Nothing is stored: every operation reads. The secret and the token in an answer are marked
 * sensitive in the model and hidden in the record, the access key id and the expiry are not. */
#define READ(op, n, in, result) {OP_ROW(sts, op, OP_READ, AUDIT_MANAGEMENT, n, in, result)}

static const struct op_row rows[] = {
    READ(AssumeRole, need_assume,
         "RoleArn RoleSessionName PolicyArns Policy DurationSeconds Tags TransitiveTagKeys "
         "ExternalId SerialNumber SourceIdentity",
         "Credentials AssumedRoleUser PackedPolicySize SourceIdentity"),
    READ(GetAccessKeyInfo, need_key_info, "AccessKeyId", NULL),
    READ(GetCallerIdentity, NO_NEEDS, NULL, NULL), /* AWS: no permission is required */
    READ(GetSessionToken, NO_NEEDS, "DurationSeconds SerialNumber", "Credentials"), /* likewise */
};

const struct room sts_room = {
    .name = "sts",
    .model = &sts_model,
    .event_source = "sts.amazonaws.com",
    .ops = rows,
    .n_ops = ARRAY_LEN(rows),
    .validation_code = "ValidationError",
    .denied_code = "AccessDenied",
};
