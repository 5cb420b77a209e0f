/* What lies where: the shape of CloudTrail's keys, and a table of every file that was found.
 *
 * A digest names its files by their keys in the bucket; a copy keeps the end of these. So files are
 * known by what follows the account, and a name out of a digest is only ever looked up here, never
 * opened: whatever it says leads nowhere else. */
#include "../core/clock.h"
#include "../core/map.h"
#include "verify.h"

enum { ACCOUNT_DIGITS = 12, TABLE_MIN = 1024, WINDOW_SLACK_MS = 24 * HOUR_MS };

static bool digits(struct str s, size_t n)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.n == n;
}

/* The last piece of *rest, which becomes what is before the '/'. */
static struct str last_piece(struct str *rest)
{
    ptrdiff_t slash = str_rfind_char(*rest, '/');
    struct str piece = str_skip(*rest, (size_t)(slash + 1));
    *rest = slash < 0 ? STR_NONE : str_take(*rest, (size_t)slash);
    return piece;
}

/* YYYYMMDDTHHmmZ of a log file, YYYYMMDDTHHMMSSZ of a digest: the first part that is one. */
static int64_t time_in(struct str name)
{
    int64_t ms;
    char full[20];
    ptrdiff_t dot = str_find_char(name, '.');
    struct str rest = dot < 0 ? name : str_take(name, (size_t)dot);
    while (rest.p != NULL) {
        struct str part = str_cut(&rest, '_');
        if (part.n == 16 && time_parse_basic(part, &ms))
            return ms;
        if (part.n != 14 || part.p[13] != 'Z')
            continue;
        memcpy(full, part.p, 13);
        memcpy(full + 13, "00Z", 4);
        if (time_parse_basic(str_c(full), &ms))
            return ms;
    }
    return INT64_MIN;
}

/* `folder` ends with its '/'. */
static bool place_parts(struct str folder, struct str name, struct place *out)
{
    struct str rest = str_take(folder, folder.n == 0 ? 0 : folder.n - 1);
    struct place p = {.name = name};
    struct str day = last_piece(&rest), month = last_piece(&rest), year = last_piece(&rest);
    p.region = last_piece(&rest);
    p.kind = last_piece(&rest);
    p.account = last_piece(&rest);
    if (name.n == 0 || !digits(day, 2) || !digits(month, 2) || !digits(year, 4) ||
        p.region.n == 0 || !str_starts_c(p.kind, "CloudTrail") ||
        !digits(p.account, ACCOUNT_DIGITS))
        return false;
    p.time_ms = time_in(name);
    *out = p;
    return true;
}

bool place_of(struct str path, struct place *out)
{
    struct place p;
    size_t folder = (size_t)(str_rfind_char(path, '/') + 1);
    if (!place_parts(str_take(path, folder), str_skip(path, folder), &p))
        return false;
    p.tail = str_of(p.account.p, (size_t)(path.p + path.n - p.account.p));
    *out = p;
    return p.tail.n <= PLACE_MAX;
}

bool verify_file_place(const struct verify_file *f, struct place *out)
{
    return place_parts(f->folder, f->name, out);
}

bool digest_name_of(struct str name, struct digest_name *out)
{
    static const char backfill[] = "_backfill";
    struct digest_name d = {0};
    ptrdiff_t at = str_find(name, STR("_CloudTrail-Digest_")), dot = str_find(name, STR(".json"));
    if (at < 0 || dot < at)
        return false;
    size_t from = (size_t)at + 19;
    struct str body = str_skip(str_take(name, (size_t)dot), from);
    d.backfill = str_ends_c(body, backfill);
    if (d.backfill)
        body = str_take(body, body.n - (sizeof backfill - 1));
    ptrdiff_t cut = str_rfind_char(body, '_');
    int64_t ms;
    if (cut <= 0 || !time_parse_basic(str_skip(body, (size_t)cut + 1), &ms))
        return false;
    d.chain = str_take(body, (size_t)cut);
    d.head = str_take(name, from + (size_t)cut + 1);
    d.end = str_skip(name, d.head.n + 16);
    ptrdiff_t first = str_find_char(d.chain, '_'), last = str_rfind_char(d.chain, '_');
    if (first <= 0 || last <= first)
        return false;
    d.home = str_skip(d.chain, (size_t)last + 1);
    d.trail = str_skip(str_take(d.chain, (size_t)last), (size_t)first + 1);
    *out = d;
    return true;
}

bool place_fits(struct str path, struct str key)
{
    if (str_starts_c(path, "s3://")) {
        struct str rest = str_skip(path, 5);
        str_cut(&rest, '/'); /* the bucket: a replica has another one */
        return str_eq(rest, key);
    }
    ptrdiff_t in_key = str_find(key, STR("AWSLogs/")), in_path = str_find(path, STR("AWSLogs/"));
    struct place p;
    if (in_path < 0 || in_key < 0)
        return place_of(key, &p) && str_ends(path, p.tail);
    return str_ends(path, str_skip(key, (size_t)in_key));
}

/* -- the table -- */
static uint32_t hash_of(struct str tail)
{
    return (uint32_t)map_hash(tail);
}

static bool is_file(const struct verify_file *f, struct str tail)
{
    size_t n = tail.n > f->name.n ? tail.n - f->name.n : 0;
    return tail.n > f->name.n && str_eq(str_skip(tail, n), f->name) &&
           str_ends(f->folder, str_take(tail, n));
}

static struct verify_slot *slot_of(const struct verify *v, struct str tail, uint32_t hash)
{
    size_t i = hash & (v->files_cap - 1);
    while (v->files[i].file != NULL &&
           (v->files[i].hash != hash || !is_file(v->files[i].file, tail)))
        i = (i + 1) & (v->files_cap - 1);
    return &v->files[i];
}

