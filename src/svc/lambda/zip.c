/* The zip reader. Offsets are those of APPNOTE 4.3: everything little-endian. */
#include "zip.h"

#include "core/crc.h"
#include "core/map.h"

#include <sys/stat.h>
#include <zlib.h>

enum {
    END_SIZE = 22,
    END_COMMENT_MAX = 65535,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    FLAG_ENCRYPTED = 1,
    FLAG_STRONG = 1 << 6,
    FLAG_MASKED = 1 << 13,
    METHOD_STORED = 0,
    METHOD_DEFLATE = 8,
    HOST_UNIX = 3,
    PIECE = 64 * 1024,
};

static uint32_t u16(struct str s, size_t at)
{
    const unsigned char *p = (const unsigned char *)s.p + at;
    return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t u32(struct str s, size_t at)
{
    return u16(s, at) | u16(s, at + 2) << 16;
}

static struct err *bad(const char *what)
{
    return err_new(ERR_INVALID, "Could not unzip uploaded file: %s.", what);
}

/* The end record stands at the very end, behind nothing but its own comment. */
static struct err *find_end(struct str f, size_t *out)
{
    if (f.n < END_SIZE)
        return bad("it is too short to be a zip file");
    size_t lowest = f.n > END_SIZE + END_COMMENT_MAX ? f.n - END_SIZE - END_COMMENT_MAX : 0;
    for (size_t at = f.n - END_SIZE + 1; at-- > lowest;)
        if (u32(f, at) == 0x06054b50 && at + END_SIZE + u16(f, at + 20) == f.n) {
            *out = at;
            return NULL;
        }
    return bad("it has no end record");
}

static bool part_ok(struct str part)
{
    return part.n > 0 && part.n <= ZIP_PART_MAX && !str_is(part, ".") && !str_is(part, "..");
}

static struct err *check_name(struct zip_entry *e)
{
    struct str rest = e->name;
    if (rest.n == 0 || rest.n > ZIP_NAME_MAX || !str_utf8_valid(rest))
        return bad("an entry's name is empty, too long or not UTF-8");
    for (size_t i = 0; i < rest.n; i++)
        if ((unsigned char)rest.p[i] < 0x20 || rest.p[i] == '\\' || rest.p[i] == 0x7f)
            return bad("an entry's name has a character that is not allowed");
    e->folder = rest.p[rest.n - 1] == '/';
    if (e->folder)
        rest.n--;
    int depth = 0;
    while (rest.p != NULL) {
        if (!part_ok(str_cut(&rest, '/')))
            return bad("an entry's name is absolute or leads out of the archive");
        if (++depth > ZIP_DEPTH_MAX)
            return bad("an entry lies too deep");
    }
    return NULL;
}

static struct err *check_mode(struct zip_entry *e, uint32_t made_by, uint32_t attributes)
{
    e->mode = 0755;
    if (made_by >> 8 != HOST_UNIX)
        return NULL;
    unsigned mode = attributes >> 16, type = mode & S_IFMT;
    if (type != 0 && type != (e->folder ? S_IFDIR : S_IFREG))
        return bad("only files and folders are accepted, no links");
    if ((mode & 0777) != 0)
        e->mode = mode & 0777;
    return NULL;
}

/* What the local header says must be what the directory says. */
static struct err *read_local(struct str f, size_t end, uint32_t offset, size_t packed,
                              uint32_t method, struct zip_entry *e)
{
    if (offset > end || end - offset < LOCAL_SIZE || u32(f, offset) != 0x04034b50)
        return bad("an entry's header is not where the directory says");
    size_t name = u16(f, offset + 26), extra = u16(f, offset + 28);
    size_t data = offset + LOCAL_SIZE + name + extra;
    if (data > end || end - data < packed)
        return bad("an entry's data runs out of the file");
    if (u16(f, offset + 8) != method ||
        !str_eq(str_of(f.p + offset + LOCAL_SIZE, name), e->name))
        return bad("an entry's header contradicts the directory");
    e->packed = str_of(f.p + data, packed);
    return NULL;
}

/* One entry of the central directory at *at; moves it behind. */
static struct err *read_central(struct str f, size_t end, size_t *at, size_t data_end,
                                struct zip_entry *e)
{
    size_t p = *at;
    if (end - p < CENTRAL_SIZE || u32(f, p) != 0x02014b50)
        return bad("its directory is damaged");
    size_t name = u16(f, p + 28), extra = u16(f, p + 30), comment = u16(f, p + 32);
    if (end - p - CENTRAL_SIZE < name + extra + comment)
        return bad("its directory is damaged");
    uint32_t flags = u16(f, p + 8), method = u16(f, p + 10);
    uint32_t packed = u32(f, p + 20), size = u32(f, p + 24), offset = u32(f, p + 42);
    if ((flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED)) != 0)
        return bad("an entry is encrypted");
    if (method != METHOD_STORED && method != METHOD_DEFLATE)
        return bad("an entry is packed by a method other than deflate");
    if (packed == UINT32_MAX || size == UINT32_MAX || offset == UINT32_MAX)
        return bad("zip64 is not accepted");
    if (u16(f, p + 34) != 0 || (method == METHOD_STORED && packed != size))
        return bad("an entry's description is contradictory");
    *e = (struct zip_entry){.name = str_of(f.p + p + CENTRAL_SIZE, name), .size = size,
                            .deflated = method == METHOD_DEFLATE, .crc = u32(f, p + 16)};
    TRY(check_name(e));
    TRY(check_mode(e, u16(f, p + 4), u32(f, p + 38)));
    if (e->folder && size != 0)
        return bad("a folder has content");
    TRY(read_local(f, data_end, offset, packed, method, e));
    *at = p + CENTRAL_SIZE + name + extra + comment;
    return NULL;
}

