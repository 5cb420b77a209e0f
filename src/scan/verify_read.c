#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/enc.h"
#include "verify.h"

enum { KEY_FILE_BYTES_MAX = 16 * 1024 * 1024, SIDE_BYTES_MAX = 1024 * 1024 };

struct str verify_key_of(struct str path)
{
    ptrdiff_t at = str_find(path, STR("AWSLogs/"));
    return at < 0 ? STR_NONE : str_skip(path, (size_t)at);
}

static bool read_all(const char *path, size_t max, struct buf *out, const char **why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    ssize_t n = -1;
    *why = errno == EACCES ? "no permission to read it" : "it could not be opened";
    if (fd < 0)
        return false;
    buf_reset(out);
    out->max = max + 1;
    out->over = false;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        do {
            char *room = buf_reserve(out, 65536 > (size_t)st.st_size + 1 ? 65536
                                          : (size_t)st.st_size + 1);
            n = room == NULL ? -1 : read(fd, room, out->cap - out->n);
            if (n > 0)
                buf_advance(out, (size_t)n);
        } while (n > 0);
    }
    close(fd);
    *why = buf_ok(out) ? "it could not be read" : "it is larger than the limit";
    return n == 0;
}

/* libdeflate writes into memory of its own size: grown until it fits. */
static bool inflate_into(struct libdeflate_decompressor *d, struct str in, size_t max,
                         struct buf *out, const char **why)
{
    uint32_t isize = 0;
    memcpy(&isize, in.p + in.n - 4, 4);
    /* A hint only: bytes after the stream make it any number. Deflate never gains 1,100 fold. */
    size_t room = isize > 4096 && isize / 1100 <= in.n ? isize : in.n * 8;
    size_t at = 0;
    while (at < in.n && in.n - at >= 18 && (unsigned char)in.p[at] == 0x1f) {
        size_t used = 0, made = 0;
        room = room > max - out->n ? max - out->n : room;
        char *p = buf_reserve(out, room + 1);
        enum libdeflate_result r =
            p == NULL
                ? LIBDEFLATE_INSUFFICIENT_SPACE
                : libdeflate_gzip_decompress_ex(d, in.p + at, in.n - at, p, room, &used, &made);
        if (r == LIBDEFLATE_INSUFFICIENT_SPACE && p != NULL && room < max - out->n) {
            room *= 4;
            continue;
        }
        if (r != LIBDEFLATE_SUCCESS) {
            *why = r == LIBDEFLATE_BAD_DATA ? "its gzip stream is broken"
                                            : "it inflates beyond the limit";
            return false;
        }
        buf_advance(out, made);
        at += used;
    }
    *why = at < in.n ? "bytes after the gzip stream" : NULL;
    return at > 0;
}

void verify_reader_init(struct verify_reader *r)
{
    r->inflate = libdeflate_alloc_decompressor();
    CHECK(r->inflate != NULL);
    buf_init(&r->raw, LOG_BYTES_MAX);
    buf_init(&r->out, LOG_BYTES_MAX + 1);
}

void verify_reader_clear(struct verify_reader *r)
{
    libdeflate_free_decompressor(r->inflate);
    buf_clear(&r->raw);
    buf_clear(&r->out);
}

bool verify_text(struct verify_reader *r, const char *path, size_t max, struct str *out_text,
                 const char **out_why)
{
    *out_text = STR("");
    if (!read_all(path, max, &r->raw, out_why))
        return false;
    *out_why = NULL;
    bool ok = true;
    struct buf *text = &r->raw;
    if (r->raw.n >= 18 && (unsigned char)r->raw.p[0] == 0x1f &&
        (unsigned char)r->raw.p[1] == 0x8b) {
        buf_reset(&r->out);
        r->out.over = false;
        ok = inflate_into(r->inflate, buf_view(&r->raw), max, &r->out, out_why);
        text = &r->out;
    }
    if (text->n > 0)
        *out_text = buf_view(text);
    return ok;
}

void verify_log(struct verify *v, struct verify_reader *r, struct log_ref *l)
{
    struct on_disk *f = map_get(&v->logs, verify_key_of(l->key));
    struct str text;
    unsigned char sum[SHA256_SIZE];
    if (f == NULL) {
        l->fault = "missing: a digest names it, and it is not there";
        return;
    }
    __atomic_store_n(&f->named, true, __ATOMIC_RELAXED);
    if (!verify_text(r, f->path.p, LOG_BYTES_MAX, &text, &l->fault))
        return;
    sha256(text, sum);
    if (memcmp(sum, l->sha, sizeof sum) != 0)
        l->fault = "altered: its SHA-256 is not that of the digest";
}

/* -- digests -- */
static struct str member(struct verify *v, const struct jv *d, const char *key)
{
    return arena_str(v->a, jv_s(jv_get(d, key)));
}

