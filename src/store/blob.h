/* blob.h: large values as files of authenticated frames.
 *
 * A blob is written once and then only read or deleted. Frames of 64 KiB under AES-256-GCM with a
 * key derived from the caller's 32-byte key and the blob's random id; the nonce is the frame's
 * number; the associated data is the caller's `context` (bucket, key, version), the blob's id, the
 * frame's number, and a mark on the last frame, so that frames cannot be swapped, cut off or
 * carried to another blob. Written under a temporary name, synced, renamed, folder synced: after
 * blob_finish the blob survives power loss, and only then is its id committed in the store. What
 * was never committed is swept at start.
 *
 * Memory: one frame for a writer, one for a reader, whatever the size. Errors: ERR_FULL (blobs
 * leave BLOB_DISK_RESERVE_BYTES of the disk to the store), ERR_IO, ERR_CORRUPT, ERR_LIMIT (the
 * context); ERR_NOT_FOUND from blob_open when there is no such file (deleted meanwhile, or lost).
 * Thread rule: writers and readers belong to one thread at a time; they may move. */
#ifndef WARD_STORE_BLOB_H
#define WARD_STORE_BLOB_H

#include "../core/arena.h"
#include "../crypto/secret.h"

enum {
    BLOB_FRAME = 64 * 1024,
    BLOB_ID_SIZE = 32,
    BLOB_CONTEXT_MAX = 4096,
    BLOB_DISK_RESERVE_BYTES = 64 * 1024 * 1024,
};

struct blobs;
struct blob_writer;
struct blob_reader;

struct blob_id {
    char hex[BLOB_ID_SIZE + 1]; /* NUL-terminated */
};

struct err *blobs_open(const char *dir, struct blobs **out) MUST_CHECK; /* made when missing */
void blobs_close(struct blobs *b);

struct err *blob_begin(struct blobs *b, const unsigned char key[32], struct str context,
                       struct blob_writer **out) MUST_CHECK;
struct err *blob_write(struct blob_writer *w, struct str data) MUST_CHECK;
/* Seals the last frame and makes the blob durable. Frees the writer, whatever the result. */
struct err *blob_finish(struct blob_writer *w, struct blob_id *out_id, uint64_t *out_size)
    MUST_CHECK;
void blob_abandon(struct blob_writer *w); /* removes the file; NULL is fine */

struct err *blob_open(struct blobs *b, const struct blob_id *id, const unsigned char key[32],
                      struct str context, uint64_t size, struct blob_reader **out) MUST_CHECK;
/* Up to n bytes from `offset`; *out_n is 0 only at the end. Decrypts only the frames it needs. */
struct err *blob_read(struct blob_reader *r, uint64_t offset, void *to, size_t n, size_t *out_n)
    MUST_CHECK;
void blob_reader_free(struct blob_reader *r);

struct err *blob_delete(struct blobs *b, const struct blob_id *id) MUST_CHECK; /* absent: fine */

/* Deletes every blob (and temporary file) that `live` denies; only at start, before writers. */
struct err *blobs_sweep(struct blobs *b, bool (*live)(void *ctx, struct str id_hex), void *ctx,
                        size_t *out_removed) MUST_CHECK;

#endif
