/* What requests say of an object besides its bytes: keys, ACLs, tags, metadata. */
#include "internal.h"

#include "../../core/enc.h"

struct str s3_quoted(struct arena *a, struct str etag)
{
    return arena_fmt(a, "\"%.*s\"", STR_ARG(etag));
}

struct err *s3_key_check(struct str key)
{
    if (key.n > S3_KEY_MAX)
        return err_aws(400, "KeyTooLongError", "Your key is too long");
    if (key.n == 0 || !str_utf8_valid(key) || memchr(key.p, 0, key.n) != NULL)
        return err_aws(400, "InvalidURI", "Couldn't parse the specified URI.");
    return NULL;
}

/* Every bucket has BucketOwnerEnforced:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html */
struct err *s3_acl_check(struct str acl, const struct str *grants, size_t n)
{
    bool ok = acl.p == NULL || str_is(acl, "private") || str_is(acl, "bucket-owner-full-control");
    for (size_t i = 0; i < n; i++)
        ok = ok && grants[i].p == NULL;
    return ok ? NULL
              : err_aws(400, "AccessControlListNotSupported", "The bucket does not allow ACLs");
}

/* Letters, digits, blanks of any script, and a few marks:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html */
static bool tag_text(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch & 0x80) != 0;
        if (!letter && !(ch >= '0' && ch <= '9') && memchr(" _.:/=+-@", ch, 9) == NULL)
            return false;
    }
    return str_utf8_valid(s);
}

struct err *s3_tags_check(const struct s3_TagSet *t, size_t max)
{
    if (t->n > max)
        return err_aws(400, "BadRequest", "%s cannot be greater than %zu",
                       max == S3_TAGS_MAX ? "Object tags" : "Bucket tag count", max);
    for (size_t i = 0; i < t->n; i++) {
        struct str k = t->v[i].Key, v = t->v[i].Value;
        if (k.n == 0 || !tag_text(k) || str_utf8_count(k) > S3_TAG_KEY_MAX)
            return err_aws(400, "InvalidTag", "The TagKey you have provided is invalid");
        if (!tag_text(v) || str_utf8_count(v) > S3_TAG_VALUE_MAX)
            return err_aws(400, "InvalidTag", "The TagValue you have provided is invalid");
        if (str_starts_c(k, "aws:"))
            return err_aws(400, "InvalidTag", "System tags cannot be added/updated by requester");
        for (size_t j = 0; j < i; j++)
            if (str_eq(k, t->v[j].Key))
                return err_aws(400, "InvalidTag", "Cannot provide multiple Tags with the same key");
    }
    return NULL;
}

struct err *s3_tags_parse(struct arena *a, struct str header, struct s3_TagSet *out)
{
    struct wire_param *p = NULL;
    size_t n = 0;
    struct s3_TagSet t = {.set = true};
    struct err *e = header.n > S3_HEADER_MAX ? err_new(ERR_LIMIT, "The tags are too long.")
                                             : wire_params(a, header, &p, &n);
    if (e != NULL) {
        err_free(e);
        return err_aws(400, "InvalidArgument",
                       "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                       "query parameters without tag name duplicates.");
    }
    t.v = ARENA_ARRAY(a, n + 1, struct s3_Tag);
    for (size_t i = 0; i < n; i++)
        t.v[t.n++] = (struct s3_Tag){p[i].name, p[i].value.p != NULL ? p[i].value : STR("")};
    TRY(s3_tags_check(&t, S3_TAGS_MAX));
    *out = t;
    return NULL;
}

static struct err *check_storage_class(struct call *c, struct str name)
{
    static const char *const known[] = {"REDUCED_REDUNDANCY",  "STANDARD_IA",    "ONEZONE_IA",
                                        "INTELLIGENT_TIERING", "GLACIER",        "DEEP_ARCHIVE",
                                        "GLACIER_IR",          "EXPRESS_ONEZONE"};
    if (name.p == NULL || str_is(name, "STANDARD"))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_is(name, known[i]))
            return err_not_implemented(c, "Storage classes other than STANDARD");
    return err_aws(400, "InvalidStorageClass", "The storage class you specified is not valid");
}

static struct str lower(struct arena *a, struct str s)
{
    char *p = arena_cstr(a, s);
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] = (char)(p[i] + 32);
    return str_of(p, s.n);
}

static struct err *check_metadata(struct call *c, struct s3_object *o)
{
    size_t total = 0;
    struct s3_Metadata m = {.set = true};
    m.v = ARENA_ARRAY(c->arena, o->meta.n + 1, struct s3_Metadata_item);
    for (size_t i = 0; i < o->meta.n; i++) {
        const struct s3_Metadata_item *in = &o->meta.v[i];
        total += in->key.n + in->value.n;
        m.v[m.n++] = (struct s3_Metadata_item){lower(c->arena, in->key),
                                               in->value.p != NULL ? in->value : STR("")};
    }
    o->meta = m;
    if (total > S3_META_MAX)
        return err_aws(400, "MetadataTooLarge",
                       "Your metadata headers exceed the maximum allowed metadata size");
    return NULL;
}

/* "aws-chunked" tells of the transfer, not of the object. */
static struct str without_chunked(struct arena *a, struct str encoding)
{
    struct str out = STR_NONE;
    while (encoding.p != NULL) {
        struct str one = str_trim(str_cut(&encoding, ','));
        if (one.n == 0 || str_is_i(one, "aws-chunked"))
            continue;
        out = out.p == NULL ? one : arena_fmt(a, "%.*s,%.*s", STR_ARG(out), STR_ARG(one));
    }
    return out;
}

/* Also what a later model knows of Object Lock: an object that was to be held is not just kept. */
static bool locks(const struct call *c)
{
    for (size_t i = 0; c->wire != NULL && i < c->wire->n_headers; i++)
        if (str_ieq(str_take(c->wire->headers[i].name, 18), STR("x-amz-object-lock-")))
            return true;
    return false;
}

struct err *s3_attrs_check(struct call *c, const struct s3_attrs_in *in, struct s3_object *o)
{
    TRY(s3_acl_check(in->acl, in->grants, ARRAY_LEN(in->grants)));
    TRY(check_storage_class(c, in->storage_class));
    if (in->lock_mode.p != NULL || in->hold.p != NULL || in->lock_until.set || locks(c))
        return err_not_implemented(c, "Object Lock");
    if (in->redirect.p != NULL && !str_starts_c(in->redirect, "/") &&
        !str_starts_c(in->redirect, "http://") && !str_starts_c(in->redirect, "https://"))
        return err_aws(400, "InvalidRedirectLocation",
                       "The website redirect location must have a prefix of 'http://' or "
                       "'https://' or '/'.");
    if (in->tagging.p != NULL)
        TRY(s3_tags_parse(c->arena, in->tagging, &o->tags));
    const struct str headers[] = {o->type,     o->cache,   o->disposition, o->encoding,
                                  o->language, o->expires, o->redirect};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        if (headers[i].n > S3_HEADER_MAX)
            return err_aws(400, "MetadataTooLarge",
                           "Your metadata headers exceed the maximum allowed metadata size");
    o->encoding = without_chunked(c->arena, o->encoding);
    if (o->type.n == 0)
        o->type = STR("binary/octet-stream");
    return check_metadata(c, o);
}
