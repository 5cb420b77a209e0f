/* scan.h: `ward scan`, `ward rules` and `ward verify`, as the program calls them.
 *
 * argv[0] is the command's own name. Each answers with the exit code: 0 nothing found (a whole
 * chain), 1 findings, 2 something could not be read or compiled. `builtin_count` rules are part of
 * the program. Thread rule: once, by the main thread. */
#ifndef WARD_SCAN_SCAN_H
#define WARD_SCAN_SCAN_H

#include "source.h"

int scan_main(int argc, char **argv);
int rules_main(int argc, char **argv);
int verify_main(int argc, char **argv);

/* A source for PATHs that begin with s3://, from whoever has a client for them. NULL (the default):
 * such a path is refused with a message. */
typedef struct err *scan_bucket_open(const char *url, bool digests, struct source_notes *notes,
                                     struct scan_source *out_source);
void scan_set_bucket_source(scan_bucket_open *open);

/* The public keys that signed digests of a region between two times, from whoever has a client for
 * CloudTrail: each is handed to `take`, as DER and fingerprint. NULL: `ward verify` needs files. */
typedef void scan_take_key(void *ctx, struct str der, struct str fingerprint);
typedef struct err *scan_public_keys(struct str region, int64_t from_ms, int64_t to_ms,
                                     scan_take_key *take, void *ctx);
void scan_set_public_keys(scan_public_keys *get);

#endif