/* The object's metadata beside the file: NAME.metadata.json (as `aws s3api head-object` prints it)
 * or NAME.signature (the bare hexadecimal). */
static struct str side_signature(struct verify *v, struct str path)
{
    struct buf text = BUF_INIT(SIDE_BYTES_MAX);
    const char *why;
    struct str sig = STR_NONE, name = arena_fmt(v->a, "%.*s.signature", STR_ARG(path));
    if (read_all(name.p, SIDE_BYTES_MAX, &text, &why))
        sig = arena_str(v->a, str_trim(buf_view(&text)));
    buf_clear(&text);
    name = arena_fmt(v->a, "%.*s.metadata.json", STR_ARG(path));
    struct jv *j = NULL;
    if (sig.p == NULL && read_all(name.p, SIDE_BYTES_MAX, &text, &why)) {
        struct err *e = json_parse(v->a, buf_view(&text), 16, &j);
        err_free(e);
        const struct jv *m = jv_get(j, "Metadata");
        sig = arena_str(v->a, jv_s(jv_get(m != NULL ? m : j, "signature")));
    }
    buf_clear(&text);
    return sig;
}

static bool log_refs(struct verify *v, struct digest *d, const struct jv *list)
{
    d->n_logs = jv_len(list);
    d->logs = ARENA_ARRAY(v->a, d->n_logs, struct log_ref);
    for (size_t i = 0; i < d->n_logs; i++) {
        const struct jv *f = jv_at(list, i);
        struct str sha;
        d->logs[i].key = member(v, f, "s3Object");
        if (!str_is(jv_s(jv_get(f, "hashAlgorithm")), "SHA-256") ||
            !dec_hex(v->a, jv_s(jv_get(f, "hashValue")), &sha) || sha.n != SHA256_SIZE ||
            verify_key_of(d->logs[i].key).p == NULL)
            return false;
        memcpy(d->logs[i].sha, sha.p, SHA256_SIZE);
    }
    return true;
}

static void place_names(struct digest *d)
{
    /* AWSLogs/[o-id/]ACCOUNT/CloudTrail-Digest/REGION/… */
    ptrdiff_t at = str_find(d->key, STR("/CloudTrail-Digest/"));
    struct str rest = at < 0 ? STR_NONE : str_skip(d->key, (size_t)at + 19);
    d->region = rest.p == NULL ? STR("?") : str_cut(&rest, '/');
    struct str name = str_skip(d->key, (size_t)(str_rfind_char(d->key, '/') + 1));
    ptrdiff_t t = str_find(name, STR("_CloudTrail-Digest_"));
    /* REGION_TRAIL_HOMEREGION_TIME: the trail is what is before the last two. */
    struct str tail = t < 0 ? STR("?") : str_skip(name, (size_t)t + 19);
    ptrdiff_t backfill = str_find(tail, STR("_backfill"));
    if (backfill >= 0)
        tail = str_take(tail, (size_t)backfill);
    ptrdiff_t cut = str_rfind_char(tail, '_');
    d->trail = cut < 0 ? tail : str_take(tail, (size_t)cut);
}

static void read_digest(struct verify *v, struct str path)
{
    struct str text;
    const char *why;
    struct jv *j = NULL;
    struct arena *a = arena_new((size_t)DIGEST_BYTES_MAX * 8);
    bool ok = verify_text(&v->reader, path.p, DIGEST_BYTES_MAX, &text, &why);
    if (why != NULL)
        verify_note(v, path, "digest-unreadable", "this digest cannot be relied on: %s", why);
    struct err *e = ok ? json_parse(a, text, 16, &j) : NULL;
    if (e != NULL)
        verify_note(v, path, "digest-unreadable", "this digest is not JSON: %s", e->message);
    err_free(e);
    struct digest *d = ARENA_NEW(v->a, struct digest);
    d->path = path;
    d->key = member(v, j, "digestS3Object");
    d->bucket = member(v, j, "digestS3Bucket");
    d->account = member(v, j, "awsAccountId");
    d->end_text = member(v, j, "digestEndTime");
    d->fingerprint = member(v, j, "digestPublicKeyFingerprint");
    d->prev_key = member(v, j, "previousDigestS3Object");
    d->prev_hash = member(v, j, "previousDigestHashValue");
    d->prev_signature = member(v, j, "previousDigestSignature");
    if (j != NULL && (!time_parse_iso8601(d->end_text, &d->end_ms) ||
                      !time_parse_iso8601(jv_s(jv_get(j, "digestStartTime")), &d->start_ms) ||
                      d->key.p == NULL || !log_refs(v, d, jv_get(j, "logFiles")))) {
        verify_note(v, path, "digest-unreadable", "this digest lacks members, or has wrong ones");
        j = NULL;
    }
    if (j != NULL) {
        sha256(text, d->sha);
        d->signature = side_signature(v, path);
        place_names(d);
        if (!str_eq(verify_key_of(d->key), verify_key_of(path)))
            verify_note(v, path, "digest-moved",
                        "this digest says that it is %.*s: it was moved or "
                        "copied",
                        STR_ARG(str_take(d->key, 300)));
        VEC_PUSH(v->a, &v->digests, d);
    }
    arena_free(a);
}

