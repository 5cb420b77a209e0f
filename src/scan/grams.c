#include "grams.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Texts that share the four bytes share the group: so many kinds of these are told apart. */
enum { GROUPS = 8, FEW_MAX = 512, FEW_KINDS_MAX = 64, FEW_NIBBLES_MAX = 24, LONG_BYTES = 128 };
enum { STRIDE_MAX = 8, PART_MAX = 64, BITS_MIN = 3, BITS_MAX = 16 };
enum { NONE = UINT32_MAX };

struct entry {
    uint32_t gram, text, next, off; /* off: where the gram stands within the text */
};

/* A bit for each group: may a text of it have this byte at place k of its four? */
struct few {
    unsigned char byte[GRAM_BYTES][64]; /* by the low six bits */
    unsigned char low[GRAM_BYTES][16], high[GRAM_BYTES][16];
    uint32_t kinds;
    uint32_t *off;                     /* by text: where its four bytes are */
    uint32_t *order, from[GROUPS + 1]; /* the texts, group by group */
};

struct grams {
    uint32_t stride;
    int bits_shift, heads_shift;
    uint32_t *heads; /* hash -> the first entry */
    struct entry *v;
    struct few *few; /* NULL: too many, or not worth it */
    const struct str *texts;
    size_t n;
    uint64_t bits[]; /* is there any such gram: two bits of a word for each */
};

static enum grams_road roads = GRAMS_WIDE;

void grams_limit(enum grams_road road)
{
    roads = road;
}

/* Upper case becomes lower case; other bytes may fall together, which the comparison sorts out. */
static inline uint32_t gram_at(const char *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x | 0x20202020U;
}

static inline uint32_t mixed(uint32_t gram)
{
    uint32_t h = gram * 0x9E3779B1U;
    return h ^ h >> 15;
}

/* The upper bits of a hash choose the word. */
static inline uint64_t two_bits(uint32_t h)
{
    return 1ULL << (h & 63) | 1ULL << (h >> 6 & 63);
}

static int log2_up(size_t n)
{
    int b = 1;
    while (((size_t)1 << b) < n)
        b++;
    return b;
}

/* The four bytes that are the rarest in records, roughly: digits and the letters of hexadecimal
 * numbers, names and addresses are everywhere. */
static uint32_t rarest(struct str text)
{
    uint32_t best = 0;
    int best_score = -1;
    for (uint32_t off = 0; off + GRAM_BYTES <= text.n; off++) {
        int score = 0;
        for (uint32_t k = 0; k < GRAM_BYTES; k++) {
            char c = text.p[off + k];
            score += strchr("jkqvwxyz_{}[]()<>;=!|&", c) != NULL && c != '\0' ? 3
                     : strchr("bfghlmpu", c) != NULL && c != '\0'              ? 2
                     : c >= '0' && c <= '9'                                    ? 0 : 1;
        }
        if (score > best_score)
            best = off, best_score = score;
    }
    return best;
}

static void few_byte(struct few *f, uint32_t k, unsigned char c, unsigned char group)
{
    f->byte[k][c & 63] |= group;
    f->low[k][c & 15] |= group;
    f->high[k][c >> 4] |= group;
}

/* The kind of each text's four bytes. */
static uint32_t few_kinds(const struct few *f, const struct str *texts, size_t n, uint32_t *kind)
{
    uint32_t kinds = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < i && memcmp(texts[j].p + f->off[j], texts[i].p + f->off[i], GRAM_BYTES) != 0)
            j++;
        kind[i] = j < i ? kind[j] : kinds++;
    }
    return kinds;
}

/* NULL: they are of too many kinds. */
static struct few *few_new(struct arena *a, const struct str *texts, size_t n)
{
    struct few *f = ARENA_NEW(a, struct few);
    uint32_t *kind = ARENA_ARRAY(a, n, uint32_t), k = 0;
    f->off = ARENA_ARRAY(a, n, uint32_t);
    f->order = ARENA_ARRAY(a, n, uint32_t);
    for (size_t i = 0; i < n; i++)
        f->off[i] = rarest(texts[i]);
    f->kinds = few_kinds(f, texts, n, kind);
    if (f->kinds > FEW_KINDS_MAX)
        return NULL;
    for (uint32_t group = 0; group < GROUPS; group++) {
        for (uint32_t i = 0; i < n; i++) {
            if (kind[i] % GROUPS == group)
                f->order[k++] = i;
        }
        f->from[group + 1] = k;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char group = (unsigned char)(1 << kind[i] % GROUPS);
        for (uint32_t j = 0; j < GRAM_BYTES; j++) {
            unsigned char c = (unsigned char)texts[i].p[f->off[i] + j];
            few_byte(f, j, c, group);
            if (c >= 'a' && c <= 'z')
                few_byte(f, j, (unsigned char)(c - 32), group);
        }
    }
    return f;
}

