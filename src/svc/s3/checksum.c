#include "checksum.h"

#include "../../core/crc.h"
#include "../../core/enc.h"
#include "../../crypto/crypto.h"

static const struct {
    const char *name, *header;
    size_t size;
    uint64_t poly; /* reflected; 0: not a CRC */
} algs[ALG_COUNT] = {
    [ALG_NONE] = {"", "", 0, 0},
    [ALG_CRC32] = {"CRC32", "x-amz-checksum-crc32", 4, 0xedb88320u},
    [ALG_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", 4, 0x82f63b78u},
    [ALG_CRC64NVME] = {"CRC64NVME", "x-amz-checksum-crc64nvme", 8, 0x9a6c9329ac4bc9b5u},
    [ALG_SHA1] = {"SHA1", "x-amz-checksum-sha1", SHA1_SIZE, 0},
    [ALG_SHA256] = {"SHA256", "x-amz-checksum-sha256", SHA256_SIZE, 0},
    [ALG_SHA512] = {"SHA512", "x-amz-checksum-sha512", SHA512_SIZE, 0},
    [ALG_MD5] = {"MD5", "x-amz-checksum-md5", MD5_SIZE, 0},
};

const char *s3_alg_name(enum s3_alg alg)
{
    return algs[alg].name;
}

const char *s3_alg_header(enum s3_alg alg)
{
    return algs[alg].header;
}

size_t s3_alg_size(enum s3_alg alg)
{
    return algs[alg].size;
}

bool s3_alg_is_crc(enum s3_alg alg)
{
    return algs[alg].poly != 0;
}

enum s3_alg s3_alg_of(struct str name)
{
    for (enum s3_alg g = ALG_CRC32; g < ALG_COUNT; g++)
        if (str_is_i(name, algs[g].name))
            return g;
    return ALG_NONE;
}

enum s3_alg s3_alg_of_header(struct str header)
{
    for (enum s3_alg g = ALG_CRC32; g < ALG_COUNT; g++)
        if (str_is_i(header, algs[g].header))
            return g;
    return ALG_NONE;
}

/* -- running ----------------------------------------------------------------------------------- */

struct s3_sums {
    unsigned mask;
    uint32_t crc32, crc32c;
    uint64_t crc64;
    struct hash *hash[ALG_COUNT];
    unsigned char value[ALG_COUNT][ALG_SIZE_MAX];
};

static const struct {
    enum s3_alg alg;
    enum hash_kind kind;
} hashes[] = {{ALG_SHA1, HASH_SHA1},
              {ALG_SHA256, HASH_SHA256},
              {ALG_SHA512, HASH_SHA512},
              {ALG_MD5, HASH_MD5}};

struct s3_sums *s3_sums_new(unsigned mask)
{
    struct s3_sums *s = calloc(1, sizeof *s);
    CHECK(s != NULL);
    s->mask = mask | 1u << ALG_MD5;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (s->mask & 1u << hashes[i].alg)
            s->hash[hashes[i].alg] = hash_new(hashes[i].kind);
    return s;
}

void s3_sums_add(struct s3_sums *s, struct str piece)
{
    if (s->mask & 1u << ALG_CRC32)
        s->crc32 = crc32_ieee(s->crc32, piece);
    if (s->mask & 1u << ALG_CRC32C)
        s->crc32c = crc32c(s->crc32c, piece);
    if (s->mask & 1u << ALG_CRC64NVME)
        s->crc64 = crc64nvme(s->crc64, piece);
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (s->hash[hashes[i].alg] != NULL)
            hash_add(s->hash[hashes[i].alg], piece);
}

static void store_be(unsigned char *p, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(v >> 8 * (n - 1 - i));
}

static uint64_t load_be(const void *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | ((const unsigned char *)p)[i];
    return v;
}

void s3_sums_end(struct s3_sums *s)
{
    store_be(s->value[ALG_CRC32], s->crc32, 4);
    store_be(s->value[ALG_CRC32C], s->crc32c, 4);
    store_be(s->value[ALG_CRC64NVME], s->crc64, 8);
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (s->hash[hashes[i].alg] != NULL)
            hash_end(s->hash[hashes[i].alg], s->value[hashes[i].alg]);
}

void s3_sums_free(struct s3_sums *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++)
        if (s->hash[hashes[i].alg] != NULL)
            hash_free(s->hash[hashes[i].alg]);
    free(s);
}

struct str s3_sums_value(const struct s3_sums *s, enum s3_alg alg)
{
    CHECK(s->mask & 1u << alg);
    return str_of(s->value[alg], algs[alg].size);
}

struct str s3_sums_text(const struct s3_sums *s, struct arena *a, enum s3_alg alg)
{
    return enc_base64(a, s3_sums_value(s, alg));
}

/* -- joining CRCs ---------------------------------------------------------------------------------
 * A CRC is the remainder of the message as a polynomial over GF(2). Appending n bytes multiplies
 * the former remainder by x^(8n); the start and end values of these CRCs cancel out. Values are
 * reflected: the top bit is the coefficient of x^0. */

static uint64_t poly_mul(uint64_t x, uint64_t y, uint64_t poly, int width)
{
    uint64_t out = 0;
    for (uint64_t bit = 1ull << (width - 1); bit != 0; bit >>= 1) {
        if (x & bit)
            out ^= y;
        y = y & 1 ? y >> 1 ^ poly : y >> 1;
    }
    return out;
}

void s3_crc_join(enum s3_alg alg, unsigned char *left, struct str right, uint64_t right_size)
{
    size_t n = algs[alg].size;
    int width = (int)n * 8;
    uint64_t poly = algs[alg].poly;
    CHECK(poly != 0 && right.n == n);
    uint64_t power = 1ull << (width - 1);    /* x^0 */
    uint64_t base = 1ull << (width - 1 - 8); /* x^8: one byte */
    for (uint64_t e = right_size; e != 0; e >>= 1) {
        if (e & 1)
            power = poly_mul(power, base, poly, width);
        base = poly_mul(base, base, poly, width);
    }
    store_be(left, poly_mul(power, load_be(left, n), poly, width) ^ load_be(right.p, n), n);
}