static void on_fault(void *ctx, const char *name, const char *what)
{
    struct verify *v = ctx;
    v->faults++;
    verify_note(v, str_c(name), "unreadable", "%s", what);
}

struct err *verify_collect(struct verify *v, char *const *paths, size_t n)
{
    struct source_notes notes = {.ctx = v, .fault = on_fault};
    struct scan_source s = source_files(paths, n, true, &notes);
    struct scan_object o = {0};
    buf_init(&o.name, 65536);
    while (s.next(s.ctx, &o)) {
        struct str path = arena_str(v->a, str_c(o.name.p));
        struct str key = verify_key_of(path);
        if (str_ends_c(path, ".metadata.json"))
            continue;
        if (key.p == NULL) {
            verify_note(v, path, "foreign", "no part of its path is AWSLogs/: not of a trail, and "
                                            "not checked");
        } else if (str_find(key, STR("/CloudTrail-Digest/")) >= 0) {
            read_digest(v, path);
        } else if (str_find(key, STR("/CloudTrail/")) >= 0) {
            struct on_disk *f = ARENA_NEW(v->a, struct on_disk);
            f->path = path;
            if (map_put(&v->logs, key, f) != NULL)
                verify_note(v, path, "double", "the same log file is there twice; the last was "
                                               "taken");
        }
    }
    buf_clear(&o.name);
    s.clear(s.ctx);
    return NULL;
}

/* -- public keys -- */
static void add_key(struct verify *v, struct str der, struct str fingerprint)
{
    struct public_key k = {arena_str(v->a, der), arena_str(v->a, fingerprint)};
    if (v->keys.n < KEYS_MAX && der.n > 0)
        VEC_PUSH(v->a, &v->keys, k);
}

static struct err *pem_key(struct verify *v, struct str text)
{
    struct buf b = BUF_INIT(KEY_FILE_BYTES_MAX);
    struct str rest = text, der;
    bool in = false;
    while (rest.p != NULL) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (str_starts_c(line, "-----END")) {
            if (dec_base64(v->a, buf_view(&b), &der))
                add_key(v, der, STR_NONE);
            buf_reset(&b);
            in = false;
        } else if (str_starts_c(line, "-----BEGIN")) {
            in = true;
        } else if (in) {
            buf_str(&b, line);
        }
    }
    buf_clear(&b);
    return NULL;
}

static struct err *key_text(struct verify *v, struct str text)
{
    struct str t = str_trim(text), der;
    if (t.n > 0 && t.p[0] == '{') {
        struct jv *j = NULL;
        TRY(json_parse(v->a, t, 16, &j));
        const struct jv *list = jv_get(j, "PublicKeyList");
        for (size_t i = 0; i < jv_len(list); i++) {
            if (dec_base64(v->a, jv_s(jv_get(jv_at(list, i), "Value")), &der))
                add_key(v, der, jv_s(jv_get(jv_at(list, i), "Fingerprint")));
        }
        return NULL;
    }
    if (str_find(t, STR("-----BEGIN")) >= 0)
        return pem_key(v, t);
    if (dec_base64(v->a, t, &der))
        add_key(v, der, STR_NONE);
    else
        add_key(v, text, STR_NONE);
    return NULL;
}

static struct err *key_file(struct verify *v, const char *path)
{
    struct buf text = BUF_INIT(KEY_FILE_BYTES_MAX);
    const char *why;
    struct err *e = NULL;
    if (!read_all(path, KEY_FILE_BYTES_MAX, &text, &why))
        e = err_new(ERR_IO, "The public key %.200s: %s.", path, why);
    else if (text.n > 0)
        e = key_text(v, buf_view(&text));
    buf_clear(&text);
    return e;
}

struct err *verify_keys(struct verify *v, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return key_file(v, path);
    DIR *d = opendir(path);
    if (d == NULL)
        return err_errno(errno, "opening the folder of public keys");
    struct err *e = NULL;
    struct dirent *f;
    while (e == NULL && (f = readdir(d)) != NULL) {
        if (f->d_name[0] != '.')
            e = key_file(v, arena_fmt(v->a, "%s/%s", path, f->d_name).p);
    }
    closedir(d);
    return e;
}
