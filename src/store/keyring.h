/* keyring.h: private to src/store: the keys that seal values, and where they are kept.
 *
 *     root key → account key ("123456789012", "ward") → data key of an owner → values
 *     root key → secrets of the installation
 *
 * Keys are rows of the reserved table "keyring" (see keyring.c), each stored only wrapped, with the
 * id of the key that wraps it; the wrapping is bound to the store, the key's id and its name. A key
 * is made in a durable transaction of its own before its first use.
 *
 * Unwrapped keys stay in the secure heap, in a cache of KEYRING_CACHED_MAX that forgets the least
 * used. A lookup takes a read lock for one hash search; no lock is held across I/O, but for the
 * commit gate, which is shared by all commits and closed only to wait for them.
 *
 * Thread rule: safe from any thread. A struct data_key is immutable and reference-counted. */
#ifndef WARD_STORE_KEYRING_H
#define WARD_STORE_KEYRING_H

#include "../core/arena.h"
#include "../crypto/crypto.h"
#include "engine.h"

#define KEYRING_TABLE "keyring"

enum { KEY_ID_SIZE = 16, KEYRING_CACHED_MAX = 4096 };

struct keyring;
struct data_key;

/* The engine and the root key stay the caller's and must live longer. */
struct keyring *keyring_new(struct engine *e, const struct secret *root_key,
                            const unsigned char store_id[STORE_ID_SIZE]);
void keyring_free(struct keyring *k); /* NULL is fine */

/* The owner's data key, made when missing; a reference for the caller. Errors: ERR_INVALID or
 * ERR_LIMIT for an owner not of the form; ERR_CONFLICT while the owner is being destroyed. */
struct err *keyring_of_owner(struct keyring *k, struct str owner, struct data_key **out) MUST_CHECK;

/* The key with this id; a reference for the caller. ERR_CORRUPT when there is none (destroyed). */
struct err *keyring_by_id(struct keyring *k, const unsigned char id[KEY_ID_SIZE],
                          struct data_key **out) MUST_CHECK;

struct data_key *data_key_ref(struct data_key *d);
void data_key_unref(struct data_key *d); /* NULL is fine */
const unsigned char *data_key_id(const struct data_key *d);
const unsigned char *data_key_bytes(const struct data_key *d);
struct str data_key_owner(const struct data_key *d);
bool data_key_destroyed(const struct data_key *d);

/* Between enter and leave no key becomes destroyed that was not so at enter: a commit that finds
 * its keys alive inside the gate leaves no value behind that nobody can read. */
void keyring_gate_enter(struct keyring *k);
void keyring_gate_leave(struct keyring *k);

/* Deletes the owner's data key, durably and from the disk's files. Absent: fine. */
struct err *keyring_destroy(struct keyring *k, struct str owner) MUST_CHECK;

/* Secrets of the installation, wrapped by the root key. get: NULL when there is none. */
struct err *keyring_secret_get(struct keyring *k, const char *name, struct secret **out) MUST_CHECK;
struct err *keyring_secret_put(struct keyring *k, const char *name, const struct secret *v)
    MUST_CHECK;
struct err *keyring_secret_make(struct keyring *k, const char *name, size_t size,
                                struct secret **out) MUST_CHECK;

#endif
