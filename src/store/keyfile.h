/* keyfile.h: private to src/store: the file DIR/ward.key, which ties a store to its root key.
 *
 * It holds the store's random id, a check value of the root key, and the store key (which wraps the
 * keys of the engine's files) wrapped under the root key. Mode 0600. */
#ifndef WARD_STORE_KEYFILE_H
#define WARD_STORE_KEYFILE_H

#include "engine.h"

/* Reads it, or makes it when `may_make`. ERR_DENIED: made under another root key. ERR_CORRUPT:
 * altered, or missing though the store holds data. */
struct err *keyfile_open(const char *dir, const struct secret *root_key, bool may_make,
                         unsigned char out_id[STORE_ID_SIZE], struct secret **out_store_key)
    MUST_CHECK;

#endif
