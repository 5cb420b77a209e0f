/* Public keys: from files, folders, or the API by way of the program. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/enc.h"
#include "safe.h"
#include "scan.h"
#include "verify.h"

enum { KEY_FILE_BYTES_MAX = 16 * 1024 * 1024, KEY_DER_MAX = 8192, RSA_BYTES_MIN = 128 };

/* -- DER: whether it is an RSA public key at all ----------------------------------------------- */
/* Takes one element off *in: its tag, and its content in *out (X.690, 8.1). */
static bool der_take(struct str *in, unsigned char tag, struct str *out)
{
    const unsigned char *p = (const unsigned char *)in->p;
    if (in->n < 2 || p[0] != tag)
        return false;
    size_t head = 2, n = p[1];
    if (n == 0x81 || n == 0x82) {
        head += n & 3;
        if (in->n < head)
            return false;
        n = head == 3 ? p[2] : (size_t)p[2] << 8 | p[3];
    } else if (n > 0x7f) {
        return false;
    }
    if (n > in->n - head)
        return false;
    *out = str_of(in->p + head, n);
    *in = str_skip(*in, head + n);
    return true;
}

/* RSAPublicKey (RFC 8017, A.1.1): two integers. */
static bool is_pkcs1(struct str der)
{
    struct str seq, modulus, exponent;
    return der_take(&der, 0x30, &seq) && der.n == 0 && der_take(&seq, 0x02, &modulus) &&
           der_take(&seq, 0x02, &exponent) && seq.n == 0 && modulus.n >= RSA_BYTES_MIN;
}

/* The key in a SubjectPublicKeyInfo (RFC 5280, 4.1), or the key itself. STR_NONE: no RSA key.
 * OpenSSL takes long to find out what the outer form holds, for each signature anew. */
static struct str pkcs1_of(struct str der)
{
    static const char rsa[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"; /* 1.2.840.113549.1.1.1 */
    struct str seq, algorithm, oid, bits;
    if (is_pkcs1(der))
        return der;
    if (!der_take(&der, 0x30, &seq) || der.n != 0 || !der_take(&seq, 0x30, &algorithm) ||
        !der_take(&algorithm, 0x06, &oid) || !str_eq(oid, str_of(rsa, sizeof rsa - 1)) ||
        !der_take(&seq, 0x03, &bits) || !is_pkcs1(str_skip(bits, 1)))
        return STR_NONE;
    return str_skip(bits, 1);
}

static void forget_key(void *key)
{
    rsa_public_free(key);
}

static bool add_key(struct verify *v, struct str der, struct str fingerprint)
{
    struct str key = pkcs1_of(der);
    if (v->keys.n >= KEYS_MAX || key.n == 0 || key.n > KEY_DER_MAX)
        return false;
    struct public_key k = {arena_str(v->a, key),
                           fingerprint.n > 0 ? arena_str(v->a, fingerprint) : STR_NONE,
                           rsa_public_new(key)};
    arena_on_free(v->a, forget_key, k.rsa);
    VEC_PUSH(v->a, &v->keys, k);
    return true;
}

/* -- what a file may be ------------------------------------------------------------------------ */
static size_t pem_keys(struct verify *v, struct str text)
{
    struct buf b = BUF_INIT(KEY_DER_MAX * 2);
    struct str rest = text, der;
    size_t n = 0;
    bool in = false;
    while (rest.p != NULL) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (str_starts_c(line, "-----END")) {
            n += in && buf_ok(&b) && b.n > 0 && dec_base64(v->a, buf_view(&b), &der) &&
                 add_key(v, der, STR_NONE);
            buf_clear(&b);
            in = false;
        } else if (str_starts_c(line, "-----BEGIN")) {
            in = str_is(line, "-----BEGIN PUBLIC KEY-----") ||
                 str_is(line, "-----BEGIN RSA PUBLIC KEY-----");
        } else if (in) {
            buf_str(&b, line);
        }
    }
    buf_clear(&b);
    return n;
}

/* What ListPublicKeys answers, or a list of such keys. */
static size_t json_keys(struct verify *v, struct str text)
{
    struct jv *j = NULL;
    struct str der;
    size_t n = 0;
    err_free(json_parse(v->a, text, 16, &j));
    const struct jv *list = jv_get(j, "PublicKeyList");
    if (list == NULL)
        list = j;
    for (size_t i = 0; i < jv_len(list) && jv_is(list, JV_ARR); i++) {
        n += dec_base64(v->a, jv_s(jv_get(jv_at(list, i), "Value")), &der) &&
             add_key(v, der, jv_s(jv_get(jv_at(list, i), "Fingerprint")));
    }
    return n;
}

