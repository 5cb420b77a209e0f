#include "gunzip.h"

#define ZLIB_CONST
#include <zlib.h>

enum { GZIP_ONLY = 16 };

static struct err *inflate_all(z_stream *z, size_t out_max,
                               struct err *(*sink)(void *ctx, struct str bytes), void *ctx)
{
    unsigned char window[GUNZIP_WINDOW];
    size_t total = 0;
    int rc = Z_OK;
    while (rc != Z_STREAM_END) {
        z->next_out = window;
        z->avail_out = sizeof window;
        rc = inflate(z, Z_NO_FLUSH);
        if (rc == Z_BUF_ERROR)
            return err_new(ERR_CORRUPT, "the gzip stream ends too early");
        if (rc != Z_OK && rc != Z_STREAM_END)
            return err_new(ERR_CORRUPT, "it is not a sound gzip stream");
        size_t n = sizeof window - z->avail_out;
        if (n > out_max - total)
            return err_new(ERR_LIMIT, "it inflates to more than %zu bytes", out_max);
        total += n;
        TRY(sink(ctx, str_of(window, n)));
    }
    if (z->avail_in > 0)
        return err_new(ERR_CORRUPT, "bytes follow the gzip stream");
    return NULL;
}

struct err *gunzip(struct str file, size_t out_max,
                   struct err *(*sink)(void *ctx, struct str bytes), void *ctx)
{
    z_stream z = {0};
    if (file.n > UINT32_MAX)
        return err_new(ERR_LIMIT, "the file is larger than %u bytes", UINT32_MAX);
    z.next_in = (const unsigned char *)(file.n == 0 ? "" : file.p);
    z.avail_in = (uInt)file.n;
    CHECK(inflateInit2(&z, GZIP_ONLY + MAX_WBITS) == Z_OK);
    struct err *e = inflate_all(&z, out_max, sink, ctx);
    inflateEnd(&z);
    return e;
}
