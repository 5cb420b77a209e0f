/* Who calls: the signature, checked over the request exactly as it came, and the credentials that
 * it names. Errors are AWS's, in the words of the service's family. */
#include "line.h"

static bool is_s3(const struct line *l)
{
    return l->c.room != NULL && l->c.proto == PROTO_REST_XML;
}

/* The same refusal has another name in each protocol. */
struct err *line_in_family(const struct line *l, struct err *e)
{
    enum protocol p = l->c.proto;
    bool json = p == PROTO_JSON10 || p == PROTO_JSON11 || p == PROTO_REST_JSON || p == PROTO_CBOR;
    if (err_has_code(e, "SignatureDoesNotMatch") && json)
        e->code = "InvalidSignatureException";
    else if (err_has_code(e, "MissingAuthenticationToken") && json)
        e->code = "MissingAuthenticationTokenException";
    else if (err_has_code(e, "IncompleteSignature") && json)
        e->code = "IncompleteSignatureException";
    else if (err_has_code(e, "InvalidClientTokenId") && json)
        e->code = "UnrecognizedClientException";
    else if (err_has_code(e, "InvalidClientTokenId") && is_s3(l))
        e->code = "InvalidAccessKeyId";
    else if (err_has_code(e, "InvalidClientTokenId") && p == PROTO_EC2)
        e->code = "AuthFailure";
    else if (err_has_code(e, "ExpiredToken") && json)
        e->code = "ExpiredTokenException";
    if (json && e->status == 403)
        e->status = 400;
    return e;
}

static struct err *read_identity(struct line *l)
{
    struct call *c = &l->c;
    struct txn *t CLEANUP(txn_abort) = NULL;
    TRY(store_begin(c->ward->store, TXN_LOOK, &t));
    return identity_of_key(c->ward->store, t, l->arena, c->sig.access_key_id,
                           c->sig.session_token, c->now_ms, &c->id);
}

/* The hash that the signature covers. S3 names it in a header; for the others it is the body's. */
static struct err *payload_hash(struct line *l, struct str body)
{
    struct sig *s = &l->c.sig;
    if (s->payload != SIG_PAYLOAD_HASH) {
        /* A body that is not streamed has no frames: nothing would verify it. */
        if (is_s3(l) && (body.p == NULL || s->payload == SIG_PAYLOAD_UNSIGNED))
            return NULL;
        return err_aws(400, "InvalidRequest", "This service takes signed payloads only.");
    }
    if (body.p == NULL) /* streamed: compared at the end of the body */
        return NULL;
    struct str hash = sha256_hex(l->arena, body);
    if (is_s3(l) && s->payload_hash.p != NULL && !str_ieq(hash, s->payload_hash))
        return err_aws(400, "XAmzContentSHA256Mismatch",
                       "The provided 'x-amz-content-sha256' header does not match what was "
                       "computed.");
    if (!is_s3(l) || s->payload_hash.p == NULL)
        s->payload_hash = hash;
    return NULL;
}

static struct err *check(struct line *l, struct str body)
{
    struct call *c = &l->c;
    TRY(read_identity(l));
    TRY(payload_hash(l, body));
    struct sig_request r = {.method = l->wire.method, .path = l->x->path, .query = l->x->query,
                            .headers = l->x->headers, .n_headers = l->x->n_headers};
    TRY(sigv4_check_kept(l->arena, &r, &c->sig, c->id.secret, c->id.signing, c->now_ms,
                         l->signing_key));
    if (!str_is(c->sig.service, c->room->model->signing_name))
        return err_aws(403, "SignatureDoesNotMatch",
                       "Credential should be scoped to correct service: '%s'.",
                       c->room->model->signing_name);
    if (!region_known(c->sig.region))
        return err_aws(403, "SignatureDoesNotMatch",
                       "Credential should be scoped to a valid Region.");
    c->region = c->room->global ? str_c(c->ward->region) : c->sig.region;
    c->account = c->id.who.account;
    l->authenticated = true;
    return NULL;
}

struct err *line_authenticate(struct line *l, struct str body)
{
    struct call *c = &l->c;
    if (!c->sig.present) {
        if (c->row != NULL && !c->row->anonymous)
            return line_in_family(l, is_s3(l) ? err_aws(403, "AccessDenied", "Access Denied")
                                         : err_aws(403, "MissingAuthenticationToken",
                                                   "Request is missing Authentication Token"));
        c->id = identity_anonymous();
        c->region = str_c(c->ward->region);
        return NULL;
    }
    struct err *e = check(l, body);
    if (e == NULL)
        return NULL;
    c->id = (struct identity){0}; /* claimed, not proved: the record says Unknown */
    return line_in_family(l, e);
}
