/* Source code given in a template (Code.ZipFile), as the archive with one file that Lambda wants.
 * The form: APPNOTE.TXT, local header, central directory, end record; stored, not compressed. */
#include "types.h"

#include "core/crc.h"

enum { LOCAL_HEADER = 0x04034b50, CENTRAL_HEADER = 0x02014b50, END_RECORD = 0x06054b50,
       MODE_REGULAR = 0100644, MADE_BY_UNIX = 0x0314, VERSION_NEEDED = 20, DOS_DATE_1980 = 0x21 };

static void u16(struct buf *b, unsigned v)
{
    buf_char(b, (char)(v & 255));
    buf_char(b, (char)(v >> 8 & 255));
}

static void u32(struct buf *b, uint32_t v)
{
    u16(b, v & 0xffff);
    u16(b, v >> 16);
}

/* Everything that the local header and the central directory have in common. */
static void common(struct buf *b, struct str name, struct str source)
{
    u16(b, VERSION_NEEDED);
    u16(b, 0); /* flags */
    u16(b, 0); /* stored */
    u16(b, 0); /* time */
    u16(b, DOS_DATE_1980);
    u32(b, crc32_ieee(0, source));
    u32(b, (uint32_t)source.n);
    u32(b, (uint32_t)source.n);
    u16(b, (unsigned)name.n);
    u16(b, 0); /* extra field */
}

/* "index.handler" names index.py or index.js. */
static struct str file_name(struct arena *a, struct str runtime, struct str handler)
{
    struct str module = str_cut(&handler, '.');
    return arena_fmt(a, "%.*s.%s", STR_ARG(module.n > 0 ? module : STR("index")),
                     str_starts_c(runtime, "python") ? "py" : "js");
}

struct str zip_of_source(struct arena *a, struct str runtime, struct str handler,
                         struct str source)
{
    struct buf b CLEANUP(buf_clear) = BUF_INIT(8 * 1024 * 1024);
    struct str name = str_take(file_name(a, runtime, handler), 255);
    u32(&b, LOCAL_HEADER);
    common(&b, name, source);
    buf_str(&b, name);
    buf_str(&b, source);
    size_t central = b.n;
    u32(&b, CENTRAL_HEADER);
    u16(&b, MADE_BY_UNIX);
    common(&b, name, source);
    u16(&b, 0); /* comment */
    u16(&b, 0); /* disk */
    u16(&b, 0); /* internal attributes */
    u32(&b, (uint32_t)MODE_REGULAR << 16);
    u32(&b, 0); /* where its local header is */
    buf_str(&b, name);
    size_t end = b.n;
    u32(&b, END_RECORD);
    u16(&b, 0);
    u16(&b, 0);
    u16(&b, 1);
    u16(&b, 1);
    u32(&b, (uint32_t)(end - central));
    u32(&b, (uint32_t)central);
    u16(&b, 0);
    return arena_str(a, buf_view(&b));
}
