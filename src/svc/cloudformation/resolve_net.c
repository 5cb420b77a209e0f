/* Fn::Cidr and Fn::GetAZs. */
#include "template.h"

enum { CIDR_COUNT_MAX = 256, ZONES = 3 };

static bool parse_cidr(struct str s, uint32_t *out_ip, int *out_bits)
{
    struct str ip = str_cut(&s, '/');
    int64_t bits, part;
    uint32_t v = 0;
    int n = 0;
    if (!str_to_i64(s, 0, 32, &bits))
        return false;
    for (; ip.p != NULL; n++) {
        if (!str_to_i64(str_cut(&ip, '.'), 0, 255, &part))
            return false;
        v = v << 8 | (uint32_t)part;
    }
    *out_ip = v;
    *out_bits = (int)bits;
    return n == 4;
}

struct err *resolve_cidr(struct scope *s, const struct jv *args, const struct jv **out)
{
    struct str block = jv_s(jv_at(args, 0));
    struct str count_text = template_scalar(s->a, jv_at(args, 1));
    struct str bits_text = template_scalar(s->a, jv_at(args, 2));
    int64_t count, host_bits = 8;
    uint32_t ip;
    int bits;
    if (str_find_char(block, ':') >= 0)
        return err_aws(501, "NotImplemented", "Fn::Cidr of an IPv6 block is not built in this "
                                              "version of Ward. The README lists what is.");
    if (!parse_cidr(block, &ip, &bits) || !str_to_i64(count_text, 1, CIDR_COUNT_MAX, &count) ||
        (bits_text.p != NULL && !str_to_i64(bits_text, 1, 31, &host_bits)))
        return template_error("Template error: every Fn::Cidr object requires an IPv4 block, a "
                              "count from 1 to %d and, optionally, a number of bits.",
                              CIDR_COUNT_MAX);
    uint64_t size = 1ULL << host_bits, whole = 1ULL << (32 - bits);
    if ((uint64_t)count * size > whole)
        return template_error("Template error: Fn::Cidr: %.*s cannot be cut into %lld blocks of "
                              "%lld bits.", STR_ARG(block), (long long)count,
                              (long long)host_bits);
    struct jv *list = jv_new_arr(s->a);
    uint32_t base = bits == 0 ? 0 : ip & ~(uint32_t)(whole - 1);
    for (int64_t i = 0; i < count; i++) {
        uint32_t at = base + (uint32_t)((uint64_t)i * size);
        struct str text = arena_fmt(s->a, "%u.%u.%u.%u/%d", at >> 24, at >> 16 & 255,
                                    at >> 8 & 255, at & 255, 32 - (int)host_bits);
        jv_push(s->a, list, jv_new_str(s->a, text));
    }
    *out = list;
    return NULL;
}

/* A region of Ward has three zones, as most of AWS's have. */
struct err *resolve_azs(struct scope *s, const struct jv *arg, const struct jv **out)
{
    struct str region = jv_s(arg);
    if (!jv_is(arg, JV_STR))
        return template_error("Template error: every Fn::GetAZs object requires a string.");
    if (region.n == 0)
        region = s->region;
    struct jv *list = jv_new_arr(s->a);
    for (int i = 0; i < ZONES; i++)
        jv_push(s->a, list,
                jv_new_str(s->a, arena_fmt(s->a, "%.*s%c", STR_ARG(region), 'a' + i)));
    *out = list;
    return NULL;
}
