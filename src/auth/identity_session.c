#include "identity_int.h"

#include "../core/clock.h"
#include "../core/enc.h"
#include "../crypto/crypto.h"

/* A session's credentials are a sealed token: nothing is stored. The token holds the access key id
 * and its secret, so the id that a request names must be the one inside. */

#define TOKEN_AAD "ward sts token 1"

struct err *identity_bad_token(void)
{
    return err_aws(403, "InvalidClientTokenId",
                   "The security token included in the request is invalid.");
}

struct err *arena_secret(struct arena *a, struct str bytes, const struct secret **out)
{
    struct secret *s;
    TRY(secret_new(bytes, &s));
    arena_on_free(a, (void (*)(void *))secret_free, s);
    *out = s;
    return NULL;
}

static struct err *token_key(struct store *s, struct secret **out)
{
    return store_secret(s, "sts.token", AES_KEY_SIZE, out);
}

static void put(struct jw *w, const char *key, struct str s)
{
    if (s.p != NULL)
        jw_ks(w, key, s);
}

static void packed_write(struct jw *w, const struct session_request *r)
{
    put(w, "pol", r->session_policy);
    if (r->n_session_policy_arns > 0) {
        jw_key(w, "arns");
        jw_arr(w);
        for (size_t i = 0; i < r->n_session_policy_arns; i++)
            jw_str(w, r->session_policy_arns[i]);
        jw_end(w);
    }
    if (r->tags != NULL) {
        jw_key(w, "tags");
        jw_value(w, r->tags);
    }
    if (r->transitive_tags != NULL) {
        jw_key(w, "trans");
        jw_value(w, r->transitive_tags);
    }
}

static void token_write(struct jw *w, const struct session_request *r, struct str id,
                        struct str secret)
{
    jw_obj(w);
    jw_ks(w, "k", id);
    jw_ks(w, "s", secret);
    jw_ks(w, "a", r->account);
    put(w, "rn", r->role_name);
    put(w, "ra", r->role_arn);
    put(w, "ri", r->role_id);
    put(w, "sn", r->session_name);
    put(w, "un", r->user_name);
    put(w, "ui", r->user_id);
    put(w, "uk", r->user_key);
    put(w, "src", r->source_identity);
    jw_ki(w, "iat", r->issued_ms);
    jw_ki(w, "exp", r->expires_ms);
    jw_kb(w, "mfa", r->mfa);
    packed_write(w, r);
    jw_end(w);
}

int session_packed_percent(const struct session_request *r)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(1024 * 1024);
    struct jw w = jw_to(&b);
    jw_obj(&w);
    packed_write(&w, r);
    jw_end(&w);
    size_t n = buf_ok(&b) ? b.n - 2 : 1024 * 1024;
    return (int)((n * 100 + SESSION_PACKED_MAX - 1) / SESSION_PACKED_MAX);
}

static struct err *token_seal(struct store *s, struct arena *a, struct str plain, struct str *out)
{
    struct secret *key CLEANUP(secret_free_ptr) = NULL;
    TRY(token_key(s, &key));
    unsigned char *sealed = arena_alloc(a, plain.n + GCM_OVERHEAD);
    gcm_seal(secret_bytes(key), STR(TOKEN_AAD), plain, sealed);
    *out = enc_base64(a, str_of(sealed, plain.n + GCM_OVERHEAD));
    return NULL;
}

struct err *session_create(struct store *s, struct arena *a, const struct session_request *r,
                           struct session_credentials *out)
{
    int percent = session_packed_percent(r);
    if (percent > 100)
        return err_aws(400, "PackedPolicyTooLarge",
                       "Packed size of session tags and policies consumes %d%% of allotted space.",
                       percent);
    struct str id = identity_new_key_id(a, "ASIA", r->account);
    struct str secret = identity_new_secret(a);
    struct buf b = BUF_INIT(SESSION_TOKEN_MAX);
    struct jw w = jw_to(&b);
    token_write(&w, r, id, secret);
    struct str token;
    struct err *e = buf_check(&b);
    if (e == NULL)
        e = token_seal(s, a, buf_view(&b), &token);
    if (b.p != NULL)
        secret_wipe(b.p, b.n);
    buf_clear(&b);
    TRY(e);
    out->access_key_id = id;
    out->secret_access_key = secret;
    out->session_token = token;
    out->expires_ms = r->expires_ms;
    return NULL;
}

static struct err *token_unseal(struct store *s, struct arena *a, struct str token,
                                struct str *out)
{
    struct str sealed;
    if (token.n > SESSION_TOKEN_MAX * 2 || !dec_base64(a, token, &sealed) ||
        sealed.n < GCM_OVERHEAD)
        return identity_bad_token();
    struct secret *key CLEANUP(secret_free_ptr) = NULL;
    TRY(token_key(s, &key));
    unsigned char *plain = arena_alloc(a, sealed.n);
    if (!gcm_open(secret_bytes(key), STR(TOKEN_AAD), sealed, plain))
        return identity_bad_token();
    *out = str_of(plain, sealed.n - GCM_OVERHEAD);
    arena_wipe_later(a, *out);
    return NULL;
}

struct err *session_open(struct store *s, struct arena *a, struct str token,
                         struct session_token *out)
{
    struct str plain;
    TRY(token_unseal(s, a, token, &plain));
    struct jv *j;
    TRY(json_parse(a, plain, 8, &j));
    struct session_token t = {
        .access_key_id = jv_s(jv_get(j, "k")),
        .secret = jv_s(jv_get(j, "s")),
        .account = jv_s(jv_get(j, "a")),
        .role_name = jv_s(jv_get(j, "rn")),
        .role_arn = jv_s(jv_get(j, "ra")),
        .role_id = jv_s(jv_get(j, "ri")),
        .session_name = jv_s(jv_get(j, "sn")),
        .user_name = jv_s(jv_get(j, "un")),
        .user_id = jv_s(jv_get(j, "ui")),
        .user_key = jv_s(jv_get(j, "uk")),
        .session_policy = jv_s(jv_get(j, "pol")),
        .source_identity = jv_s(jv_get(j, "src")),
        .policy_arns = jv_get(j, "arns"),
        .tags = jv_get(j, "tags"),
        .transitive_tags = jv_get(j, "trans"),
        .issued_ms = jv_i(jv_get(j, "iat"), 0),
        .expires_ms = jv_i(jv_get(j, "exp"), 0),
        .mfa = jv_b(jv_get(j, "mfa"), false),
    };
    arena_wipe_later(a, t.secret);
    *out = t;
    return NULL;
}
