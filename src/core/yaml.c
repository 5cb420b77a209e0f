#include "yaml.h"

#include "map.h"

#include <yaml.h>

struct reader {
    struct arena *a;
    struct str text;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one; cleared by next_event */
    struct map anchors; /* name -> struct anchor */
    size_t nodes, aliases; /* with those that aliases stand for */
};

/* A finished node. `height` counts the containers in it, one within another. */
struct node {
    struct jv v;
    int height;
};

struct anchor {
    struct node node;
    size_t nodes, aliases; /* what one use of it counts */
};

/* What the first event of a node says; copied, as the event goes with the next one. */
struct head {
    struct str tag, anchor;
    yaml_mark_t mark;
    size_t nodes, aliases; /* the reader's counts before the node */
};

static struct err *fault(enum err_kind kind, yaml_mark_t mark, const char *what)
{
    return err_new(kind, "The YAML text is not accepted: %s at line %zu, column %zu.", what,
                   mark.line + 1, mark.column + 1);
}

/* libyaml gives no mark for bytes that are not UTF-8, but their offset. */
static yaml_mark_t mark_of_offset(struct str text, size_t offset)
{
    yaml_mark_t mark = {.index = offset};
    size_t start = 0;
    for (size_t i = 0; i < offset && i < text.n; i++) {
        if (text.p[i] == '\n') {
            mark.line++;
            start = i + 1;
        }
    }
    mark.column = str_utf8_count(str_take(str_skip(text, start), offset - start));
    return mark;
}

static struct err *next_event(struct reader *r)
{
    yaml_event_delete(&r->event);
    if (yaml_parser_parse(&r->parser, &r->event)) {
        if (arena_over(r->a))
            return arena_check(r->a);
        return NULL;
    }
    CHECK(r->parser.error != YAML_MEMORY_ERROR);
    const char *what = r->parser.problem == NULL ? "it cannot be read" : r->parser.problem;
    if (r->parser.error == YAML_READER_ERROR)
        return fault(ERR_INVALID, mark_of_offset(r->text, r->parser.problem_offset), what);
    return fault(ERR_INVALID, r->parser.problem_mark, what);
}

static struct err *too_deep(void)
{
    return err_new(ERR_LIMIT, "The YAML text nests deeper than %d levels.", (int)YAML_DEPTH_MAX);
}

static struct err *count_nodes(struct reader *r, size_t n)
{
    r->nodes += n;
    if (r->nodes > YAML_NODES_MAX)
        return err_new(ERR_LIMIT, "The YAML text has more than %d nodes.", (int)YAML_NODES_MAX);
    return NULL;
}

static struct head head_of(struct reader *r, const yaml_char_t *tag, const yaml_char_t *anchor)
{
    return (struct head){.tag = arena_str(r->a, str_c((const char *)tag)),
                         .anchor = arena_str(r->a, str_c((const char *)anchor)),
                         .mark = r->event.start_mark,
                         .nodes = r->nodes,
                         .aliases = r->aliases};
}

static void remember_anchor(struct reader *r, const struct head *h, const struct node *node)
{
    if (h->anchor.p == NULL)
        return;
    struct anchor *anchor = ARENA_NEW(r->a, struct anchor);
    anchor->node = *node;
    anchor->nodes = r->nodes - h->nodes;
    anchor->aliases = r->aliases - h->aliases;
    map_put(&r->anchors, h->anchor, anchor);
}

static struct err *follow_alias(struct reader *r, int depth, struct node *out)
{
    yaml_mark_t mark = r->event.start_mark;
    const struct anchor *anchor =
        map_get(&r->anchors, str_c((const char *)r->event.data.alias.anchor));
    if (anchor == NULL)
        return fault(ERR_INVALID, mark, "an alias without an anchor before it");
    r->aliases += 1 + anchor->aliases;
    if (r->aliases > YAML_ALIASES_MAX)
        return err_new(ERR_LIMIT, "The aliases of the YAML text expand more than %d times.",
                       (int)YAML_ALIASES_MAX);
    TRY(count_nodes(r, anchor->nodes));
    if (depth + anchor->node.height > YAML_DEPTH_MAX)
        return too_deep();
    *out = anchor->node;
    return NULL;
}

static bool is_one_of(struct str s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(s, words[i]))
            return true;
    return false;
}

static bool is_null_word(struct str s)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    return is_one_of(s, words, ARRAY_LEN(words));
}