/* How many texts have each gram, roughly: by hash. */
enum { COUNTS = 4096 };

static void count(uint16_t *counts, struct str text)
{
    for (size_t i = 0; i + GRAM_BYTES <= text.n; i++) {
        uint16_t *c = &counts[mixed(gram_at(text.p + i)) / (UINT32_MAX / COUNTS + 1)];
        *c += *c < UINT16_MAX;
    }
}

/* Where `stride` grams begin that the fewest other texts have: what a set of texts has in common
 * ("arn:aws:iam::") tells nothing. */
static uint32_t window(const uint16_t *counts, struct str text, size_t stride)
{
    uint64_t best = UINT64_MAX, sum = 0;
    uint32_t best_at = 0;
    uint16_t had[PART_MAX] = {0};
    size_t n = text.n - GRAM_BYTES + 1 < PART_MAX ? text.n - GRAM_BYTES + 1 : PART_MAX;
    for (size_t i = 0; i < n; i++) {
        had[i] = counts[mixed(gram_at(text.p + i)) / (UINT32_MAX / COUNTS + 1)];
        sum += had[i];
        if (i >= stride)
            sum -= had[i - stride];
        if (i + 1 >= stride && sum < best)
            best = sum, best_at = (uint32_t)(i + 1 - stride);
    }
    return best_at;
}

static void add_entries(struct grams *g, const uint16_t *counts)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < g->n; i++) {
        uint32_t from = window(counts, g->texts[i], g->stride);
        for (uint32_t off = from; off < from + g->stride; off++) {
            uint32_t x = gram_at(g->texts[i].p + off), h = mixed(x);
            uint32_t *head = &g->heads[h >> g->heads_shift];
            g->bits[h >> g->bits_shift] |= two_bits(h);
            g->v[k] = (struct entry){x, i, *head, off};
            *head = k++;
        }
    }
}

static uint32_t stride_of(const struct str *texts, size_t n, uint16_t *counts)
{
    size_t stride = STRIDE_MAX;
    for (size_t i = 0; i < n; i++) {
        CHECK(texts[i].n >= GRAM_BYTES);
        /* Half of the grams that each text needs at the most, so that there is a choice. */
        size_t room = (texts[i].n - GRAM_BYTES + 2) / 2;
        stride = room < stride ? room : stride;
        count(counts, texts[i]);
    }
    return (uint32_t)stride;
}

struct grams *grams_new(struct arena *a, const struct str *texts, size_t n, bool in_long)
{
    uint16_t *counts = calloc(COUNTS, sizeof *counts);
    CHECK(counts != NULL);
    uint32_t stride = stride_of(texts, n, counts);
    size_t entries = n * stride;
    int bits = log2_up(entries / 4 + 1), heads = log2_up(entries); /* 16 bits for each */
    bits = bits < BITS_MIN ? BITS_MIN : bits > BITS_MAX ? BITS_MAX : bits;
    struct grams *g = arena_alloc(a, sizeof *g + ((size_t)1 << bits) * sizeof *g->bits);
    g->texts = texts;
    g->n = n;
    g->few = in_long && n <= FEW_MAX ? few_new(a, texts, n) : NULL;
    g->stride = stride;
    g->bits_shift = 32 - bits;
    g->heads_shift = 32 - heads;
    g->heads = arena_alloc_raw(a, ((size_t)1 << heads) * sizeof *g->heads);
    memset(g->heads, 0xff, ((size_t)1 << heads) * sizeof *g->heads);
    g->v = ARENA_ARRAY(a, entries, struct entry);
    add_entries(g, counts);
    free(counts);
    return g;
}

static inline char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool stands(struct str s, size_t at, struct str text)
{
    if (text.n > s.n - at)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (low(s.p[at + i]) != text.p[i])
            return false;
    }
    return true;
}

static void compare(const struct grams *g, struct str s, size_t at, uint32_t gram, grams_hit *hit,
                    void *ctx)
{
    uint32_t k = g->heads[mixed(gram) >> g->heads_shift];
    for (; k != NONE; k = g->v[k].next) {
        const struct entry *e = &g->v[k];
        if (e->gram == gram && e->off <= at && stands(s, at - e->off, g->texts[e->text]))
            hit(ctx, e->text);
    }
}

/* The texts of the groups, at a place where their four bytes may be. */
static void compare_few(const struct grams *g, struct str s, size_t at, unsigned groups,
                        grams_hit *hit, void *ctx)
{
    for (; groups != 0; groups &= groups - 1) {
        const uint32_t *from = &g->few->from[__builtin_ctz(groups)];
        for (uint32_t k = from[0]; k < from[1]; k++) {
            uint32_t i = g->few->order[k], off = g->few->off[i];
            if (off <= at && stands(s, at - off, g->texts[i]))
                hit(ctx, i);
        }
    }
}

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi")))

