#include "pattern.h"

#include <re2/re2.h>

#include <cstdio>
#include <new>
#include <string>

struct pattern {
    RE2 re;
    pattern(const std::string &text, const RE2::Options &options) : re(text, options) {}
};

namespace {

/* Where Python and RE2 spell the same thing differently. A ] at the start of a class is a member of
 * it in both. */
std::string from_python(const std::string &in)
{
    std::string out;
    bool in_class = false;
    for (size_t i = 0; i < in.size(); i++) {
        char c = in[i];
        if (c == '\\' && i + 1 < in.size()) {
            char next = in[++i];
            out += '\\';
            out += !in_class && next == 'Z' ? 'z' : next;
            continue;
        }
        out += c;
        if (in_class) {
            in_class = c != ']';
        } else if (c == '[') {
            in_class = true;
            if (i + 1 < in.size() && in[i + 1] == '^')
                out += in[++i];
            if (i + 1 < in.size() && in[i + 1] == ']')
                out += in[++i];
        } else if (c == '{' && i + 2 < in.size() && in[i + 1] == ',' && in[i + 2] >= '0' &&
                   in[i + 2] <= '9') {
            out += '0';
        }
    }
    return out;
}

bool has_look_around(const std::string &text)
{
    for (const char *form : {"(?=", "(?!", "(?<=", "(?<!"}) {
        if (text.find(form) != std::string::npos)
            return true;
    }
    return false;
}

} // namespace

struct pattern *pattern_new(const char *text, size_t n, char *why)
{
    if (n > PATTERN_MAX) {
        snprintf(why, PATTERN_WHY_MAX, "it is longer than %d bytes", PATTERN_MAX);
        return nullptr;
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_never_capture(true);
    options.set_max_mem(PATTERN_MEMORY_MAX);
    std::string given(text, n);
    pattern *p = new (std::nothrow) pattern(from_python(given), options);
    if (p != nullptr && p->re.ok())
        return p;
    if (p == nullptr)
        snprintf(why, PATTERN_WHY_MAX, "there is no memory for it");
    else if (has_look_around(given))
        snprintf(why, PATTERN_WHY_MAX, "look-ahead and look-behind are not supported");
    else
        snprintf(why, PATTERN_WHY_MAX, "%s", p->re.error().c_str());
    delete p;
    return nullptr;
}

void pattern_free(struct pattern *p)
{
    delete p;
}

bool pattern_search(const struct pattern *p, const char *text, size_t n)
{
    return RE2::PartialMatch(re2::StringPiece(n == 0 ? "" : text, n), p->re);
}
