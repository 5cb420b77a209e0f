/* banned.h: functions that have a safer twin, made to fail at compile time.
 *
 * Included by err.h, and so by everything. The names in the error say what to use. */
#ifndef WARD_CORE_BANNED_H
#define WARD_CORE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(f, use) f##_is_banned_use_##use

#undef strcpy
#define strcpy(a, b) BANNED(strcpy, buf)
#undef strcat
#define strcat(a, b) BANNED(strcat, buf)
#undef strncpy
#define strncpy(a, b, c) BANNED(strncpy, buf)
#undef strncat
#define strncat(a, b, c) BANNED(strncat, buf)
#undef sprintf
#define sprintf(...) BANNED(sprintf, buf_fmt)
#undef vsprintf
#define vsprintf(a, b, c) BANNED(vsprintf, buf_fmt)
#undef gmtime
#define gmtime(a) BANNED(gmtime, time_h)
#undef localtime
#define localtime(a) BANNED(localtime, time_h)
#undef atoi
#define atoi(a) BANNED(atoi, str_to_i64)
#undef strtok
#define strtok(a, b) BANNED(strtok, str_cut)
#undef rand
#define rand() BANNED(rand, rand_bytes)

#endif
