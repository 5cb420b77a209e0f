/* Address blocks: parsing, canonical form, comparison. */
#include "cidr.h"

#include <arpa/inet.h>
#include <string.h>

static void canonical(struct cidr *c)
{
    int size = c->v6 ? 16 : 4;
    for (int i = 0; i < size; i++) {
        int kept = c->bits - i * 8;
        if (kept <= 0)
            c->addr[i] = 0;
        else if (kept < 8)
            c->addr[i] &= (unsigned char)(0xff << (8 - kept));
    }
}

/* Strict dotted decimal: no leading zeros, which some readers take for octal. */
static bool parse_address(int family, struct str text, unsigned char *out)
{
    char z[CIDR_TEXT_MAX];
    if (text.n == 0 || text.n >= sizeof z)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\0' || text.p[i] == '%')
            return false;
    memcpy(z, text.p, text.n);
    z[text.n] = '\0';
    return inet_pton(family, z, out) == 1;
}

static bool parse(struct str text, bool v6, struct cidr *out)
{
    ptrdiff_t slash = str_rfind_char(text, '/');
    if (slash < 0)
        return false;
    struct cidr c = {.v6 = v6};
    struct str bits = str_skip(text, (size_t)slash + 1);
    int64_t n;
    if (bits.n > 3 || (bits.n > 1 && bits.p[0] == '0') || (bits.n > 0 && bits.p[0] == '+') ||
        !str_to_i64(bits, 0, v6 ? 128 : 32, &n))
        return false;
    if (!parse_address(v6 ? AF_INET6 : AF_INET, str_take(text, (size_t)slash), c.addr))
        return false;
    c.bits = (int)n;
    canonical(&c);
    *out = c;
    return true;
}

bool cidr_parse4(struct str text, struct cidr *out)
{
    return parse(text, false, out);
}

bool cidr_parse6(struct str text, struct cidr *out)
{
    return parse(text, true, out);
}

bool cidr_parse(struct str text, struct cidr *out)
{
    return parse(text, false, out) || parse(text, true, out);
}

struct str cidr_text(struct arena *a, const struct cidr *c)
{
    char z[INET6_ADDRSTRLEN];
    CHECK(inet_ntop(c->v6 ? AF_INET6 : AF_INET, c->addr, z, sizeof z) != NULL);
    return arena_fmt(a, "%s/%d", z, c->bits);
}

bool cidr_equal(const struct cidr *x, const struct cidr *y)
{
    return x->v6 == y->v6 && x->bits == y->bits && memcmp(x->addr, y->addr, 16) == 0;
}

bool cidr_contains(const struct cidr *outer, const struct cidr *inner)
{
    if (outer->v6 != inner->v6 || outer->bits > inner->bits)
        return false;
    struct cidr cut = *inner;
    cut.bits = outer->bits;
    canonical(&cut);
    return memcmp(cut.addr, outer->addr, 16) == 0;
}

bool cidr_overlaps(const struct cidr *x, const struct cidr *y)
{
    return cidr_contains(x, y) || cidr_contains(y, x);
}

bool ip4_parse(struct str text, uint32_t *out)
{
    unsigned char b[4];
    if (!parse_address(AF_INET, text, b))
        return false;
    *out = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    return true;
}

struct str ip4_text(struct arena *a, uint32_t ip)
{
    return arena_fmt(a, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}

uint32_t cidr_first4(const struct cidr *c)
{
    return (uint32_t)c->addr[0] << 24 | (uint32_t)c->addr[1] << 16 | (uint32_t)c->addr[2] << 8 |
           c->addr[3];
}

uint32_t cidr_size4(const struct cidr *c)
{
    return c->bits == 0 ? 0 : (uint32_t)1 << (32 - c->bits);
}

bool cidr_has4(const struct cidr *c, uint32_t ip)
{
    return !c->v6 && (c->bits == 0 || (ip - cidr_first4(c)) < cidr_size4(c));
}
