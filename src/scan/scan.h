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

#endif
