/* The constraints of the model, in S3's own words: what is wrong in an XML body is MalformedXML,
 * and a few members have codes of their own. For the rest, InvalidArgument.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
#include "internal.h"

static bool is_among(struct str s, const char *const *names)
{
    for (; names != NULL && *names != NULL; names++)
        if (str_is(s, *names))
            return true;
    return names == NULL;
}

static bool is_bad(struct call *c, const struct shape_member *m)
{
    const void *value = shape_at(m, c->in);
    if (!shape_present(m->shape, value))
        return m->required;
    if (m->shape->kind == SH_STRING)
        return !is_among(*(const struct str *)value, m->shape->enums);
    if (m->shape->kind != SH_STRUCT)
        return false;
    memcpy(&value, value, sizeof value); /* the member holds a pointer */
    struct err *e = shape_validate(c->arena, m->shape, value, "InvalidArgument");
    bool bad = e != NULL;
    err_free(e);
    return bad;
}

static struct err *in_own_words(const struct shape_member *m)
{
    if (strcmp(m->name, "CreateBucketConfiguration") == 0)
        return err_aws(400, "InvalidLocationConstraint",
                       "The specified location-constraint is not valid");
    if (strcmp(m->name, "StorageClass") == 0)
        return err_aws(400, "InvalidStorageClass", "The storage class you specified is not valid");
    if (m->loc == LOC_BODY)
        return err_aws(400, "MalformedXML",
                       "The XML you provided was not well-formed or did not validate against our "
                       "published schema");
    return NULL;
}

struct err *s3_check(struct call *c)
{
    const struct shape *s = c->op->input;
    struct err *e = s == NULL ? NULL : shape_validate(c->arena, s, c->in, "InvalidArgument");
    for (uint32_t i = 0; e != NULL && i < s->n_members; i++) {
        struct err *told = is_bad(c, &s->members[i]) ? in_own_words(&s->members[i]) : NULL;
        if (told != NULL) {
            err_free(e);
            return told;
        }
    }
    return e;
}