static size_t text_keys(struct verify *v, struct str text)
{
    struct str t = str_trim(text), der;
    if (t.n > 0 && (t.p[0] == '{' || t.p[0] == '['))
        return json_keys(v, t);
    if (str_find(t, STR("-----BEGIN")) >= 0)
        return pem_keys(v, t);
    if (dec_base64(v->a, t, &der))
        return add_key(v, der, STR_NONE);
    return add_key(v, text, STR_NONE);
}

static struct err *key_file(struct verify *v, const char *path, size_t *out_keys)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    ssize_t n = -1;
    if (fd < 0)
        return err_new(ERR_IO, "The public key %.300s: %s.", path, strerror(errno));
    struct buf text = BUF_INIT(KEY_FILE_BYTES_MAX);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        do {
            char *room = buf_reserve(&text, 65536);
            n = room == NULL ? -1 : read(fd, room, 65536);
            if (n > 0)
                buf_advance(&text, (size_t)n);
        } while (n > 0);
    }
    close(fd);
    struct err *e = NULL;
    if (n != 0)
        e = err_new(ERR_IO, "The public key %.300s: it is not a file, or larger than 16 MiB.",
                    path);
    else
        *out_keys = text.n == 0 ? 0 : text_keys(v, buf_view(&text));
    buf_clear(&text);
    return e;
}

static struct err *no_key(const char *path)
{
    return err_new(ERR_INVALID, "%.300s holds no public key. It may be what `aws cloudtrail "
                   "list-public-keys` prints, PEM, or DER (PKCS#1 or SubjectPublicKeyInfo).", path);
}

static struct err *key_folder(struct verify *v, const char *path)
{
    DIR *d = opendir(path);
    struct dirent *f;
    struct err *e = NULL;
    size_t keys = 0;
    if (d == NULL)
        return err_new(ERR_IO, "The folder of public keys %.300s: %s.", path, strerror(errno));
    while (e == NULL && (f = readdir(d)) != NULL) {
        size_t n = 0;
        if (f->d_name[0] == '.')
            continue;
        const char *name = arena_fmt(v->a, "%s/%s", path, f->d_name).p;
        e = key_file(v, name, &n);
        if (e == NULL && n == 0) {
            struct buf b = BUF_INIT(8192);
            safe_text(&b, str_c(name));
            fprintf(stderr, "ward verify: %.*s: not a public key, left out\n",
                    STR_ARG(buf_view(&b)));
            buf_clear(&b);
        }
        keys += n;
    }
    closedir(d);
    return e == NULL && keys == 0 ? no_key(path) : e;
}

struct err *verify_keys(struct verify *v, const char *path)
{
    struct stat st;
    size_t keys = 0;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return key_folder(v, path);
    TRY(key_file(v, path, &keys));
    return keys == 0 ? no_key(path) : NULL;
}

/* -- the API ----------------------------------------------------------------------------------- */
static scan_public_keys *keys_from;

void scan_set_public_keys(scan_public_keys *get)
{
    keys_from = get;
}

static void on_key(void *ctx, struct str der, struct str fingerprint)
{
    add_key(ctx, der, fingerprint);
}

/* The time that the digests span, and the regions whose keys signed them: a region has its own
 * (AWS CloudTrail user guide, "Validating CloudTrail log file integrity"). */
struct err *verify_keys_api(struct verify *v)
{
    struct str regions[REGIONS_MAX];
    size_t n = 0;
    int64_t from = INT64_MAX, to = INT64_MIN;
    bool backfill = false;
    if (keys_from == NULL)
        return err_new(ERR_UNSUPPORTED, "There is no client for the API here; give --keys FILE.");
    for (size_t i = 0; i < v->digest_paths.n; i++) {
        struct place p;
        struct digest_name d;
        if (!place_of(v->digest_paths.v[i], &p) || !digest_name_of(p.name, &d))
            continue;
        backfill |= d.backfill;
        from = p.time_ms < from ? p.time_ms : from;
        to = p.time_ms > to ? p.time_ms : to;
        size_t k = 0;
        while (k < n && !str_eq(regions[k], p.region))
            k++;
        if (k == n && n == REGIONS_MAX)
            return err_new(ERR_LIMIT, "The digests name more than %d regions; give --keys FILE.",
                           REGIONS_MAX);
        if (k == n)
            regions[n++] = p.region;
    }
    if (n == 0)
        return NULL;
    /* A backfill digest may be signed long after the hour that it is about. */
    to = backfill ? clock_now_ms() : to;
    for (size_t k = 0; k < n; k++)
        TRY(keys_from(regions[k], from - 2 * HOUR_MS, to + HOUR_MS, on_key, v));
    return NULL;
}
