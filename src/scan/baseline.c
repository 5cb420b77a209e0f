#include "baseline.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../core/clock.h"
#include "../core/json.h"
#include "../core/map.h"

static const char *const kinds[BASELINE_KINDS] = {"action", "region", "network", "agent", "hour"};

enum { WHO_BYTES = 512 };

struct lane {
    struct map keys; /* principal NUL kind value -> 1 + earliest time in seconds */
    bool full;
};

struct baseline {
    struct map known;      /* loaded */
    struct map principals; /* of the loaded ones */
    bool learning;
    struct lane *lanes;
    int n_lanes;
};

struct baseline *baseline_new(int lanes)
{
    struct baseline *b = calloc(1, sizeof *b);
    CHECK(b != NULL);
    b->lanes = calloc((size_t)lanes, sizeof *b->lanes);
    CHECK(b->lanes != NULL);
    b->n_lanes = lanes;
    b->learning = true;
    return b;
}

void baseline_free(struct baseline *b)
{
    if (b == NULL)
        return;
    for (int i = 0; i < b->n_lanes; i++)
        map_clear(&b->lanes[i].keys);
    free(b->lanes);
    map_clear(&b->known);
    map_clear(&b->principals);
    free(b);
}

bool baseline_learned_all(const struct baseline *b)
{
    for (int i = 0; i < b->n_lanes; i++) {
        if (b->lanes[i].full)
            return false;
    }
    return true;
}

/* A role's session names come and go: the role is the one who acts. */
static struct str actor(struct str principal)
{
    ptrdiff_t at = str_find(principal, STR(":assumed-role/"));
    ptrdiff_t slash = str_rfind_char(principal, '/');
    if (at >= 0 && slash > at + 14)
        return str_take(principal, (size_t)slash);
    return principal;
}

/* The /24 of an IPv4 address, the /48 of an IPv6 one, or the name of a service. */
static struct str network(struct str address)
{
    ptrdiff_t dot = str_rfind_char(address, '.');
    if (dot > 0 && address.p[0] >= '0' && address.p[0] <= '9')
        return str_take(address, (size_t)dot);
    size_t colons = 0;
    for (size_t i = 0; i < address.n; i++) {
        if (address.p[i] == ':' && ++colons == 3)
            return str_take(address, i);
    }
    return address;
}

/* Without its version: "aws-cli/2.1 …" is aws-cli. */
static struct str program(struct str agent)
{
    for (size_t i = 0; i < agent.n; i++) {
        if (agent.p[i] == '/' || agent.p[i] == ' ')
            return str_take(agent, i);
    }
    return agent;
}

static struct str key_of(struct arena *a, struct str principal, int kind, struct str value)
{
    return arena_fmt(a, "%.*s\n%c%.*s", STR_ARG(principal), '0' + kind,
                     STR_ARG(str_take(value, 256)));
}

static bool note_first(struct lane *l, struct str key, int64_t time_ms)
{
    uintptr_t seconds = (uintptr_t)(time_ms < 0 ? 0 : time_ms / 1000) + 1;
    uintptr_t was = (uintptr_t)map_get(&l->keys, key);
    /* Of one second all are told of: which comes first is decided when the findings are sorted, so
     * that it does not hang on the worker. */
    if (was != 0 && was < seconds)
        return false;
    if (was == 0 && l->keys.n >= BASELINE_KEYS_MAX) {
        l->full = true;
        return true;
    }
    map_put(&l->keys, key, (void *)seconds);
    return true;
}

