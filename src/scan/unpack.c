#include "unpack.h"

#include <libdeflate.h>
#include <zlib.h>

void unpack_init(struct unpack *u, size_t out_cap)
{
    *u = (struct unpack){.out_cap = out_cap, .in_cap = UNPACK_IN_BYTES};
    u->whole = libdeflate_alloc_decompressor();
    u->in = malloc(u->in_cap);
    u->out = malloc(out_cap);
    CHECK(u->whole != NULL && u->in != NULL && u->out != NULL);
}

void unpack_clear(struct unpack *u)
{
    libdeflate_free_decompressor(u->whole);
    free(u->in);
    free(u->out);
    free(u->window);
}

static bool fill(struct unpack *u)
{
    size_t cap = u->in_cap - u->in_kept;
    while (u->in_n < cap && !u->in_end) {
        ptrdiff_t n = u->read(u->ctx, u->in + u->in_kept + u->in_n, cap - u->in_n);
        if (n < 0) {
            u->read_error = (int)-n;
            u->in_end = true;
            return false;
        }
        if (n == 0)
            u->in_end = true;
        u->in_n += (size_t)n;
        u->bytes_in += (uint64_t)n;
    }
    return true;
}

static bool is_gzip(const char *p, size_t n)
{
    return n >= 2 && (unsigned char)p[0] == 0x1f && (unsigned char)p[1] == 0x8b;
}

static bool too_large(struct unpack *u, uint64_t more)
{
    u->bytes_out += more;
    if (u->bytes_out > UNPACK_OUT_MAX) {
        u->fault(u->sink, "inflates to more than 4 GiB; the rest was not read");
        return true;
    }
    if (u->bytes_out > UNPACK_RATIO_FROM && u->bytes_out / UNPACK_RATIO_MAX > u->bytes_in) {
        u->fault(u->sink, "a gzip bomb: inflates to more than 200 times its size; the rest was "
                          "not read");
        return true;
    }
    return false;
}

static void note_trailing(struct unpack *u, uint64_t n)
{
    char text[96];
    snprintf(text, sizeof text, "%llu%s bytes after the gzip stream", (unsigned long long)n,
             u->in_end ? "" : " or more");
    u->fault(u->sink, text);
}

/* -- as a stream -- */
struct stream {
    z_stream z;
    size_t have; /* bytes in the window that were not taken */
    bool open;
};

/* Hands on what is in the window; keeps what was not taken. */
static void hand_on(struct unpack *u, struct stream *s, bool last)
{
    size_t taken = u->take(u->sink, u->window, s->have, last);
    memmove(u->window, u->window + taken, s->have - taken);
    s->have -= taken;
}

static bool next_input(struct unpack *u, struct stream *s)
{
    if (s->z.avail_in > 0)
        return true;
    u->in_n = 0;
    fill(u);
    s->z.next_in = (Bytef *)u->in;
    s->z.avail_in = (uInt)u->in_n;
    return u->in_n > 0;
}

/* Behind a member: another one, nothing, or bytes that do not belong there. */
static bool next_member(struct unpack *u, struct stream *s)
{
    if (s->z.avail_in < 2 && !u->in_end) {
        if (s->z.avail_in == 1)
            u->in[0] = (char)*s->z.next_in;
        u->in_n = s->z.avail_in;
        fill(u);
        s->z.next_in = (Bytef *)u->in;
        s->z.avail_in = (uInt)u->in_n;
    }
    if (s->z.avail_in == 0)
        return false;
    if (!is_gzip((const char *)s->z.next_in, s->z.avail_in)) {
        note_trailing(u, s->z.avail_in);
        return false;
    }
    return inflateReset(&s->z) == Z_OK;
}

static void inflate_stream(struct unpack *u, struct stream *s)
{
    for (;;) {
        if (!next_input(u, s)) {
            u->fault(u->sink, u->read_error != 0 ? "could not be read to its end"
                                                 : "truncated: the gzip stream does not end");
            return;
        }
        s->z.next_out = (Bytef *)u->window + s->have;
        size_t room = UNPACK_STREAM_BYTES - s->have;
        s->z.avail_out = (uInt)room;
        int r = inflate(&s->z, Z_NO_FLUSH);
        size_t made = room - s->z.avail_out;
        s->have += made;
        if (too_large(u, made))
            return;
        if (r == Z_STREAM_END) {
            if (!next_member(u, s))
                return;
        } else if (r != Z_OK && r != Z_BUF_ERROR) {
            u->fault(u->sink, s->z.msg != NULL && strstr(s->z.msg, "data check") != NULL
                                  ? "corrupt: the gzip checksum is wrong"
                                  : "corrupt: the gzip stream is broken");
            return;
        }
        if (s->z.avail_out == 0)
            hand_on(u, s, false);
    }
}

