/* builtin.h: the rule files of rules/, compiled into the program. Constant. */
#ifndef WARD_SCAN_BUILTIN_H
#define WARD_SCAN_BUILTIN_H

#include <stddef.h>

struct builtin_file {
    const char *name;
    const char *text;
    size_t n;
};

extern const struct builtin_file builtin_files[];
extern const size_t builtin_count;

#endif