WIDE static inline __m512i wide_groups(const struct few *f, int k)
{
    return _mm512_loadu_si512((const void *)f->byte[k]);
}

WIDE static inline __m512i wide_place(__m512i groups, __mmask64 here, const char *p)
{
    return _mm512_permutexvar_epi8(_mm512_maskz_loadu_epi8(here, (const void *)p), groups);
}

/* The four places one by one, and not in a loop: so the tables stay in registers. */
WIDE static void find_wide(const struct grams *g, struct str s, grams_hit *hit, void *ctx)
{
    const __m512i first = wide_groups(g->few, 0), second = wide_groups(g->few, 1),
                  third = wide_groups(g->few, 2), fourth = wide_groups(g->few, 3);
    for (size_t i = 0; i + GRAM_BYTES <= s.n; i += 64) {
        size_t left = s.n - i - (GRAM_BYTES - 1);
        __mmask64 here = left < 64 ? (1ULL << left) - 1 : ~0ULL;
        const char *p = s.p + i;
        __m512i m = _mm512_and_si512(wide_place(first, here, p), wide_place(second, here, p + 1));
        m = _mm512_and_si512(m, _mm512_and_si512(wide_place(third, here, p + 2),
                                                 wide_place(fourth, here, p + 3)));
        uint64_t found = _mm512_mask_test_epi8_mask(here, m, m);
        if (__builtin_expect(found != 0, 0)) {
            unsigned char groups[64];
            _mm512_storeu_si512((void *)groups, m);
            for (; found != 0; found &= found - 1) {
                int k = __builtin_ctzll(found);
                compare_few(g, s, i + (size_t)k, groups[k], hit, ctx);
            }
        }
    }
}

#define FAST __attribute__((target("avx2")))

FAST static inline __m256i fast_groups(const unsigned char low[16], const unsigned char high[16],
                                       __m256i v)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i l = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low));
    __m256i h = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)high));
    __m256i up = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble);
    return _mm256_and_si256(_mm256_shuffle_epi8(l, _mm256_and_si256(v, nibble)),
                            _mm256_shuffle_epi8(h, up));
}

/* The last bytes are read again with what is before them: a place may be found twice. */
FAST static void find_fast(const struct grams *g, struct str s, grams_hit *hit, void *ctx)
{
    const size_t block = 32 + GRAM_BYTES - 1;
    for (size_t i = 0;; i += 32) {
        i = i + block > s.n ? s.n - block : i;
        __m256i m = _mm256_set1_epi8((char)0xff);
        for (int k = 0; k < GRAM_BYTES; k++) {
            const void *at = s.p + i + k;
            __m256i v = _mm256_loadu_si256((const __m256i *)at);
            m = _mm256_and_si256(m, fast_groups(g->few->low[k], g->few->high[k], v));
        }
        __m256i none = _mm256_cmpeq_epi8(m, _mm256_setzero_si256());
        uint32_t found = ~(uint32_t)_mm256_movemask_epi8(none);
        if (__builtin_expect(found != 0, 0)) {
            unsigned char groups[32];
            _mm256_storeu_si256((__m256i *)(void *)groups, m);
            for (; found != 0; found &= found - 1) {
                int k = __builtin_ctz(found);
                compare_few(g, s, i + (size_t)k, groups[k], hit, ctx);
            }
        }
        if (i + block >= s.n)
            return;
    }
}
#endif

/* Few texts in a long value, and a processor for it. */
static bool find_few(const struct grams *g, struct str s, grams_hit *hit, void *ctx)
{
#if defined(__x86_64__)
    if (roads >= GRAMS_WIDE && __builtin_cpu_supports("avx512vbmi") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        find_wide(g, s, hit, ctx);
        return true;
    }
    if (roads >= GRAMS_FAST && g->few->kinds <= FEW_NIBBLES_MAX && __builtin_cpu_supports("avx2")) {
        find_fast(g, s, hit, ctx);
        return true;
    }
#endif
    (void)g, (void)s, (void)hit, (void)ctx;
    return false;
}

void grams_find(const struct grams *g, struct str s, grams_hit *hit, void *ctx)
{
    if (s.n >= LONG_BYTES && g->few != NULL && find_few(g, s, hit, ctx))
        return;
    const uint64_t *bits = g->bits;
    size_t stride = g->stride;
    int shift = g->bits_shift;
    for (size_t i = 0; i + GRAM_BYTES <= s.n; i += stride) {
        uint32_t x = gram_at(s.p + i), h = mixed(x);
        uint64_t two = two_bits(h);
        if (__builtin_expect((bits[h >> shift] & two) == two, 0))
            compare(g, s, i, x, hit, ctx);
    }
}