size_t baseline_see(struct baseline *b, int lane, struct arena *a, const struct finding *f,
                    struct str agent, struct str *out_notes)
{
    struct str who = str_take(actor(f->text[F_PRINCIPAL]), WHO_BYTES);
    char hour[8];
    struct time_parts t = time_parts_of(f->time_ms == INT64_MIN ? 0 : f->time_ms);
    snprintf(hour, sizeof hour, "%02d", t.hour % 24);
    const struct str values[BASELINE_KINDS] = {f->text[F_ACTION], f->text[F_REGION],
                                               network(f->text[F_ADDRESS]), program(agent),
                                               str_c(hour)};
    size_t n = 0;
    if (who.n == 0)
        return 0;
    bool stranger = !b->learning && map_get(&b->principals, who) == NULL;
    if (stranger) {
        /* One finding for a new principal, not one for all it does. */
        struct str key = arena_fmt(a, "%.*s\nnew", STR_ARG(who));
        if (note_first(&b->lanes[lane], key, f->time_ms))
            out_notes[n++] = arena_fmt(a, "first seen principal %.*s", STR_ARG(who));
        return n;
    }
    for (int k = 0; k < BASELINE_KINDS; k++) {
        if (values[k].n == 0)
            continue;
        struct str key = key_of(a, who, k, values[k]);
        if (!b->learning && map_get(&b->known, key) != NULL)
            continue;
        bool first = note_first(&b->lanes[lane], key, f->time_ms);
        if (!b->learning && first)
            out_notes[n++] = arena_fmt(a, "first %s %.*s of %.*s", kinds[k],
                                       STR_ARG(str_take(values[k], 128)), STR_ARG(who));
    }
    return n;
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static void write_line(struct buf *out, struct str key)
{
    struct jw w = jw_to(out);
    ptrdiff_t cut = str_find_char(key, '\n');
    struct str rest = str_skip(key, (size_t)cut + 1);
    int kind = rest.n > 0 ? rest.p[0] - '0' : -1;
    if (cut < 0 || kind < 0 || kind >= BASELINE_KINDS)
        return;
    jw_obj(&w);
    jw_ks(&w, "principal", str_take(key, (size_t)cut));
    jw_kc(&w, "kind", kinds[kind]);
    jw_ks(&w, "value", str_skip(rest, 1));
    jw_end(&w);
    buf_char(out, '\n');
}

struct err *baseline_save(struct baseline *b, const char *path)
{
    struct map all = MAP_INIT;
    for (int i = 0; i < b->n_lanes; i++) {
        const struct map_slot *s;
        for (size_t k = 0; (s = map_each(&b->lanes[i].keys, &k)) != NULL;)
            map_put(&all, str_of(s->key, s->key_n), s->value);
    }
    struct str *keys = calloc(all.n + 1, sizeof *keys);
    CHECK(keys != NULL);
    size_t n = 0;
    const struct map_slot *s;
    for (size_t k = 0; (s = map_each(&all, &k)) != NULL;)
        keys[n++] = str_of(s->key, s->key_n);
    qsort(keys, n, sizeof *keys, by_text);
    FILE *f = fopen(path, "wex");
    struct err *e = f == NULL ? err_errno(errno, "writing the baseline") : NULL;
    struct buf line = BUF_INIT(1 << 20);
    for (size_t i = 0; e == NULL && i < n; i++) {
        buf_reset(&line);
        write_line(&line, keys[i]);
        if (fwrite(line.p, 1, line.n, f) != line.n)
            e = err_errno(errno, "writing the baseline");
    }
    if (f != NULL && fclose(f) != 0 && e == NULL)
        e = err_errno(errno, "writing the baseline");
    if (e != NULL && f != NULL)
        unlink(path); /* half a baseline would flag the other half */
    buf_clear(&line);
    free(keys);
    map_clear(&all);
    return e;
}

static struct err *load_line(struct baseline *b, struct arena *a, struct str line, size_t number)
{
    struct jv *v = NULL;
    struct err *e = json_parse(a, line, 4, &v);
    struct str who = jv_s(jv_get(v, "principal")), kind = jv_s(jv_get(v, "kind"));
    struct str value = jv_s(jv_get(v, "value"));
    int k = 0;
    while (e == NULL && k < BASELINE_KINDS && !str_is(kind, kinds[k]))
        k++;
    if (e != NULL || k == BASELINE_KINDS || who.p == NULL || value.p == NULL) {
        err_free(e);
        return err_new(ERR_INVALID, "The baseline's line %zu is not one of a baseline.", number);
    }
    if (b->known.n >= BASELINE_KEYS_MAX)
        return err_new(ERR_LIMIT, "The baseline has more than %d lines.", BASELINE_KEYS_MAX);
    map_put(&b->known, key_of(a, who, k, value), b);
    map_put(&b->principals, who, b);
    return NULL;
}

enum { LINE_MAX_BYTES = 1 << 16, LINE_ARENA = 1 << 20 };

struct err *baseline_load(struct baseline *b, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return errno == ENOENT ? err_new(ERR_NOT_FOUND, "There is no baseline yet.")
                               : err_errno(errno, "reading the baseline");
    struct arena *a = arena_new(LINE_ARENA);
    char *line = malloc(LINE_MAX_BYTES);
    CHECK(line != NULL);
    struct err *e = NULL;
    for (size_t n = 1; e == NULL && fgets(line, LINE_MAX_BYTES, f) != NULL; n++) {
        e = load_line(b, a, str_trim(str_c(line)), n);
        arena_reset(a);
    }
    if (e == NULL && ferror(f))
        e = err_errno(errno, "reading the baseline");
    free(line);
    arena_free(a);
    fclose(f);
    b->learning = false;
    return e;
}
