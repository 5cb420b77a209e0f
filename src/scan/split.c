#include "split.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { BLOCK = 64 };

struct masks {
    uint64_t slash, quote, structural;
    uint64_t high; /* not 0: some byte is above 127 */
};

static enum split_road widest = SPLIT_WIDE;

void split_limit(enum split_road road)
{
    widest = road;
}

/* Bits whose byte is escaped: it follows an odd number of backslashes. */
static inline uint64_t escaped(uint64_t slash, uint64_t *carry)
{
    uint64_t out = *carry;
    if (slash == 0) {
        *carry = 0;
        return out;
    }
    uint64_t next = 0;
    uint64_t todo = slash & ~*carry;
    while (todo != 0) {
        int i = __builtin_ctzll(todo);
        if (i == 63) {
            next = 1;
            break;
        }
        out |= 2ULL << i;
        /* The escaped byte, if itself a backslash, escapes nothing. */
        todo &= ~(3ULL << i);
    }
    *carry = next;
    return out;
}

static inline uint64_t prefix_xor(uint64_t m)
{
    m ^= m << 1;
    m ^= m << 2;
    m ^= m << 4;
    m ^= m << 8;
    m ^= m << 16;
    m ^= m << 32;
    return m;
}

struct state {
    uint64_t escape, in_string; /* carried from block to block; in_string is 0 or all ones */
};

static inline uint64_t outside(struct state *st, const struct masks *m,
                               uint64_t inside_of(uint64_t))
{
    uint64_t quote = m->quote & ~escaped(m->slash, &st->escape);
    uint64_t in_string = inside_of(quote) ^ st->in_string;
    st->in_string = (uint64_t)((int64_t)in_string >> 63);
    return m->structural & ~in_string;
}

static inline void note_slash(struct split *s, size_t base, uint64_t slash)
{
    if (slash != 0) {
        s->slash[base / BLOCK / 64] |= 1ULL << (base / BLOCK % 64);
        s->any_slash = true;
    }
}

static inline void note(struct split *s, size_t base, uint64_t bits, uint64_t slash)
{
    note_slash(s, base, slash);
    uint32_t *at = s->at + s->n;
    size_t count = (size_t)__builtin_popcountll(bits);
    /* Some too many are written, and overwritten: that is cheaper than a branch for each. */
    for (size_t done = 0; done < count; done += 8) {
        for (int k = 0; k < 8; k++) {
            at[done + (size_t)k] = (uint32_t)base + (uint32_t)__builtin_ctzll(bits | 1ULL << 63);
            bits &= bits - 1;
        }
    }
    s->n += count;
}

static struct masks block_portable(const char *p)
{
    struct masks m = {0};
    for (int i = 0; i < BLOCK; i++) {
        uint64_t bit = 1ULL << i;
        m.high |= (unsigned char)p[i] >> 7;
        switch (p[i]) {
        case '\\': m.slash |= bit; break;
        case '"': m.quote |= bit; break;
        case '{': case '}': case '[': case ']': case ':': case ',': m.structural |= bit; break;
        default: break;
        }
    }
    return m;
}

static void run_portable(struct split *s, const char *p, size_t n)
{
    struct state st = {0};
    char last[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        const char *at = p + i;
        if (n - i < BLOCK) {
            memset(last, ' ', sizeof last);
            memcpy(last, at, n - i);
            at = last;
        }
        struct masks m = block_portable(at);
        s->ascii = s->ascii && m.high == 0;
        note(s, i, outside(&st, &m, prefix_xor), m.slash);
    }
}

#if defined(__x86_64__)
#define FAST __attribute__((target("avx2,pclmul,bmi,popcnt")))

FAST static inline uint64_t two(__m256i lo, __m256i hi)
{
    return (uint32_t)_mm256_movemask_epi8(lo) | (uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32;
}

FAST static inline uint64_t equal(__m256i lo, __m256i hi, char c)
{
    __m256i v = _mm256_set1_epi8(c);
    return two(_mm256_cmpeq_epi8(lo, v), _mm256_cmpeq_epi8(hi, v));
}

FAST static inline struct masks block_fast(const char *p)
{
    __m256i lo = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i hi = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    /* '[' and ']' become '{' and '}' with bit 5 set, and no other byte does. */
    __m256i bit5 = _mm256_set1_epi8(0x20);
    __m256i blo = _mm256_or_si256(lo, bit5);
    __m256i bhi = _mm256_or_si256(hi, bit5);
    struct masks m;
    m.high = (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(lo, hi));
    m.slash = equal(lo, hi, '\\');
    m.quote = equal(lo, hi, '"');
    m.structural = equal(blo, bhi, '{') | equal(blo, bhi, '}') | equal(lo, hi, ':') |
                   equal(lo, hi, ',');
    return m;
}

FAST static inline uint64_t clmul_xor(uint64_t m)
{
    __m128i ones = _mm_set1_epi8((char)0xff);
    __m128i r = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)m), ones, 0);
    return (uint64_t)_mm_cvtsi128_si64(r);
}

