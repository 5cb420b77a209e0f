// The whole of simdjson that the scanner sees. https://simdjson.org
#include "records.h"

#include <cstring>
#include <memory>
#include <simdjson.h>

bool records_utf8_valid(const char *p, size_t n)
{
    return simdjson::validate_utf8(p, n);
}

namespace {

constexpr size_t capacity_max = 4 * 1024 * 1024;

struct checker {
    simdjson::dom::parser parser{capacity_max};
    std::unique_ptr<char[]> padded;
    size_t size = 0;
};

bool digit(char c)
{
    return c >= '0' && c <= '9';
}

char *digits_end(char *s)
{
    while (digit(*s))
        s++;
    return s;
}

// Behind the number at s, or nullptr if it is none by RFC 8259.
char *number_end(char *s)
{
    if (*s == '-')
        s++;
    if (!digit(*s))
        return nullptr;
    s = *s == '0' ? s + 1 : digits_end(s);
    if (*s == '.') {
        if (!digit(s[1]))
            return nullptr;
        s = digits_end(s + 1);
    }
    if (*s == 'e' || *s == 'E') {
        s += s[1] == '+' || s[1] == '-' ? 2 : 1;
        return digit(*s) ? digits_end(s) : nullptr;
    }
    return s;
}

// Puts 0 for each number; false: one of them is wrong. s ends with '\0'.
bool numbers_away(char *s, const char *end)
{
    while (s < end) {
        if (*s == '"') {
            for (s++; s < end && *s != '"'; s++)
                s += *s == '\\';
            s++;
        } else if (*s == '-' || digit(*s)) {
            char *to = number_end(s);
            if (to == nullptr || (to < end && std::strchr(",]} \t\r\n", *to) == nullptr))
                return false;
            std::memset(s, ' ', static_cast<size_t>(to - s));
            *s = '0';
            s = to;
        } else {
            s++;
        }
    }
    return true;
}

} // namespace

const char *records_fault(const char *p, size_t n)
{
    static thread_local checker c;
    if (n > capacity_max - simdjson::SIMDJSON_PADDING)
        return "the record is too large";
    if (c.size < n + simdjson::SIMDJSON_PADDING) {
        c.size = (n + simdjson::SIMDJSON_PADDING) * 2;
        c.padded.reset(new (std::nothrow) char[c.size]);
        if (c.padded == nullptr) {
            c.size = 0;
            return "no memory to check the record";
        }
    }
    std::memcpy(c.padded.get(), p, n);
    std::memset(c.padded.get() + n, 0, simdjson::SIMDJSON_PADDING);
    simdjson::dom::element e;
    auto error = c.parser.parse(c.padded.get(), n, false).get(e);
    // A number of more than 64 bits is JSON, and read as a double by the tests; but simdjson stops
    // at it, so that what is behind it is looked at without the numbers.
    if (error != simdjson::SUCCESS) {
        if (numbers_away(c.padded.get(), c.padded.get() + n))
            error = c.parser.parse(c.padded.get(), n, false).get(e);
        else if (error == simdjson::NUMBER_ERROR)
            return "a number that is not JSON";
    }
    return error == simdjson::SUCCESS ? nullptr : simdjson::error_message(error);
}
