/* Which actions a bucket's policy can speak of, and whether they are about the bucket or about what
 * is in it: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
 * A statement whose action means nothing is refused, as S3 does: a Deny with a typing mistake would
 * pass for protection. */
#include "actions.h"

static const char *const on_bucket[] = {
    "allowvendedlogdeliveryforresource", "createbucket", "createbucketmetadatatableconfiguration",
    "deletebucket", "deletebucketmetadatatableconfiguration", "deletebucketpolicy",
    "deletebucketwebsite", "getaccelerateconfiguration", "getanalyticsconfiguration",
    "getbucketabac", "getbucketacl", "getbucketcors", "getbucketlocation", "getbucketlogging",
    "getbucketmetadatatableconfiguration", "getbucketnotification",
    "getbucketobjectlockconfiguration", "getbucketownershipcontrols", "getbucketpolicy",
    "getbucketpolicystatus", "getbucketpublicaccessblock", "getbucketrequestpayment",
    "getbuckettagging", "getbucketversioning", "getbucketwebsite", "getencryptionconfiguration",
    "getintelligenttieringconfiguration", "getinventoryconfiguration",
    "getlifecycleconfiguration", "getmetricsconfiguration", "getreplicationconfiguration",
    "listbucket", "listbucketmultipartuploads", "listbucketversions", "listtagsforresource",
    "pausereplication", "putaccelerateconfiguration", "putanalyticsconfiguration",
    "putbucketabac", "putbucketacl", "putbucketcors", "putbucketlogging", "putbucketnotification",
    "putbucketobjectlockconfiguration", "putbucketownershipcontrols", "putbucketpolicy",
    "putbucketpublicaccessblock", "putbucketrequestpayment", "putbuckettagging",
    "putbucketversioning", "putbucketwebsite", "putencryptionconfiguration",
    "putintelligenttieringconfiguration", "putinventoryconfiguration",
    "putlifecycleconfiguration", "putmetricsconfiguration", "putreplicationconfiguration",
    "tagresource", "untagresource", "updatebucketmetadataannotationtableconfiguration",
    "updatebucketmetadatainventorytableconfiguration",
    "updatebucketmetadatajournaltableconfiguration", NULL};

static const char *const on_object[] = {
    "abortmultipartupload", "bypassgovernanceretention", "deleteobject", "deleteobjectannotation",
    "deleteobjecttagging", "deleteobjectversion", "deleteobjectversionannotation",
    "deleteobjectversiontagging", "getobject", "getobjectacl", "getobjectannotation",
    "getobjectattributes", "getobjectlegalhold", "getobjectretention", "getobjecttagging",
    "getobjecttorrent", "getobjectversion", "getobjectversionacl", "getobjectversionannotation",
    "getobjectversionannotationforreplication", "getobjectversionattributes",
    "getobjectversionforreplication", "getobjectversiontagging", "getobjectversiontorrent",
    "initiatereplication", "listmultipartuploadparts", "listobjectannotations",
    "listobjectversionannotations", "objectowneroverridetobucketowner", "putobject",
    "putobjectacl", "putobjectannotation", "putobjectlegalhold", "putobjectretention",
    "putobjecttagging", "putobjectversionacl", "putobjectversionannotation",
    "putobjectversiontagging", "replicatedelete", "replicateobject", "replicateobjectannotation",
    "replicatetags", "restoreobject", "updateobjectencryption", NULL};

/* Case does not count; '*' is any run, '?' any one character. */
static bool like(struct str pattern, const char *name)
{
    size_t p = 0, n = 0, star = SIZE_MAX, from = 0, len = strlen(name);
    while (n < len) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            from = n;
        } else if (p < pattern.n && (pattern.p[p] == '?' || (pattern.p[p] | 0x20) == name[n])) {
            p++;
            n++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            n = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool any_like(struct str pattern, const char *const *names)
{
    for (; *names != NULL; names++)
        if (like(pattern, *names))
            return true;
    return false;
}

unsigned s3_action_scope(struct str action)
{
    if (str_is(action, "*"))
        return S3_ON_BUCKET | S3_ON_OBJECT;
    if (!str_ieq(str_take(action, 3), STR("s3:")))
        return 0;
    struct str name = str_skip(action, 3);
    return (any_like(name, on_bucket) ? S3_ON_BUCKET : 0u) |
           (any_like(name, on_object) ? S3_ON_OBJECT : 0u);
}

unsigned s3_resource_scope(struct str bucket_arn, struct str resource)
{
    size_t n = 0; /* up to the first wildcard */
    while (n < resource.n && resource.p[n] != '*' && resource.p[n] != '?')
        n++;
    struct str literal = str_take(resource, n);
    if (n > bucket_arn.n)
        return str_starts(literal, bucket_arn) && literal.p[bucket_arn.n] == '/' ? S3_ON_OBJECT : 0;
    if (!str_starts(bucket_arn, literal))
        return 0;
    if (n < resource.n)
        return S3_ON_BUCKET | S3_ON_OBJECT;
    return n == bucket_arn.n ? S3_ON_BUCKET : 0;
}
