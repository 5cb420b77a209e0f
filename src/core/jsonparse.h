/* jsonparse.h: simdjson for json.c, and the search for what is wrong where. Private to core/json.
 *
 * Thread rule: safe from any thread; each keeps a parser of its own. */
#ifndef WARD_CORE_JSONPARSE_H
#define WARD_CORE_JSONPARSE_H

#include "json.h"

enum json_dom {
    JSON_DOM_OK,
    JSON_DOM_INVALID,
    JSON_DOM_NUMBER, /* maybe only an integer of more than 64 bits, which simdjson does not take */
    JSON_DOM_DEEP,
    JSON_DOM_BIG,
    JSON_DOM_MEMORY,
};

enum json_dom json_dom_parse(struct arena *a, struct str text, int max_depth, struct jv **out);

/* Finds the first fault in text that did not parse. *out_at is its offset; the answer says what is
 * wrong. "" means that containers nest deeper than max_depth first, NULL that no fault was found.
 */
const char *json_fault(struct str text, int max_depth, size_t *out_at);

#endif
