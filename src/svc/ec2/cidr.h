/* cidr.h: address blocks, IPv4 and IPv6 (RFC 4632, RFC 4291), as EC2 spells them.
 *
 * EC2 takes a block with bits set behind the prefix and keeps its canonical form
 * (100.68.0.18/18 is 100.68.0.0/18); parsing does so too. Text without "/n" is not a block.
 * Thread rule: pure functions. */
#ifndef WARD_SVC_EC2_CIDR_H
#define WARD_SVC_EC2_CIDR_H

#include "core/arena.h"

enum { CIDR_TEXT_MAX = 64 };

struct cidr {
    bool v6;
    int bits;               /* of the prefix: 0..32 or 0..128 */
    unsigned char addr[16]; /* network byte order; IPv4 in the first four */
};

/* Any block of either family; false: it is none. *out is canonical. */
bool cidr_parse(struct str text, struct cidr *out);
bool cidr_parse4(struct str text, struct cidr *out);
bool cidr_parse6(struct str text, struct cidr *out);
struct str cidr_text(struct arena *a, const struct cidr *c);

bool cidr_equal(const struct cidr *x, const struct cidr *y);
bool cidr_contains(const struct cidr *outer, const struct cidr *inner); /* or equals */
bool cidr_overlaps(const struct cidr *x, const struct cidr *y);

/* Single IPv4 addresses as numbers. */
bool ip4_parse(struct str text, uint32_t *out);
struct str ip4_text(struct arena *a, uint32_t ip);
uint32_t cidr_first4(const struct cidr *c);
uint32_t cidr_size4(const struct cidr *c); /* addresses in it; /0 is beyond this: 0 */
bool cidr_has4(const struct cidr *c, uint32_t ip);

#endif
