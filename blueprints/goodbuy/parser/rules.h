/* rules.h: the keyword configuration: which records raise an alert, and where it goes.
 *
 * The file is one JSON object, or a list of them:
 *     {"source": "<regex>", "regexp": "<regex>", "sns": {"region": "…", "topicARN": "…"}}
 * A record matches an entry when its eventSource matches `source` and its eventName matches
 * `regexp`, anywhere in the text, case-sensitively. Ours, and optional: "name" and "severity"
 * (texts that go into the alert), and in "sns" "topicARNs", a list in place of, or beside,
 * "topicARN". "region" may be left out; when it is there it must be the one that the ARN names.
 * Other members are ignored.
 *
 * Errors: ERR_INVALID with code InvalidConfiguration; the message names the entry by its place,
 * counted from 1, and by its name. Thread rule: loaded rules are immutable. */
#ifndef GOODBUY_RULES_H
#define GOODBUY_RULES_H

#include "core/arena.h"
#include "pattern.h"

enum {
    RULES_FILE_MAX = 1024 * 1024,
    RULES_MAX = 256,
    RULE_TOPICS_MAX = 8,
    RULE_NAME_MAX = 100, /* bytes, of a name or a severity */
    RULE_ARN_MAX = 320,
};

struct rule {
    struct str name, severity; /* STR_NONE: not given */
    struct pattern *source, *event;
    struct str topics[RULE_TOPICS_MAX];
    size_t n_topics;
};

struct rules {
    struct arena *arena; /* owns all of it, this struct too */
    struct rule *v;
    size_t n;
};

struct err *rules_load(struct str text, struct rules **out) MUST_CHECK;
void rules_free(struct rules *r); /* NULL is fine */

bool rule_matches(const struct rule *r, struct str event_source, struct str event_name);

#endif
