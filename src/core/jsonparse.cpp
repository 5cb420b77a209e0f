/* The only C++ in Ward: simdjson parses and validates, and its document is copied into our tree.
 * Nothing here throws: only the error-code half of simdjson's interface is used. */
#include <simdjson.h>

extern "C" {
#define _Noreturn [[noreturn]]
#include "jsonparse.h"
}

namespace {

using simdjson::dom::element;

/* A parser that grew beyond this is dropped after use, so that one big body does not leave its
 * memory (about twelve times its size) with every worker. */
constexpr size_t KEEP_BYTES = 1024 * 1024;

/* From this count on simdjson's array.size() is only a lower bound. */
constexpr size_t SIZE_SATURATED = 0xffffff;

class Walk
{
  public:
    Walk(struct arena *arena, char *strings, int depth_max)
        : a(arena), text(strings), max_depth(depth_max)
    {
    }

    json_dom value(const element &e, struct jv *out, int depth);

  private:
    struct arena *a;
    char *text; /* where the next string goes */
    int max_depth;

    struct str string(std::string_view s);
    template <typename T> T *room(size_t n);
    json_dom array(const simdjson::dom::array &arr, struct jv *out, int depth);
    json_dom object(const simdjson::dom::object &obj, struct jv *out, int depth);
};

struct str Walk::string(std::string_view s)
{
    struct str out = {text, s.size()};
    memcpy(text, s.data(), s.size());
    text[s.size()] = '\0';
    text += s.size() + 1;
    return out;
}

/* Not zeroed, as all of it is written; NULL if it would pass the arena's cap. */
template <typename T> T *Walk::room(size_t n)
{
    if (!arena_fits(a, n * sizeof(T)))
        return nullptr;
    return static_cast<T *>(arena_alloc_raw(a, n * sizeof(T)));
}

json_dom Walk::array(const simdjson::dom::array &arr, struct jv *out, int depth)
{
    size_t n = arr.size();
    if (depth > max_depth)
        return JSON_DOM_DEEP;
    if (n >= SIZE_SATURATED)
        return JSON_DOM_BIG;
    out->type = JV_ARR;
    out->arr = {nullptr, n};
    if (n == 0)
        return JSON_DOM_OK;
    struct jv *v = out->arr.v = room<struct jv>(n);
    if (v == nullptr)
        return JSON_DOM_MEMORY;
    for (element e : arr) {
        json_dom rc = value(e, v++, depth);
        if (rc != JSON_DOM_OK)
            return rc;
    }
    return JSON_DOM_OK;
}

json_dom Walk::object(const simdjson::dom::object &obj, struct jv *out, int depth)
{
    size_t n = obj.size();
    if (depth > max_depth)
        return JSON_DOM_DEEP;
    if (n >= SIZE_SATURATED)
        return JSON_DOM_BIG;
    out->type = JV_OBJ;
    out->obj = {nullptr, n};
    if (n == 0)
        return JSON_DOM_OK;
    struct jv_member *v = out->obj.v = room<struct jv_member>(n);
    if (v == nullptr)
        return JSON_DOM_MEMORY;
    for (simdjson::dom::key_value_pair member : obj) {
        v->key = string(member.key);
        json_dom rc = value(member.value, &v->value, depth);
        if (rc != JSON_DOM_OK)
            return rc;
        v++;
    }
    return JSON_DOM_OK;
}

/* `depth` counts the containers around the value. */
json_dom Walk::value(const element &e, struct jv *out, int depth)
{
    out->cap = 0;
    switch (e.type()) {
    case simdjson::dom::element_type::ARRAY:
        return array(e.get_array().value_unsafe(), out, depth + 1);
    case simdjson::dom::element_type::OBJECT:
        return object(e.get_object().value_unsafe(), out, depth + 1);
    case simdjson::dom::element_type::STRING:
        out->type = JV_STR;
        out->s = string(e.get_string().value_unsafe());
        break;
    case simdjson::dom::element_type::INT64:
        out->type = JV_INT;
        out->i = e.get_int64().value_unsafe();
        break;
    case simdjson::dom::element_type::UINT64:
        out->type = JV_NUM;
        out->d = static_cast<double>(e.get_uint64().value_unsafe());
        break;
    case simdjson::dom::element_type::DOUBLE:
        out->type = JV_NUM;
        out->d = e.get_double().value_unsafe();
        break;
    case simdjson::dom::element_type::BOOL:
        out->type = JV_BOOL;
        out->b = e.get_bool().value_unsafe();
        break;
    default:
        out->type = JV_NULL;
        out->i = 0;
        break;
    }
    return JSON_DOM_OK;
}

json_dom of_error(simdjson::error_code code)
{
    switch (code) {
    case simdjson::NUMBER_ERROR:
        return JSON_DOM_NUMBER;
    case simdjson::DEPTH_ERROR:
        return JSON_DOM_DEEP;
    case simdjson::CAPACITY:
    case simdjson::MEMALLOC:
        return JSON_DOM_BIG;
    default:
        return JSON_DOM_INVALID;
    }
}

} // namespace

extern "C" enum json_dom json_dom_parse(struct arena *a, struct str text, int max_depth,
                                        struct jv **out)
{
    static thread_local simdjson::dom::parser parser;

    /* A string with its NUL is never longer than it was with its quotes: one allocation holds all
     * strings of the document. */
    if (!arena_fits(a, text.n + sizeof(struct jv)))
        return JSON_DOM_MEMORY;
    element root;
    json_dom rc = JSON_DOM_OK;
    simdjson::error_code code = parser.parse(text.p, text.n).get(root);
    if (code != simdjson::SUCCESS) {
        rc = of_error(code);
    } else {
        struct jv *v = static_cast<struct jv *>(arena_alloc_raw(a, sizeof *v));
        Walk walk(a, static_cast<char *>(arena_alloc_raw(a, text.n)), max_depth);
        rc = walk.value(root, v, 0);
        if (rc == JSON_DOM_OK)
            *out = v;
    }
    if (parser.capacity() > KEEP_BYTES)
        parser = simdjson::dom::parser();
    return rc;
}
