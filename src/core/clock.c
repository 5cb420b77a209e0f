#include "clock.h"

#include <stdatomic.h>

static atomic_llong fake_ms = -1;

static int64_t read_clock_us(clockid_t id)
{
    struct timespec t;
    CHECK(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_ms(void)
{
    int64_t fake = atomic_load_explicit(&fake_ms, memory_order_relaxed);
    return fake >= 0 ? fake : read_clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_mono_ms(void)
{
    return read_clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

void clock_set_fake(int64_t ms)
{
    atomic_store(&fake_ms, ms);
}

/* Civil date from days since 1970-01-01, proleptic Gregorian (the usual era arithmetic). */
static void civil_of_days(int64_t days, int *y, int *m, int *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = (int)(yoe + era * 400 + (*m <= 2));
}

static int64_t days_of_civil(int y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct time_parts time_parts_of(int64_t ms)
{
    int64_t s = ms / 1000 - (ms % 1000 < 0);
    int64_t days = s / 86400 - (s % 86400 < 0);
    int64_t rest = s - days * 86400;
    struct time_parts t = {
        .hour = (int)(rest / 3600), .minute = (int)(rest / 60 % 60), .second = (int)(rest % 60)};
    civil_of_days(days, &t.year, &t.month, &t.day);
    t.weekday = (int)(((days + 4) % 7 + 7) % 7);
    return t;
}

/* `digits` decimal digits of v, which is not negative. By hand: printf would cost several times as
 * much, and each response carries a date. */
static char *put(char *p, int v, int digits)
{
    for (int i = digits - 1; i >= 0; i--, v /= 10)
        p[i] = (char)('0' + v % 10);
    return p + digits;
}

static char *put_char(char *p, char c)
{
    *p = c;
    return p + 1;
}

static char *put_year(char *p, int year)
{
    if (year >= 0 && year <= 9999)
        return put(p, year, 4);
    return p + snprintf(p, 12, "%d", year);
}

/* A NUL for the colon leaves it out. */
static char *put_time(char *p, const struct time_parts *t, char colon)
{
    p = put(p, t->hour, 2);
    if (colon != '\0')
        p = put_char(p, colon);
    p = put(p, t->minute, 2);
    if (colon != '\0')
        p = put_char(p, colon);
    return put(p, t->second, 2);
}

static char *put_iso8601(char *p, int64_t ms)
{
    struct time_parts t = time_parts_of(ms);
    p = put_char(put_year(p, t.year), '-');
    p = put_char(put(p, t.month, 2), '-');
    p = put_char(put(p, t.day, 2), 'T');
    return put_time(p, &t, ':');
}

void time_iso8601(int64_t ms, char *out)
{
    out = put_char(put_iso8601(out, ms), 'Z');
    *out = '\0';
}

void time_iso8601_ms(int64_t ms, char *out)
{
    out = put_char(put_iso8601(out, ms), '.');
    out = put_char(put(out, (int)((ms % 1000 + 1000) % 1000), 3), 'Z');
    *out = '\0';
}

void time_basic(int64_t ms, char *out)
{
    struct time_parts t = time_parts_of(ms);
    out = put(put(put_year(out, t.year), t.month, 2), t.day, 2);
    out = put_char(put_time(put_char(out, 'T'), &t, '\0'), 'Z');
    *out = '\0';
}

static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void time_http(int64_t ms, char *out)
{
    struct time_parts t = time_parts_of(ms);
    memcpy(out, weekdays[t.weekday], 3);
    memcpy(out + 3, ", ", 2);
    out = put_char(put(out + 5, t.day, 2), ' ');
    memcpy(out, months[t.month - 1], 3);
    out = put_char(put_year(put_char(out + 3, ' '), t.year), ' ');
    out = put_time(out, &t, ':');
    memcpy(out, " GMT", 5);
}

struct str time_iso8601_str(struct arena *a, int64_t ms)
{
    char text[TIME_TEXT_MAX];
    time_iso8601(ms, text);
    return arena_str(a, str_c(text));
}

/* Exactly `digits` decimal digits at s[at]. */
static bool number_at(struct str s, size_t at, size_t digits, int *out)
{
    int64_t v;
    if (s.n < at + digits || s.p[at] == '-' || s.p[at] == '+')
        return false;
    if (!str_to_i64(str_take(str_skip(s, at), digits), 0, INT32_MAX, &v))
        return false;
    *out = (int)v;
    return true;
}

static bool compose(int y, int mo, int d, int h, int mi, int s, int64_t *out_ms)
{
    static const int days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (mo < 1 || mo > 12 || d < 1 || d > days_in[mo - 1] + (mo == 2 && leap) || h > 23 ||
        mi > 59 || s > 60)
        return false;
    *out_ms = (days_of_civil(y, mo, d) * 86400 + h * 3600 + mi * 60 + s) * 1000;
    return true;
}

bool time_parse_basic(struct str s, int64_t *out_ms)
{
    int y, mo, d, h, mi, sec;
    return s.n == 16 && s.p[8] == 'T' && s.p[15] == 'Z' && number_at(s, 0, 4, &y) &&
           number_at(s, 4, 2, &mo) && number_at(s, 6, 2, &d) && number_at(s, 9, 2, &h) &&
           number_at(s, 11, 2, &mi) && number_at(s, 13, 2, &sec) &&
           compose(y, mo, d, h, mi, sec, out_ms);
}

/* What may follow the seconds: a fraction, then Z or an offset. */
static bool parse_tail(struct str rest, int64_t *add_ms)
{
    int64_t ms = 0;
    if (rest.n > 0 && rest.p[0] == '.') {
        rest = str_skip(rest, 1);
        int64_t unit = 100;
        size_t digits = 0;
        for (; rest.n > 0 && rest.p[0] >= '0' && rest.p[0] <= '9'; rest = str_skip(rest, 1)) {
            ms += (rest.p[0] - '0') * unit;
            unit /= 10;
            if (++digits > 9)
                return false;
        }
        if (digits == 0)
            return false;
    }
    if (str_is(rest, "Z")) {
        *add_ms = ms;
        return true;
    }
    int h, m;
    bool colon = rest.n == 6 && rest.p[3] == ':';
    if (rest.n == 0 || (rest.p[0] != '+' && rest.p[0] != '-') || (!colon && rest.n != 5) ||
        !number_at(rest, 1, 2, &h) || !number_at(rest, colon ? 4 : 3, 2, &m) || h > 23 || m > 59)
        return false;
    int64_t offset = (h * 60 + m) * 60000;
    *add_ms = rest.p[0] == '+' ? ms - offset : ms + offset;
    return true;
}

bool time_parse_iso8601(struct str s, int64_t *out_ms)
{
    int y, mo, d, h = 0, mi = 0, sec = 0;
    int64_t base, add = 0;
    if (s.n < 10 || s.p[4] != '-' || s.p[7] != '-' || !number_at(s, 0, 4, &y) ||
        !number_at(s, 5, 2, &mo) || !number_at(s, 8, 2, &d))
        return false;
    if (s.n > 10) {
        if (s.n < 16 || (s.p[10] != 'T' && s.p[10] != ' ') || s.p[13] != ':' ||
            !number_at(s, 11, 2, &h) || !number_at(s, 14, 2, &mi))
            return false;
        size_t at = 16;
        if (s.n > 16 && s.p[16] == ':') {
            if (!number_at(s, 17, 2, &sec))
                return false;
            at = 19;
        }
        if (!parse_tail(str_skip(s, at), &add))
            return false;
    }
    if (!compose(y, mo, d, h, mi, sec, &base))
        return false;
    *out_ms = base + add;
    return true;
}

/* 1 for the first name of the list; 0: none of them. */
static int name_at(const char *p, const char (*names)[4], int n)
{
    for (int i = 0; i < n; i++)
        if (memcmp(p, names[i], 3) == 0)
            return i + 1;
    return 0;
}

bool time_parse_http(struct str s, int64_t *out_ms)
{
    int y, d, h, mi, sec, mo;
    if (s.n != 29 || s.p[3] != ',' || s.p[4] != ' ' || s.p[7] != ' ' || s.p[11] != ' ' ||
        s.p[16] != ' ' || s.p[19] != ':' || s.p[22] != ':' || !str_ends_c(s, " GMT"))
        return false;
    mo = name_at(s.p + 8, months, 12);
    return mo != 0 && name_at(s.p, weekdays, 7) != 0 && number_at(s, 5, 2, &d) &&
           number_at(s, 12, 4, &y) && number_at(s, 17, 2, &h) && number_at(s, 20, 2, &mi) &&
           number_at(s, 23, 2, &sec) && compose(y, mo, d, h, mi, sec, out_ms);
}