FAST static void run_fast(struct split *s, const char *p, size_t n)
{
    struct state st = {0};
    uint64_t high = 0;
    char last[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        const char *at = p + i;
        if (n - i < BLOCK) {
            memset(last, ' ', sizeof last);
            memcpy(last, at, n - i);
            at = last;
        }
        struct masks m = block_fast(at);
        high |= m.high;
        uint64_t quote = m.quote & ~escaped(m.slash, &st.escape);
        uint64_t in_string = clmul_xor(quote) ^ st.in_string;
        st.in_string = (uint64_t)((int64_t)in_string >> 63);
        note(s, i, m.structural & ~in_string, m.slash);
    }
    s->ascii = high == 0;
}

#define WIDE                                                                                       \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,pclmul,bmi,popcnt")))

WIDE static inline uint64_t wide_clmul(uint64_t m)
{
    __m128i ones = _mm_set1_epi8((char)0xff);
    __m128i r = _mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t)m), ones, 0);
    return (uint64_t)_mm_cvtsi128_si64(r);
}

/* Writes down the places of the bits, sixteen at a time; some too many, which are overwritten. */
WIDE static inline uint32_t *wide_note(uint32_t *at, size_t base, uint64_t bits, __m512i numbers)
{
    size_t count = (size_t)__builtin_popcountll(bits);
    __m512i places = _mm512_maskz_compress_epi8(bits, numbers);
    __m512i first = _mm512_set1_epi32((int)base);
    __m512i four = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places));
    _mm512_storeu_si512((void *)at, _mm512_add_epi32(four, first));
    for (size_t done = 16; __builtin_expect(done < count, 0); done += 16) {
        places = _mm512_alignr_epi32(places, places, 4);
        four = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(places));
        _mm512_storeu_si512((void *)(at + done), _mm512_add_epi32(four, first));
    }
    return at + count;
}

WIDE static void run_wide(struct split *s, const char *p, size_t n)
{
    static const unsigned char order[64] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    struct state st = {0};
    const __m512i numbers = _mm512_loadu_si512((const void *)order);
    const __m512i bit5 = _mm512_set1_epi8(0x20);
    __m512i all = _mm512_setzero_si512();
    uint32_t *at = s->at;
    for (size_t i = 0; i < n; i += BLOCK) {
        __mmask64 here = n - i < BLOCK ? (1ULL << (n - i)) - 1 : ~0ULL;
        __m512i v = _mm512_maskz_loadu_epi8(here, (const void *)(p + i));
        __m512i folded = _mm512_or_si512(v, bit5);
        all = _mm512_or_si512(all, v);
        uint64_t slash = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\\'));
        uint64_t quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('"'));
        uint64_t structural = _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8('{')) |
                              _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8('}')) |
                              _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(':')) |
                              _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8(','));
        quote &= ~escaped(slash, &st.escape);
        uint64_t in_string = wide_clmul(quote) ^ st.in_string;
        st.in_string = (uint64_t)((int64_t)in_string >> 63);
        note_slash(s, i, slash);
        at = wide_note(at, i, structural & ~in_string, numbers);
    }
    s->n = (size_t)(at - s->at);
    s->ascii = _mm512_movepi8_mask(all) == 0;
}

static bool has_wide(void)
{
    return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("pclmul");
}

static bool has_fast(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul");
}
#endif

static void make_room(struct split *s, size_t n)
{
    if (s->cap < n + BLOCK + 1) {
        free(s->at);
        s->cap = n + BLOCK + 1;
        s->at = malloc(s->cap * sizeof *s->at);
        CHECK(s->at != NULL);
    }
    size_t words = n / BLOCK / 64 + 2;
    if (s->slash_cap < words) {
        free(s->slash);
        s->slash_cap = words;
        s->slash = malloc(words * sizeof *s->slash);
        CHECK(s->slash != NULL);
    }
    memset(s->slash, 0, words * sizeof *s->slash);
}

void split_run(struct split *s, const char *p, size_t n)
{
    CHECK(n <= SPLIT_BYTES_MAX);
    make_room(s, n);
    s->n = 0;
    s->any_slash = false;
    s->ascii = true;
#if defined(__x86_64__)
    if (widest >= SPLIT_WIDE && has_wide())
        run_wide(s, p, n);
    else if (widest >= SPLIT_FAST && has_fast())
        run_fast(s, p, n);
    else
#endif
        run_portable(s, p, n);
    s->at[s->n] = (uint32_t)n;
}

void split_clear(struct split *s)
{
    free(s->at);
    free(s->slash);
    *s = (struct split){0};
}
