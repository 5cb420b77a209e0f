/* secret.h: bytes that must not leak: keys, passwords, session secrets.
 *
 * The memory comes from OpenSSL's secure heap (locked, guard pages, out of core dumps) and is wiped
 * when freed. A struct secret is opaque on purpose: there is no way from it to str, and so none to
 * the log or to JSON; only secret_bytes() opens it, and grep finds every use. When the secure heap
 * is full, secret_new fails with ERR_FULL. Thread rule: immutable after creation; free once. */
#ifndef WARD_CRYPTO_SECRET_H
#define WARD_CRYPTO_SECRET_H

#include "../core/str.h"

struct secret;

enum { SECRET_HEAP_BYTES = 1024 * 1024, SECRET_MAX = 16 * 1024 };

/* Once, at start, before any thread. Also keeps the process out of core dumps. */
struct err *secret_init(void) MUST_CHECK;

/* Whether the system let the heap be locked and guarded (RLIMIT_MEMLOCK): to warn at start. */
bool secret_locked(void);

struct err *secret_new(struct str bytes, struct secret **out) MUST_CHECK; /* copies */
struct err *secret_random(size_t n, struct secret **out) MUST_CHECK;
struct err *secret_ref(const struct secret *s, struct secret **out) MUST_CHECK; /* a copy */
void secret_free(struct secret *s); /* wipes; NULL is fine */
void secret_free_ptr(struct secret **s);

size_t secret_size(const struct secret *s);
const unsigned char *secret_bytes(const struct secret *s);

/* Wipes ordinary memory in a way the compiler keeps. */
void secret_wipe(void *p, size_t n);

#endif
