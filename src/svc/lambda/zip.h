/* zip.h: a strict reader of zip files (PKWARE APPNOTE 6.3), as much of them as code packages need.
 *
 * Refused: encryption, several disks, zip64, methods other than stored and deflate, links and
 * devices, names that are absolute, that have "." or ".." or empty parts, backslashes or control
 * characters, names given twice or used both as file and folder, local headers that tell another
 * story than the directory, data that overlaps, and sizes past the limits. Bytes before the first
 * entry are allowed only if the offsets are right with them.
 *
 * Everything is a view into `file`, which must stay. Thread rule: pure functions. */
#ifndef WARD_SVC_LAMBDA_ZIP_H
#define WARD_SVC_LAMBDA_ZIP_H

#include "core/arena.h"

enum {
    ZIP_ENTRIES_MAX = 20000,
    ZIP_NAME_MAX = 1024,
    ZIP_PART_MAX = 255,
    ZIP_DEPTH_MAX = 32,
};

struct zip_entry {
    struct str name; /* of a folder: with the slash at its end */
    bool folder, deflated;
    unsigned mode; /* permission bits; 0755 where the archive does not say */
    uint32_t crc;
    size_t size;
    struct str packed;
};

struct zip {
    struct zip_entry *v;
    size_t n;
    size_t total; /* bytes unpacked */
};

/* Errors: ERR_INVALID with what is wrong; ERR_LIMIT past max_total. */
struct err *zip_read(struct arena *a, struct str file, size_t max_total, struct zip *out)
    MUST_CHECK;

/* Unpacks one file through `sink`, piece by piece; its size and checksum are checked. */
struct err *zip_unpack(const struct zip_entry *e,
                       struct err *(*sink)(void *ctx, struct str piece), void *ctx) MUST_CHECK;

#endif