static char is_file[] = "f", is_folder[] = "d";

/* Each name once, and no file where another entry needs a folder. */
static struct err *note_name(struct map *names, const struct zip_entry *e)
{
    struct str name = e->folder ? str_take(e->name, e->name.n - 1) : e->name;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '/')
            continue;
        struct str parent = str_take(name, i);
        char *known = map_get(names, parent);
        if (known != NULL && *known == *is_file)
            return bad("a name is used for a file and for a folder");
        if (known == NULL)
            map_put(names, parent, is_folder);
    }
    char *known = map_get(names, name);
    if (known != NULL && !(e->folder && *known == *is_folder))
        return bad("a name is given twice");
    map_put(names, name, e->folder ? is_folder : is_file);
    return NULL;
}

static struct err *read_all(struct str f, size_t at, size_t end, size_t max_total,
                            struct map *names, struct zip *z)
{
    size_t data_end = at, packed = 0;
    for (size_t i = 0; i < z->n; i++) {
        struct zip_entry *e = &z->v[i];
        TRY(read_central(f, end, &at, data_end, e));
        TRY(note_name(names, e));
        packed += e->packed.n;
        z->total += e->size;
        if (packed > data_end)
            return bad("entries overlap");
        if (z->total > max_total)
            return err_new(ERR_LIMIT, "Unzipped size must be smaller than %zu bytes", max_total);
    }
    return at == end ? NULL : bad("something follows its directory");
}

struct err *zip_read(struct arena *a, struct str f, size_t max_total, struct zip *out)
{
    size_t end;
    TRY(find_end(f, &end));
    size_t n = u16(f, end + 10), size = u32(f, end + 12), start = u32(f, end + 16);
    if (u16(f, end + 4) != 0 || u16(f, end + 6) != 0 || u16(f, end + 8) != n)
        return bad("it spans several disks");
    if (start > end || size != end - start)
        return bad("its directory is not where it should be");
    if (n == 0 || n > ZIP_ENTRIES_MAX || n > size / CENTRAL_SIZE)
        return bad("it is empty or has too many entries");
    struct zip z = {.v = ARENA_ARRAY(a, n, struct zip_entry), .n = n};
    struct map names = MAP_INIT;
    struct err *e = read_all(f, start, end, max_total, &names, &z);
    map_clear(&names);
    if (e == NULL)
        *out = z;
    return e;
}

static struct err *inflate_entry(const struct zip_entry *e, uint32_t *crc, size_t *got,
                                 struct err *(*sink)(void *, struct str), void *ctx)
{
    unsigned char piece[PIECE];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)e->packed.p, .avail_in = (uInt)e->packed.n};
    if (inflateInit2(&z, -15) != Z_OK)
        return err_new(ERR_FULL, "There is no memory to unzip the file.");
    struct err *err = NULL;
    int rc = Z_OK;
    while (err == NULL && rc == Z_OK) {
        z.next_out = piece;
        z.avail_out = sizeof piece;
        rc = inflate(&z, Z_NO_FLUSH);
        struct str have = str_of(piece, sizeof piece - z.avail_out);
        *got += have.n;
        *crc = crc32_ieee(*crc, have);
        if (*got > e->size || (rc != Z_OK && rc != Z_STREAM_END))
            err = bad("an entry's data is damaged");
        else if (have.n > 0)
            err = sink(ctx, have);
    }
    if (err == NULL && z.avail_in != 0)
        err = bad("an entry's data is damaged");
    inflateEnd(&z);
    return err;
}

struct err *zip_unpack(const struct zip_entry *e, struct err *(*sink)(void *, struct str),
                       void *ctx)
{
    uint32_t crc = 0;
    size_t got = 0;
    if (e->deflated) {
        TRY(inflate_entry(e, &crc, &got, sink, ctx));
    } else {
        got = e->packed.n;
        crc = crc32_ieee(0, e->packed);
        if (got > 0)
            TRY(sink(ctx, e->packed));
    }
    return got == e->size && crc == e->crc ? NULL : bad("an entry's data is damaged");
}