static void as_stream(struct unpack *u, size_t from)
{
    struct stream s = {0};
    if (u->window == NULL) {
        u->window = malloc(UNPACK_STREAM_BYTES);
        CHECK(u->window != NULL);
    }
    CHECK(inflateInit2(&s.z, 16 + MAX_WBITS) == Z_OK);
    s.z.next_in = (Bytef *)u->in + from;
    s.z.avail_in = (uInt)(u->in_n - from);
    inflate_stream(u, &s);
    hand_on(u, &s, true);
    inflateEnd(&s.z);
}

/* -- plain text -- */
static void as_text(struct unpack *u)
{
    while (!u->in_end) {
        size_t taken = u->take(u->sink, u->in, u->in_n, false);
        memmove(u->in, u->in + taken, u->in_n - taken);
        u->bytes_out += taken;
        u->in_n -= taken;
        fill(u);
    }
    if (u->read_error != 0)
        u->fault(u->sink, "could not be read to its end");
    u->bytes_out += u->in_n;
    u->take(u->sink, u->in, u->in_n, true);
}

/* -- at once -- */
/* All members behind what is kept. false: they do not fit, or are broken. */
static bool inflate_all(struct unpack *u, size_t *out_used, size_t *out_made)
{
    const char *p = u->in + u->in_kept;
    char *to = u->out + u->out_kept;
    size_t room = u->out_cap - u->out_kept, in = 0, out = 0;
    while (in < u->in_n && is_gzip(p + in, u->in_n - in)) {
        size_t used = 0, made = 0;
        if (libdeflate_gzip_decompress_ex(u->whole, p + in, u->in_n - in, to + out, room - out,
                                          &used, &made) != LIBDEFLATE_SUCCESS)
            return false;
        in += used;
        out += made;
    }
    *out_used = in;
    *out_made = out;
    return true;
}

/* false: nothing was handed on. */
static bool at_once(struct unpack *u)
{
    size_t in, out;
    if (!inflate_all(u, &in, &out))
        return false;
    u->bytes_out = out;
    if (in < u->in_n)
        note_trailing(u, u->in_n - in);
    u->take(u->sink, u->out, out, true);
    return true;
}

/* -- files -- */
static void begin(struct unpack *u)
{
    u->in_n = 0;
    u->bytes_in = u->bytes_out = 0;
    u->in_end = false;
    u->read_error = 0;
}

/* With nothing kept, and some of the file read already, or none. */
static void hand_over(struct unpack *u)
{
    fill(u);
    if (u->read_error != 0) {
        u->fault(u->sink, "could not be read");
        return;
    }
    if (!is_gzip(u->in, u->in_n)) {
        as_text(u);
        return;
    }
    /* A file that just fills the buffer may go on. */
    if (!u->in_end || !at_once(u))
        as_stream(u, 0);
}

void unpack_file(struct unpack *u)
{
    unpack_forget(u);
    begin(u);
    hand_over(u);
}

bool unpack_keep(struct unpack *u, struct unpacked *out)
{
    begin(u);
    if (!fill(u) || !u->in_end)
        return false;
    const char *p = u->in + u->in_kept;
    out->raw = out->text = str_of(p, u->in_n);
    if (is_gzip(p, u->in_n)) {
        size_t used, made;
        if (!inflate_all(u, &used, &made) || used < u->in_n)
            return false;
        out->text = str_of(u->out + u->out_kept, made);
        u->out_kept += made;
    }
    u->bytes_out = out->text.n;
    u->in_kept += u->in_n;
    return true;
}

void unpack_rest(struct unpack *u)
{
    memmove(u->in, u->in + u->in_kept, u->in_n);
    unpack_forget(u);
    hand_over(u);
}

void unpack_forget(struct unpack *u)
{
    u->in_kept = u->out_kept = 0;
}