static bool is_bool_word(struct str s, bool *out)
{
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                      "on",   "On",   "ON"};
    static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO",
                                     "off",   "Off",   "OFF"};
    *out = is_one_of(s, yes, ARRAY_LEN(yes));
    return *out || is_one_of(s, no, ARRAY_LEN(no));
}

/* A number only if JSON would spell it the same way: nothing of "1.10" or "007" is lost. */
static bool is_number(struct str s, struct jv *out)
{
    if (s.n == 0 || (s.p[0] != '-' && (s.p[0] < '0' || s.p[0] > '9')))
        return false;
    struct jv v = {.type = JV_INT};
    if (!str_to_i64(s, INT64_MIN, INT64_MAX, &v.i)) {
        v.type = JV_NUM;
        if (!str_to_double(s, &v.d))
            return false;
    }
    struct buf text = BUF_INIT(64);
    struct jw w = jw_to(&text);
    jw_value(&w, &v);
    bool same = str_eq(buf_view(&text), s);
    buf_clear(&text);
    if (same)
        *out = v;
    return same;
}

static struct jv plain_scalar(struct reader *r, struct str s)
{
    struct jv v = {.type = JV_NULL};
    bool b;
    if (is_null_word(s))
        return v;
    if (is_bool_word(s, &b)) {
        v.type = JV_BOOL;
        v.b = b;
        return v;
    }
    if (is_number(s, &v))
        return v;
    v.type = JV_STR;
    v.s = arena_str(r->a, s);
    return v;
}

#define YAML_ORG "tag:yaml.org,2002:"

/* A scalar with one of YAML's own tags must be of the type that it says. */
static struct err *typed_scalar(const struct head *h, struct str s, struct jv *v)
{
    struct str type = str_skip(h->tag, strlen(YAML_ORG));
    bool right, b;
    double d;
    if (str_is(type, "null")) {
        right = is_null_word(s);
        *v = (struct jv){.type = JV_NULL};
    } else if (str_is(type, "bool")) {
        right = is_bool_word(s, &b);
        *v = (struct jv){.type = JV_BOOL, .b = b};
    } else if (str_is(type, "int")) {
        v->type = JV_INT;
        right = str_to_i64(s, INT64_MIN, INT64_MAX, &v->i);
    } else if (str_is(type, "float")) {
        right = str_to_double(s, &d);
        *v = (struct jv){.type = JV_NUM, .d = right ? d : 0};
    } else {
        return fault(ERR_INVALID, h->mark, "a tag that is not supported");
    }
    return right ? NULL : fault(ERR_INVALID, h->mark, "a value that is not of its tag's type");
}

/* The CloudFormation template reference, "Intrinsic functions" and "Rule-specific intrinsic
 * functions" (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/). */
static const char *const functions[] = {
    "And",         "Base64",           "Cidr",         "Equals", "FindInMap",    "GetAZs",
    "GetAtt",      "If",               "ImportValue",  "Join",   "Length",       "Not",
    "Or",          "Select",           "Split",        "Sub",    "ToJsonString", "Transform",
    "Contains",    "EachMemberEquals", "EachMemberIn", "RefAll", "ValueOf",      "ValueOfAll",
};

static bool is_short_tag(struct str tag)
{
    return tag.n > 1 && tag.p[0] == '!';
}

/* {"<long form>": value} */
static struct err *apply_short_tag(struct reader *r, const struct head *h, struct node *node)
{
    struct str name = str_skip(h->tag, 1), key;
    if (str_is(name, "Ref") || str_is(name, "Condition"))
        key = name;
    else if (is_one_of(name, functions, ARRAY_LEN(functions)))
        key = arena_concat(r->a, STR("Fn::"), name);
    else
        return fault(ERR_INVALID, h->mark, "a tag that CloudFormation does not have");
    if (str_is(name, "GetAtt") && node->v.type == JV_STR) {
        struct str attribute = node->v.s, resource = str_cut(&attribute, '.');
        if (resource.n == 0 || attribute.n == 0)
            return fault(ERR_INVALID, h->mark, "a !GetAtt that is not of the form Name.Attribute");
        node->v = *jv_new_arr(r->a);
        jv_push(r->a, &node->v, jv_new_str(r->a, resource));
        jv_push(r->a, &node->v, jv_new_str(r->a, attribute));
        node->height = 1;
    }
    struct jv *obj = jv_new_obj(r->a);
    jv_set(r->a, obj, key, &node->v);
    node->v = *obj;
    node->height++;
    return NULL;
}

