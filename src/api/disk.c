/* The reserve on the disk. A read's record must be durable before its answer, so a disk that is
 * really full would end reads too: writes are refused a little earlier. */
#include "line.h"

#include <stdatomic.h>
#include <sys/statvfs.h>

enum { LOOK_EVERY_MS = 100 };

static uint64_t free_bytes(const char *dir)
{
    struct statvfs v;
    return statvfs(dir, &v) != 0 ? UINT64_MAX : (uint64_t)v.f_bavail * v.f_frsize;
}

/* statvfs costs about a microsecond; a burst of writes need not ask each time. */
static bool is_low(const struct ward *w)
{
    static _Atomic int64_t looked_ms = INT64_MIN / 2;
    static _Atomic bool low;
    int64_t now = clock_mono_ms(), then = atomic_load_explicit(&looked_ms, memory_order_relaxed);
    if (now - then >= LOOK_EVERY_MS && atomic_compare_exchange_strong(&looked_ms, &then, now)) {
        /* Once low, a little more must be free before writes go on: a refused upload that gives its
         * bytes back must not open the door for the next. */
        uint64_t want = DISK_RESERVE_BYTES + (atomic_load(&low) ? DISK_RESERVE_BYTES / 4 : 0);
        atomic_store(&low, free_bytes(w->data_dir) < want);
    }
    return atomic_load_explicit(&low, memory_order_relaxed);
}

struct err *line_check_disk(const struct line *l)
{
    const struct call *c = &l->c;
    if (c->row->effect != OP_WRITE || c->row->frees || !is_low(c->ward))
        return NULL;
    return err_aws(503, "ServiceUnavailable",
                   "The disk is nearly full: writes are refused until space is freed. Reads and "
                   "deletions go on.");
}
