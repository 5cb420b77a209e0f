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
    // A whole number of more than 64 bits is valid JSON, and read as a double by the tests.
    if (error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR)
        return nullptr;
    return simdjson::error_message(error);
}
