/* Client tokens: the same call again gives what the first one made.
 * https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
 * A token lives as long as what it made. */
#include "room.h"

#include "crypto/crypto.h"

#define T_TOKEN "ec2.token"

enum { TOKEN_TEXT_MAX = 64 };

static struct str call_hash(struct call *c)
{
    struct str input = jv_text(c->arena, shape_to_json(c->arena, c->op->input, c->in));
    return sha256_hex(c->arena, arena_fmt(c->arena, "%s\n%.*s", c->op->name, STR_ARG(input)));
}

struct err *token_get(struct call *c, struct str token, struct str *out_id)
{
    struct jv *row;
    struct skey at = ec2_key(c, token);
    *out_id = STR_NONE;
    if (token.n == 0)
        return NULL;
    if (token.n > TOKEN_TEXT_MAX)
        return err_value(token, "clientToken", "At most 64 characters are taken.");
    TRY(row_get(c, T_TOKEN, key_of(&at), &row));
    if (row == NULL)
        return NULL;
    if (!str_eq(get_s(row, "hash"), call_hash(c)))
        return err_aws(400, "IdempotentParameterMismatch",
                       "Arguments on this idempotent request are inconsistent with arguments used "
                       "in previous request(s).");
    *out_id = get_s(row, "id");
    return NULL;
}

struct err *token_put(struct call *c, struct str token, struct str id)
{
    if (token.n == 0)
        return NULL;
    struct jv *row = jv_new_obj(c->arena);
    struct skey at = ec2_key(c, token);
    set_s(c, row, "hash", call_hash(c));
    set_s(c, row, "id", id);
    return row_put(c, T_TOKEN, c->account, key_of(&at), row);
}

struct err *token_drop(struct call *c, struct str token)
{
    if (token.n == 0)
        return NULL;
    struct skey at = ec2_key(c, token);
    return txn_del(c->txn, T_TOKEN, key_of(&at));
}

struct err *token_thing(struct call *c, struct str token, enum kind k, struct jv **out)
{
    struct str id;
    *out = NULL;
    TRY(token_get(c, token, &id));
    return id.p != NULL ? thing_get(c, k, id, out) : NULL;
}