static void grow(struct verify *v)
{
    struct verify_slot *old = v->files;
    size_t n = v->files_cap;
    v->files_cap = n == 0 ? TABLE_MIN : n * 2;
    v->files = calloc(v->files_cap, sizeof *v->files);
    CHECK(v->files != NULL);
    for (size_t i = 0; i < n; i++) {
        if (old[i].file == NULL)
            continue;
        size_t k = old[i].hash & (v->files_cap - 1);
        while (v->files[k].file != NULL)
            k = (k + 1) & (v->files_cap - 1);
        v->files[k] = old[i];
    }
    free(old);
}

struct verify_file *verify_file_get(const struct verify *v, const struct place *p)
{
    return v->files_cap == 0 ? NULL : slot_of(v, p->tail, hash_of(p->tail))->file;
}

struct verify_file *verify_file_each(const struct verify *v, size_t *i)
{
    while (*i < v->files_cap) {
        struct verify_file *f = v->files[(*i)++].file;
        if (f != NULL)
            return f;
    }
    return NULL;
}

struct str verify_file_path(struct arena *a, const struct verify_file *f)
{
    return arena_concat(a, f->folder, f->name);
}

/* Files of one folder come one after another, and share its name. */
static struct str folder_of(struct verify *v, struct str path, const struct place *p)
{
    struct str folder = str_take(path, path.n - p->name.n);
    if (v->last_folder.p == NULL || !str_eq(v->last_folder, folder))
        v->last_folder = arena_str(v->a, folder);
    return v->last_folder;
}

/* Of two that are the same, the first by name is kept, whatever the order of the listing. */
static void note_double(struct verify *v, struct verify_file *f, struct str path,
                        struct str folder)
{
    struct str kept = verify_file_path(v->a, f), other = arena_str(v->a, path);
    if (str_cmp(other, kept) < 0) {
        struct str was = kept;
        kept = other;
        other = was;
        f->folder = folder;
    }
    verify_note(v, other, "double", "it is there twice; only %.*s was checked", STR_ARG(kept));
}

/* NULL: it was there already, under another folder. */
static struct verify_file *put(struct verify *v, struct str path, const struct place *p)
{
    if (v->n_files * 2 >= v->files_cap)
        grow(v);
    uint32_t hash = hash_of(p->tail);
    struct verify_slot *slot = slot_of(v, p->tail, hash);
    struct str folder = folder_of(v, path, p);
    if (slot->file != NULL) {
        note_double(v, slot->file, path, folder);
        return NULL;
    }
    struct verify_file *f = ARENA_NEW(v->a, struct verify_file);
    f->folder = folder;
    f->name = arena_str(v->a, p->name);
    *slot = (struct verify_slot){f, hash};
    v->n_files++;
    return f;
}

static bool in_window(const struct verify *v, const struct place *p)
{
    if (p->time_ms == INT64_MIN)
        return true;
    return (v->since_ms == INT64_MIN || p->time_ms >= v->since_ms - WINDOW_SLACK_MS) &&
           (!v->until_set || p->time_ms < v->until_ms + WINDOW_SLACK_MS);
}

/* In a folder of CloudTrail's, but not as CloudTrail names its files. */
static bool astray(struct str path)
{
    ptrdiff_t at = str_find(path, STR("AWSLogs/"));
    struct str key = at < 0 ? STR("") : str_skip(path, (size_t)at);
    return str_find(key, STR("/CloudTrail/")) >= 0 ||
           str_find(key, STR("/CloudTrail-Digest/")) >= 0;
}

/* Its digests, which are few, are listed in `digests`. */
struct listing {
    struct verify *v;
    VEC(struct verify_file *) digests;
};

static void see(struct listing *l, const struct scan_object *o)
{
    struct verify *v = l->v;
    struct place p;
    struct str path = str_c(o->name.p);
    if (!place_of(path, &p)) {
        if (astray(path))
            verify_note(v, path, "foreign", "CloudTrail does not name or place files like this");
        else
            v->n_other++;
        return;
    }
    if (!in_window(v, &p))
        return;
    if (v->n_files >= VERIFY_FILES_MAX) {
        verify_fault(v, o->name.p, "more files than are kept: verify a part of the archive");
        return;
    }
    struct verify_file *f = put(v, path, &p);
    if (f == NULL)
        return;
    if (str_is(p.kind, "CloudTrail-Digest"))
        VEC_PUSH(v->a, &l->digests, f);
    v->progress.files++;
    v->progress.bytes += o->size;
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

/* A digest that ends within the time asked for. */
static bool in_time(const struct verify *v, struct str path)
{
    struct place p;
    return place_of(path, &p) &&
           (v->since_ms == INT64_MIN || p.time_ms == INT64_MIN || p.time_ms > v->since_ms);
}

void verify_list(struct verify *v)
{
    struct listing l = {.v = v};
    struct scan_object o = {0};
    buf_init(&o.name, 64 * 1024);
    while (v->source.next(v->source.ctx, &o)) {
        see(&l, &o);
        verify_show_progress(v);
    }
    buf_clear(&o.name);
    for (size_t i = 0; i < l.digests.n; i++) {
        struct str path = verify_file_path(v->a, l.digests.v[i]);
        if (in_time(v, path))
            VEC_PUSH(v->a, &v->digest_paths, path);
    }
    /* By name, so that the same archive is read in the same order wherever it lies. */
    if (v->digest_paths.n > 0)
        qsort(v->digest_paths.v, v->digest_paths.n, sizeof *v->digest_paths.v, by_text);
}