static struct err *read_scalar(struct reader *r, int depth, struct node *out)
{
    struct head h = head_of(r, r->event.data.scalar.tag, r->event.data.scalar.anchor);
    struct str s = str_of(r->event.data.scalar.value, r->event.data.scalar.length);
    struct node node = {.v = {.type = JV_STR}};
    TRY(count_nodes(r, 1));
    if (h.tag.p == NULL && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        node.v = plain_scalar(r, s);
    else if (h.tag.p == NULL || h.tag.p[0] == '!' || str_is(h.tag, YAML_ORG "str"))
        node.v.s = arena_str(r->a, s);
    else if (str_starts_c(h.tag, YAML_ORG))
        TRY(typed_scalar(&h, s, &node.v));
    else
        return fault(ERR_INVALID, h.mark, "a tag that is not supported");
    if (is_short_tag(h.tag))
        TRY(apply_short_tag(r, &h, &node));
    if (depth + node.height > YAML_DEPTH_MAX)
        return too_deep();
    remember_anchor(r, &h, &node);
    *out = node;
    return NULL;
}

static struct err *read_node(struct reader *r, int depth, struct node *out);

/* The tag of a container that is not `own` ("seq" or "map") nor of CloudFormation. */
static struct err *check_container_tag(const struct head *h, const char *own)
{
    if (h->tag.p == NULL || h->tag.p[0] == '!' || str_is(h->tag, own))
        return NULL;
    return fault(ERR_INVALID, h->mark, "a tag that is not supported");
}

/* What is left to do when the elements have been read. */
static struct err *finish_container(struct reader *r, const struct head *h, int depth,
                                    struct node *node)
{
    if (is_short_tag(h->tag))
        TRY(apply_short_tag(r, h, node));
    if (depth + node->height > YAML_DEPTH_MAX)
        return too_deep();
    remember_anchor(r, h, node);
    return NULL;
}

static struct err *read_sequence(struct reader *r, int depth, struct node *out)
{
    struct head h =
        head_of(r, r->event.data.sequence_start.tag, r->event.data.sequence_start.anchor);
    TRY(check_container_tag(&h, YAML_ORG "seq"));
    TRY(count_nodes(r, 1));
    VEC(struct jv) items = {0};
    struct node node = {.v = {.type = JV_ARR}, .height = 1};
    for (;;) {
        TRY(next_event(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        struct node item;
        TRY(read_node(r, depth + 1, &item));
        VEC_PUSH(r->a, &items, item.v);
        if (item.height + 1 > node.height)
            node.height = item.height + 1;
    }
    node.v.arr.v = items.v;
    node.v.arr.n = items.n;
    TRY(finish_container(r, &h, depth, &node));
    *out = node;
    return NULL;
}

/* A mapping while it is read. */
struct mapping {
    VEC(struct jv_member) members;
    struct map seen; /* its keys */
    bool has_merge;
    struct node merge;
};

static void mapping_clear(struct mapping *m)
{
    map_clear(&m->seen);
}

static void add_member(struct reader *r, struct mapping *m, struct str key, const struct jv *v)
{
    static char here;
    struct jv_member member = {.key = key, .value = *v};
    map_put(&m->seen, key, &here);
    VEC_PUSH(r->a, &m->members, member);
}

/* The current event as a key. "<<" in plain style is the merge key: *out_key is STR_NONE then. */
static struct err *read_key(struct reader *r, struct str *out_key)
{
    struct node node;
    yaml_mark_t mark = r->event.start_mark;
    if (r->event.type == YAML_ALIAS_EVENT) {
        TRY(follow_alias(r, 0, &node));
    } else if (r->event.type == YAML_SCALAR_EVENT) {
        struct head h = head_of(r, r->event.data.scalar.tag, r->event.data.scalar.anchor);
        struct str s = str_of(r->event.data.scalar.value, r->event.data.scalar.length);
        bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && h.tag.p == NULL;
        if (h.tag.p != NULL && !str_is(h.tag, "!") && !str_is(h.tag, YAML_ORG "str"))
            return fault(ERR_INVALID, mark, "a key with a tag");
        if (plain && s.n == 0)
            return fault(ERR_INVALID, mark, "an empty key");
        TRY(count_nodes(r, 1));
        if (plain && str_is(s, "<<")) {
            *out_key = STR_NONE;
            return NULL;
        }
        node = (struct node){.v = {.type = JV_STR, .s = arena_str(r->a, s)}};
        remember_anchor(r, &h, &node);
    } else {
        node.v.type = JV_NULL;
    }
    if (node.v.type != JV_STR)
        return fault(ERR_INVALID, mark, "a key that is not a string");
    *out_key = node.v.s;
    return NULL;
}

static void merge_one(struct reader *r, struct mapping *m, const struct jv *from)
{
    for (size_t i = 0; i < from->obj.n; i++)
        if (map_get(&m->seen, from->obj.v[i].key) == NULL)
            add_member(r, m, from->obj.v[i].key, &from->obj.v[i].value);
}

/* https://yaml.org/type/merge.html: keys of the mapping itself win, then earlier sources. */
static struct err *merge(struct reader *r, struct mapping *m, yaml_mark_t mark)
{
    const struct jv *from = &m->merge.v;
    if (from->type == JV_OBJ) {
        merge_one(r, m, from);
        return NULL;
    }
    for (size_t i = 0; i < jv_len(from); i++)
        if (!jv_is(jv_at(from, i), JV_OBJ))
            return fault(ERR_INVALID, mark, "a merge key whose value is not a mapping");
    if (from->type != JV_ARR)
        return fault(ERR_INVALID, mark, "a merge key whose value is not a mapping");
    for (size_t i = 0; i < from->arr.n; i++)
        merge_one(r, m, &from->arr.v[i]);
    return NULL;
}

static struct err *read_mapping(struct reader *r, int depth, struct node *out)
{
    struct head h =
        head_of(r, r->event.data.mapping_start.tag, r->event.data.mapping_start.anchor);
    TRY(check_container_tag(&h, YAML_ORG "map"));
    TRY(count_nodes(r, 1));
    CLEANUP(mapping_clear) struct mapping m = {.seen = MAP_INIT};
    struct node node = {.v = {.type = JV_OBJ}, .height = 1};
    yaml_mark_t merge_mark = h.mark;
    for (;;) {
        TRY(next_event(r));
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        yaml_mark_t mark = r->event.start_mark;
        struct str key;
        struct node value;
        TRY(read_key(r, &key));
        bool merges = key.p == NULL;
        if (merges ? m.has_merge : map_get(&m.seen, key) != NULL)
            return fault(ERR_INVALID, mark, "a duplicate key");
        TRY(next_event(r));
        TRY(read_node(r, depth + 1, &value));
        if (merges) {
            m.has_merge = true;
            m.merge = value;
            merge_mark = mark;
        } else {
            add_member(r, &m, key, &value.v);
        }
        if (value.height + 1 > node.height)
            node.height = value.height + 1;
    }
    if (m.has_merge)
        TRY(merge(r, &m, merge_mark));
    node.v.obj.v = m.members.v;
    node.v.obj.n = m.members.n;
    TRY(finish_container(r, &h, depth, &node));
    *out = node;
    return NULL;
}

/* The node whose first event is the current one. `depth` counts the containers around it. */
static struct err *read_node(struct reader *r, int depth, struct node *out)
{
    if (depth > YAML_DEPTH_MAX)
        return too_deep();
    switch (r->event.type) {
    case YAML_ALIAS_EVENT:
        return follow_alias(r, depth, out);
    case YAML_SCALAR_EVENT:
        return read_scalar(r, depth, out);
    case YAML_SEQUENCE_START_EVENT:
        return read_sequence(r, depth, out);
    case YAML_MAPPING_START_EVENT:
        return read_mapping(r, depth, out);
    default:
        return fault(ERR_INVALID, r->event.start_mark, "a value is missing");
    }
}

static struct err *read_stream(struct reader *r, struct node *out)
{
    TRY(next_event(r)); /* the start of the stream */
    TRY(next_event(r));
    if (r->event.type != YAML_DOCUMENT_START_EVENT)
        return err_new(ERR_INVALID, "The YAML text is empty.");
    TRY(next_event(r));
    TRY(read_node(r, 0, out));
    TRY(next_event(r)); /* the end of the document */
    TRY(next_event(r));
    if (r->event.type != YAML_STREAM_END_EVENT)
        return fault(ERR_INVALID, r->event.start_mark, "a second document");
    return arena_check(r->a);
}

struct err *yaml_parse(struct arena *a, struct str text, struct jv **out)
{
    if (str_starts(text, STR("\xef\xbb\xbf"))) /* libyaml skips it only when it guesses encodings */
        text = str_skip(text, 3);
    struct reader r = {.a = a, .text = text, .anchors = MAP_INIT};
    CHECK(yaml_parser_initialize(&r.parser));
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.n == 0 ? "" : text.p),
                                 text.n);
    struct node node;
    struct err *e = read_stream(&r, &node);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    map_clear(&r.anchors);
    if (e != NULL)
        return e;
    *out = ARENA_NEW(a, struct jv);
    **out = node.v;
    return NULL;
}
