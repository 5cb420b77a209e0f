/* clock.h: one clock, in milliseconds, replaceable in tests; and the spellings of time.
 *
 * All times in Ward are int64_t milliseconds since 1970-01-01T00:00:00Z unless the name says
 * otherwise. Thread rule: safe from any thread; clock_set_fake() is for tests. */
#ifndef WARD_CORE_CLOCK_H
#define WARD_CORE_CLOCK_H

#include "arena.h"
#include "buf.h"

int64_t clock_now_ms(void);  /* wall clock */
int64_t clock_mono_ms(void); /* never goes back; for time-outs */
int64_t clock_mono_us(void);

/* Tests: the wall clock stands at `ms` until changed; a negative value gives the real one back. */
void clock_set_fake(int64_t ms);

enum { TIME_TEXT_MAX = 40 };

/* Each writes NUL-terminated text into out[TIME_TEXT_MAX]. */
void time_iso8601(int64_t ms, char *out);     /* 2026-11-22T02:50:00Z */
void time_iso8601_ms(int64_t ms, char *out);  /* 2026-11-22T02:50:00.123Z */
void time_basic(int64_t ms, char *out);       /* 20261122T025000Z */
void time_http(int64_t ms, char *out);        /* Sun, 22 Nov 2026 02:50:00 GMT */
struct str time_iso8601_str(struct arena *a, int64_t ms);

struct time_parts {
    int year, month, day, hour, minute, second, weekday; /* month 1..12, weekday 0 = Sunday */
};
struct time_parts time_parts_of(int64_t ms);

/* Each accepts exactly its form; ISO 8601 with Z or an offset (+hh:mm, +hhmm), with or without
 * seconds and a fraction of them, 'T' or a blank between, or a date alone. A leap second (60) is
 * the next minute's first. false: not of the form. */
bool time_parse_iso8601(struct str s, int64_t *out_ms);
bool time_parse_basic(struct str s, int64_t *out_ms);
bool time_parse_http(struct str s, int64_t *out_ms); /* RFC 9110 IMF-fixdate */

#endif
