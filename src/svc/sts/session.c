#include "room.h"

struct sts_Credentials *sts_credentials_out(struct call *c, const struct session_credentials *s)
{
    struct sts_Credentials *out = ARENA_NEW(c->arena, struct sts_Credentials);
    out->AccessKeyId = s->access_key_id;
    out->SecretAccessKey = s->secret_access_key;
    out->SessionToken = s->session_token;
    out->Expiration = some_int(s->expires_ms);
    return out;
}

/* There are no MFA devices yet, so no code can be right. */
struct err *sts_no_mfa(struct str serial_number, struct str token_code)
{
    if (serial_number.p == NULL && token_code.p == NULL)
        return NULL;
    return err_aws(403, "AccessDenied",
                   "MultiFactorAuthentication failed, unable to validate MFA code.");
}

struct err *sts_token_size(struct call *c, struct opt_int minimum)
{
    if (minimum.set && minimum.v > 0)
        return err_not_implemented(c, "MinimumSessionTokenSize");
    return NULL;
}

OP_HANDLER_NO_IN(sts, GetCallerIdentity, GetCallerIdentityResponse)
{
    const struct principal *who = &c->id.who;
    out->UserId = who->user_id;
    out->Account = who->account;
    out->Arn = who->session_arn.p != NULL ? who->session_arn : who->arn;
    return NULL;
}

/* https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html */
OP_HANDLER(sts, GetSessionToken, GetSessionTokenRequest, GetSessionTokenResponse)
{
    const struct identity *id = &c->id;
    if (id->is_session || id->who.kind != PRINCIPAL_USER)
        return err_aws(403, "AccessDenied",
                       "Cannot call GetSessionToken with session credentials");
    TRY(sts_no_mfa(in->SerialNumber, in->TokenCode));
    TRY(sts_token_size(c, in->MinimumSessionTokenSize));
    int64_t seconds = in->DurationSeconds.set ? in->DurationSeconds.v : STS_USER_DEFAULT_S;
    struct session_request r = {.account = id->who.account,
                                .user_name = id->who.name,
                                .user_id = id->who.user_id,
                                .user_key = id->access_key_id,
                                .issued_ms = c->now_ms / 1000 * 1000,
                                .expires_ms = (c->now_ms / 1000 + seconds) * 1000};
    struct session_credentials s;
    TRY(session_create(c->ward->store, c->arena, &r, &s));
    out->Credentials = sts_credentials_out(c, &s);
    out->SessionTokenSize = some_int((int64_t)s.session_token.n);
    return NULL;
}

/* Key ids hold their account, so this says nothing of whether the key exists. */
OP_HANDLER(sts, GetAccessKeyInfo, GetAccessKeyInfoRequest, GetAccessKeyInfoResponse)
{
    if (c->id.is_session && c->id.who.kind == PRINCIPAL_USER && !c->id.mfa)
        return err_aws(403, "AccessDenied",
                       "Cannot call GetAccessKeyInfo with session credentials of a user");
    struct str account = identity_key_account(c->arena, in->AccessKeyId);
    if (account.p == NULL)
        return err_aws(400, "ValidationError", "The access key ID is not one of this service.");
    out->Account = account;
    return NULL;
}
