/* The digests that clients check: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
 * MD5 guards against accidents here, not against people: TLS does that. */
#include "room.h"

struct str md5_hex(struct arena *a, struct str s)
{
    unsigned char digest[MD5_SIZE];
    hash_once(HASH_MD5, s, digest);
    return enc_hex(a, str_of(digest, sizeof digest));
}

static void add_part(struct hash *h, struct str s)
{
    unsigned char n[4] = {(unsigned char)(s.n >> 24), (unsigned char)(s.n >> 16),
                          (unsigned char)(s.n >> 8), (unsigned char)s.n};
    hash_add(h, str_of(n, 4));
    hash_add(h, s);
}

static int by_name(const void *x, const void *y)
{
    const struct sqs_MessageBodyAttributeMap_item *const *a = x, *const *b = y;
    return str_cmp((*a)->key, (*b)->key);
}

/* The same over the one system attribute that a sender can give. */
struct str md5_of_system(struct arena *a, const struct sqs_MessageBodySystemAttributeMap *m)
{
    if (m == NULL || m->n == 0)
        return STR_NONE;
    struct hash *h = hash_new(HASH_MD5);
    add_part(h, m->v[0].key);
    add_part(h, m->v[0].value.DataType);
    hash_add(h, STR("\1"));
    add_part(h, m->v[0].value.StringValue);
    unsigned char digest[MD5_SIZE];
    hash_end(h, digest);
    hash_free(h);
    return enc_hex(a, str_of(digest, sizeof digest));
}

struct str md5_of_attributes(struct arena *a, const struct sqs_MessageBodyAttributeMap *m)
{
    if (m == NULL || m->n == 0)
        return STR_NONE;
    const struct sqs_MessageBodyAttributeMap_item **sorted =
        ARENA_ARRAY(a, m->n, const struct sqs_MessageBodyAttributeMap_item *);
    for (size_t i = 0; i < m->n; i++)
        sorted[i] = &m->v[i];
    qsort(sorted, m->n, sizeof *sorted, by_name);
    struct hash *h = hash_new(HASH_MD5);
    for (size_t i = 0; i < m->n; i++) {
        const struct sqs_MessageAttributeValue *v = &sorted[i]->value;
        bool binary = str_starts_c(v->DataType, "Binary");
        add_part(h, sorted[i]->key);
        add_part(h, v->DataType);
        hash_add(h, str_of(binary ? "\2" : "\1", 1));
        add_part(h, binary ? v->BinaryValue : v->StringValue);
    }
    unsigned char digest[MD5_SIZE];
    hash_end(h, digest);
    hash_free(h);
    return enc_hex(a, str_of(digest, sizeof digest));
}
