/* Mail: one RFC 5322 message with a text part, handed to a relay by libcurl. The text goes as
 * base64 (RFC 2045 6.8): lines of any length, any character, and no line begins with a dot. */
#include "client_int.h"

#include "../core/clock.h"
#include "../core/enc.h"
#include "../crypto/crypto.h"

enum {
    ADDRESS_MAX = 320,
    SUBJECT_MAX = 1024,
    TEXT_MAX = 1024 * 1024,
    SERVER_MAX = 1024,
    SUBJECT_PLAIN_MAX = 60,
    WORD_BYTES = 45, /* of the subject in one encoded word: 60 characters of base64 */
    LINE_BYTES = 57, /* of the text in one line: 76 characters of base64 */
};

/* local@domain without anything that means something to SMTP or to a header. */
static bool address_valid(struct str s)
{
    ptrdiff_t at = str_rfind_char(s, '@');
    if (s.n > ADDRESS_MAX || at <= 0 || (size_t)at == s.n - 1)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 127 || strchr("<>()[]\\,;:\"", s.p[i]) != NULL)
            return false;
    return str_find_char(s, '@') == at;
}

/* RFC 2047: words of at most 75 characters, none of which splits a character of UTF-8. */
static void subject_encoded(struct buf *b, struct str s)
{
    for (bool first = true; s.n > 0; first = false) {
        size_t n = s.n < WORD_BYTES ? s.n : WORD_BYTES;
        while (n < s.n && n > 1 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
            n--;
        buf_c(b, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
        enc_base64_into(b, str_take(s, n));
        buf_c(b, "?=");
        s = str_skip(s, n);
    }
}

static void subject_into(struct buf *b, struct str s)
{
    bool plain = s.n <= SUBJECT_PLAIN_MAX && str_find(s, STR("=?")) < 0;
    for (size_t i = 0; i < s.n && plain; i++)
        plain = s.p[i] >= ' ' && s.p[i] < 127;
    if (plain)
        buf_str(b, s);
    else
        subject_encoded(b, s);
}

static void date_into(struct buf *b)
{
    char text[TIME_TEXT_MAX];
    time_http(clock_now_ms(), text);
    struct str s = str_c(text);
    /* RFC 5322 3.3 wants a numeric zone where HTTP says GMT. */
    buf_str(b, str_ends_c(s, " GMT") ? str_take(s, s.n - 4) : s);
    buf_c(b, " +0000");
}

static void text_into(struct buf *b, struct str s)
{
    while (s.n > 0) {
        enc_base64_into(b, str_take(s, LINE_BYTES));
        buf_c(b, "\r\n");
        s = str_skip(s, LINE_BYTES);
    }
}

static struct err *message(const struct mail *m, struct buf *b)
{
    char id[37];
    rand_uuid(id);
    struct str domain = str_skip(m->from, (size_t)str_rfind_char(m->from, '@') + 1);
    buf_c(b, "Date: ");
    date_into(b);
    buf_fmt(b, "\r\nFrom: <%.*s>\r\nTo: <%.*s>\r\n", STR_ARG(m->from), STR_ARG(m->to));
    buf_fmt(b, "Message-ID: <%s@%.*s>\r\nSubject: ", id, STR_ARG(domain));
    subject_into(b, m->subject);
    buf_c(b, "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
             "Content-Transfer-Encoding: base64\r\n\r\n");
    text_into(b, m->text);
    return buf_check(b);
}

static struct err *check(const struct mail *m)
{
    if (!address_valid(m->from) || !address_valid(m->to))
        return err_new(ERR_INVALID, "A mail address is malformed.");
    if (m->subject.n > SUBJECT_MAX || m->text.n > TEXT_MAX)
        return err_new(ERR_LIMIT, "The mail is too large.");
    if (!str_utf8_valid(m->subject) || !str_utf8_valid(m->text))
        return err_new(ERR_INVALID, "The mail's subject and text must be UTF-8.");
    bool scheme = str_starts_c(m->server, "smtp://") || str_starts_c(m->server, "smtps://");
    bool text = m->server.n <= SERVER_MAX;
    for (size_t i = 0; i < m->server.n && text; i++)
        text = m->server.p[i] > ' ' && m->server.p[i] < 127;
    if (!scheme || !text)
        return err_new(ERR_INVALID, "The mail server must be given as smtp://host:port.");
    return NULL;
}

static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
    struct str *rest = arg;
    struct str piece = str_take(*rest, size * n);
    if (piece.n > 0)
        memcpy(to, piece.p, piece.n);
    *rest = str_skip(*rest, piece.n);
    return piece.n;
}

struct err *mail_send(const struct mail *m)
{
    TRY(check(m));
    struct buf b CLEANUP(buf_clear) = BUF_INIT(2 * TEXT_MAX);
    TRY(message(m, &b));
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(16 * 1024);
    struct str rest = buf_view(&b);
    CURL *h = client_handle();
    struct curl_slist *to = curl_slist_append(NULL, arena_fmt(a, "<%.*s>", STR_ARG(m->to)).p);
    CHECK(to != NULL);
    /* A password never goes over an open line; without one the relay decides about STARTTLS. */
    bool secret = str_find_char(m->server, '@') >= 0;
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(h, CURLOPT_URL, arena_cstr(a, m->server));
    curl_easy_setopt(h, CURLOPT_USE_SSL, (long)(secret ? CURLUSESSL_ALL : CURLUSESSL_TRY));
    curl_easy_setopt(h, CURLOPT_MAIL_FROM, arena_fmt(a, "<%.*s>", STR_ARG(m->from)).p);
    curl_easy_setopt(h, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(h, CURLOPT_READDATA, &rest);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)HTTP_OUT_TIMEOUT_MS);
    struct err *e = client_perform(h);
    curl_easy_reset(h);
    curl_slist_free_all(to);
    return e;
}
