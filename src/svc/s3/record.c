/* What S3 adds to the record of a call:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html
 * The length of an answer is told where it is known before the record is written, which is before
 * the answer leaves: for objects. */
#include "internal.h"

#include "../../core/enc.h"

/* Whether the answer to a success has a body. */
static bool has_body(const struct op_model *op)
{
    for (uint32_t i = 0; op->output != NULL && i < op->output->n_members; i++)
        if (op->output->members[i].loc == LOC_BODY)
            return true;
    return false;
}

void s3_record(struct call *c, bool ok)
{
    if (c->wire == NULL || c->row == NULL) /* an internal call, or nothing that S3 does */
        return;
    if (c->sig.present) {
        call_record(c, "SignatureVersion", STR("SigV4"));
        call_record(c, "AuthenticationMethod",
                    c->sig.presigned ? STR("QueryString") : STR("AuthHeader"));
    }
    if (c->http != NULL && c->http->tls_cipher != NULL)
        call_record(c, "CipherSuite", str_c(c->http->tls_cipher));
    const struct s3_body *b = c->row->body != NULL ? c->state : NULL;
    uint64_t in = b != NULL && b->writer != NULL ? s3_writer_size(b->writer) : c->wire->body.n;
    call_record_number(c, "bytesTransferredIn", (int64_t)in);
    if (c->has_stream)
        call_record_number(c, "bytesTransferredOut",
                           str_is(c->wire->method, "HEAD") ? 0 : c->stream_length);
    else if (ok && !has_body(c->op))
        call_record_number(c, "bytesTransferredOut", 0);
    call_record(c, "x-amz-id-2", enc_base64(c->arena, str_c(c->request_id)));
}

void s3_record_sse(struct call *c, const struct s3_sse *sse, struct str asked)
{
    call_record(c, "SSEApplied",
                sse->kms ? asked.p != NULL ? STR("SSE_KMS") : STR("Default_SSE_KMS")
                : asked.p != NULL ? STR("SSE_S3") : STR("Default_SSE_S3"));
}
