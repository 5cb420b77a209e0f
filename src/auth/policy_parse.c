/* From JSON to the compiled form, with every rule of the grammar checked.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html */
#include "policy_internal.h"

enum { POLICY_ARENA_MAX = 16 * 1024 * 1024, SID_MAX = 512, KEY_MAX = 512 };

struct parse {
    struct arena *a;       /* the policy's own */
    enum policy_kind kind;
    bool variables;        /* 2012-10-17 */
    size_t statement;      /* from 1, for messages */
    size_t values;         /* over all lists, so far */
};

#define NO_VENDOR "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."

static struct err *malformed(const char *text)
{
    return err_aws(400, "MalformedPolicyDocument", "%s", text);
}

/* AWS's words, then where and what. */
static struct err *syntax(const struct parse *p, const char *where, const char *what)
{
    if (p->statement == 0)
        return err_aws(400, "MalformedPolicyDocument", "Syntax errors in policy. %s: %s", where,
                       what);
    return err_aws(400, "MalformedPolicyDocument", "Syntax errors in policy. Statement %zu, %s: %s",
                   p->statement, where, what);
}

/* Every member is known and there once: a second one would be read by some and not by others. */
static struct err *check_members(const struct parse *p, const struct jv *obj, const char *where,
                                 const char *const *names, size_t n_names)
{
    for (size_t i = 0; i < obj->obj.n; i++) {
        bool known = n_names == 0;
        for (size_t k = 0; k < n_names && !known; k++)
            known = str_is(obj->obj.v[i].key, names[k]);
        if (!known)
            return syntax(p, where, "an element that policies do not have.");
        for (size_t k = 0; k < i; k++)
            if (str_eq(obj->obj.v[i].key, obj->obj.v[k].key))
                return syntax(p, where, "an element is there twice.");
    }
    return NULL;
}

/* A string, or a list of them, as a list. */
struct list {
    const struct jv *v;
    size_t n;
};

static struct err *list_of(struct parse *p, const struct jv *value, const char *where,
                           struct list *out)
{
    struct list l = {value, 1};
    if (jv_is(value, JV_ARR))
        l = (struct list){value->arr.v, value->arr.n};
    p->values += l.n;
    if (p->values > POLICY_VALUES_MAX)
        return syntax(p, where, "the policy holds more values than are allowed.");
    *out = l;
    return NULL;
}

static struct err *strings_of(struct parse *p, const struct jv *value, const char *where,
                              struct list *out)
{
    TRY(list_of(p, value, where, out));
    for (size_t i = 0; i < out->n; i++)
        if (!jv_is(&out->v[i], JV_STR))
            return syntax(p, where, "must be a string or a list of strings.");
    return NULL;
}

/* -- Action ----------------------------------------------------------------------------------- */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static struct err *check_action(const struct parse *p, struct str action)
{
    struct str name = action, vendor = str_cut(&name, ':');
    if (name.p == NULL)
        return malformed(NO_VENDOR);
    if (str_find_char(name, ':') >= 0)
        return malformed("Actions/Condition can contain only one colon.");
    bool valid = vendor.n > 0 && name.n > 0;
    for (size_t i = 0; i < vendor.n; i++)
        valid = valid && (is_alnum(vendor.p[i]) || vendor.p[i] == '-');
    if (!valid && !str_is(vendor, "*"))
        return err_aws(400, "MalformedPolicyDocument", "Vendor in statement %zu is not valid",
                       p->statement);
    for (size_t i = 0; i < name.n; i++)
        if (!is_alnum(name.p[i]) && memchr("*?-_", name.p[i], 4) == NULL)
            return syntax(p, "Action", "a character that no action has.");
    if (p->kind == POLICY_TRUST && !str_is_i(vendor, "sts"))
        return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
    return NULL;
}

static struct err *parse_actions(struct parse *p, const struct jv *st, struct statement *out)
{
    const struct jv *yes = jv_get(st, "Action"), *no = jv_get(st, "NotAction");
    if (yes == NULL && no == NULL)
        return malformed("Policy statement must contain actions.");
    if (yes != NULL && no != NULL)
        return syntax(p, "Action", "Action and NotAction exclude each other.");
    struct list l = {0};
    TRY(strings_of(p, yes != NULL ? yes : no, "Action", &l));
    if (l.n == 0)
        return malformed("Policy statement must contain actions.");
    struct glob *v = ARENA_ARRAY(p->a, l.n, struct glob);
    for (size_t i = 0; i < l.n; i++) {
        struct str action = l.v[i].s;
        if (str_is(action, "*") && p->kind != POLICY_TRUST)
            out->any_action = true;
        else
            TRY(check_action(p, action));
        if (!glob_compile(p->a, action, GLOB_WILD, &v[i]))
            return syntax(p, "Action", "malformed.");
    }
    out->not_action = no != NULL;
    out->actions = v;
    out->n_actions = l.n;
    return NULL;
}

/* -- Resource --------------------------------------------------------------------------------- */

static struct err *parse_resources(struct parse *p, const struct jv *st, struct statement *out)
{
    const struct jv *yes = jv_get(st, "Resource"), *no = jv_get(st, "NotResource");
    if (p->kind == POLICY_TRUST) {
        out->any_resource = true;
        return yes == NULL && no == NULL ? NULL : malformed("Has prohibited field Resource");
    }
    if (yes == NULL && no == NULL)
        return malformed("Policy statement must contain resources.");
    if (yes != NULL && no != NULL)
        return syntax(p, "Resource", "Resource and NotResource exclude each other.");
    struct list l = {0};
    TRY(strings_of(p, yes != NULL ? yes : no, "Resource", &l));
    if (l.n == 0)
        return malformed("Policy statement must contain resources.");
    struct arn_glob *v = ARENA_ARRAY(p->a, l.n, struct arn_glob);
    unsigned flags = GLOB_WILD | GLOB_FILL | (p->variables ? GLOB_VARS : 0);
    for (size_t i = 0; i < l.n; i++) {
        struct str resource = l.v[i].s;
        if (!str_is(resource, "*") && !str_starts_c(resource, "arn:"))
            return err_aws(400, "MalformedPolicyDocument",
                           "Resource in statement %zu must be in ARN format or \"*\".",
                           p->statement);
        if (!arn_glob_compile(p->a, resource, flags, &v[i]))
            return syntax(p, "Resource", "a policy variable is malformed.");
        out->any_resource = out->any_resource || v[i].any;
    }
    out->not_resource = no != NULL;
    out->resources = v;
    out->n_resources = l.n;
    return NULL;
}

/* -- Principal -------------------------------------------------------------------------------- */

static bool is_account(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.n == 12;
}

static bool aws_principal(struct arena *a, struct str s, struct who *out)
{
    struct str part[ARN_PARTS];
    struct str id = STR_NONE;
    if (str_is(s, "*")) {
        *out = (struct who){.kind = WHO_ANYONE};
        return true;
    }
    if (str_find_char(s, '*') >= 0 || str_find_char(s, '?') >= 0)
        return false; /* no part of a principal may be a wildcard */
    if (is_account(s)) {
        id = s;
    } else if (arn_split(s, part)) {
        bool iam = str_is(part[2], "iam"), sts = str_is(part[2], "sts");
        struct str name = part[5], type = str_cut(&name, '/');
        if (!str_starts_c(part[1], "aws") || part[3].n > 0 || !is_account(part[4]))
            return false;
        if (iam && str_is(part[5], "root"))
            id = part[4];
        else if (name.n == 0 ||
                 !((iam && (str_is(type, "user") || str_is(type, "role"))) ||
                   (sts && (str_is(type, "assumed-role") || str_is(type, "federated-user")))))
            return false;
    } else if (s.n < 16 || s.n > 128 || !(str_starts_c(s, "AIDA") || str_starts_c(s, "AROA"))) {
        return false;
    } else {
        *out = (struct who){.kind = WHO_ID, .text = arena_str(a, s)};
        return true;
    }
    *out = (struct who){.kind = id.p != NULL ? WHO_ACCOUNT : WHO_ARN,
                        .text = arena_str(a, id.p != NULL ? id : s)};
    return true;
}

static bool named_principal(struct arena *a, struct str type, struct str s, struct who *out)
{
    if (str_is(type, "AWS"))
        return aws_principal(a, s, out);
    enum who_kind kind = str_is(type, "Service")     ? WHO_SERVICE
                         : str_is(type, "Federated") ? WHO_FEDERATED
                                                     : WHO_CANONICAL;
    if (s.n == 0 || s.n > 2048)
        return false;
    if (kind == WHO_FEDERATED && str_is(s, "*")) {
        *out = (struct who){.kind = kind, .text = STR_NONE}; /* any identity provider */
        return true;
    }
    if (str_find_char(s, '*') >= 0 || (kind == WHO_SERVICE && str_find_char(s, '.') < 0))
        return false;
    *out = (struct who){.kind = kind, .text = arena_str(a, s)};
    return true;
}

static struct err *principal_object(struct parse *p, const struct jv *value, struct statement *out)
{
    static const char *const types[] = {"AWS", "Service", "Federated", "CanonicalUser"};
    TRY(check_members(p, value, "Principal", types, ARRAY_LEN(types)));
    struct list l[ARRAY_LEN(types)];
    size_t total = 0;
    for (size_t i = 0; i < value->obj.n; i++) {
        TRY(strings_of(p, &value->obj.v[i].value, "Principal", &l[i]));
        total += l[i].n;
        if (l[i].n == 0)
            return malformed("Invalid principal in policy");
    }
    if (total == 0)
        return malformed("Invalid principal in policy");
    struct who *v = ARENA_ARRAY(p->a, total, struct who);
    for (size_t i = 0; i < value->obj.n; i++)
        for (size_t k = 0; k < l[i].n; k++)
            if (!named_principal(p->a, value->obj.v[i].key, l[i].v[k].s,
                                 &v[out->n_principals++]))
                return malformed("Invalid principal in policy");
    out->principals = v;
    return NULL;
}

static struct err *parse_principals(struct parse *p, const struct jv *st, struct statement *out)
{
    const struct jv *yes = jv_get(st, "Principal"), *no = jv_get(st, "NotPrincipal");
    if (p->kind == POLICY_IDENTITY) {
        if (yes == NULL && no == NULL)
            return NULL;
        return malformed(yes != NULL ? "Has prohibited field Principal"
                                     : "Has prohibited field NotPrincipal");
    }
    if (p->kind == POLICY_TRUST && no != NULL)
        return malformed("Has prohibited field NotPrincipal");
    if (yes == NULL && no == NULL)
        return malformed("Missing required field Principal");
    if (yes != NULL && no != NULL)
        return syntax(p, "Principal", "Principal and NotPrincipal exclude each other.");
    if (no != NULL && !out->deny) /* it would allow everybody else in the world */
        return syntax(p, "NotPrincipal", "is allowed with Effect Deny only.");
    const struct jv *value = yes != NULL ? yes : no;
    out->has_principal = true;
    out->not_principal = no != NULL;
    if (jv_is(value, JV_OBJ))
        return principal_object(p, value, out);
    if (!str_is(jv_s(value), "*"))
        return malformed("Invalid principal in policy");
    struct who *anyone = ARENA_NEW(p->a, struct who);
    anyone->kind = WHO_ANYONE;
    out->principals = anyone;
    out->n_principals = 1;
    return NULL;
}

/* -- Condition -------------------------------------------------------------------------------- */

/* Numbers and booleans may stand without quotes. */
static bool value_text(struct arena *a, const struct jv *v, struct str *out)
{
    switch (v->type) {
    case JV_STR:
        *out = v->s;
        return true;
    case JV_BOOL:
        *out = v->b ? STR("true") : STR("false");
        return true;
    case JV_INT:
        *out = arena_fmt(a, "%lld", (long long)v->i);
        return true;
    case JV_NUM:
        *out = arena_fmt(a, "%.17g", v->d);
        return true;
    default:
        return false;
    }
}

static struct err *parse_condition(struct parse *p, const struct jv_member *m, struct cond *c)
{
    if (m->key.n == 0 || m->key.n > KEY_MAX || str_find_char(m->key, ':') < 0)
        return malformed(NO_VENDOR);
    struct list l = {0};
    TRY(list_of(p, &m->value, "Condition", &l));
    if (l.n == 0)
        return syntax(p, "Condition", "a list of values is empty.");
    c->key = arena_str(p->a, m->key);
    c->v = ARENA_ARRAY(p->a, l.n, union cond_value);
    c->n = l.n;
    for (size_t i = 0; i < l.n; i++) {
        struct str text;
        if (!value_text(p->a, &l.v[i], &text))
            return syntax(p, "Condition", "a value must be a string, a number or a boolean.");
        if (!cond_value(p->a, c, text, p->variables, &c->v[i]))
            return syntax(p, "Condition", "a value is not of its operator's type.");
    }
    return NULL;
}

static struct err *parse_conditions(struct parse *p, const struct jv *block, struct statement *out)
{
    if (block == NULL)
        return NULL;
    if (!jv_is(block, JV_OBJ))
        return syntax(p, "Condition", "must be an object.");
    TRY(check_members(p, block, "Condition", NULL, 0));
    size_t total = 0;
    for (size_t i = 0; i < block->obj.n; i++)
        total += jv_len(&block->obj.v[i].value);
    struct cond *v = ARENA_ARRAY(p->a, total + 1, struct cond);
    size_t n = 0;
    for (size_t i = 0; i < block->obj.n; i++) {
        const struct jv_member *m = &block->obj.v[i];
        struct cond c;
        if (!cond_operator(m->key, &c))
            return err_aws(400, "MalformedPolicyDocument",
                           "Invalid Condition type in statement %zu.", p->statement);
        if (!jv_is(&m->value, JV_OBJ))
            return syntax(p, "Condition", "an operator must hold an object of keys.");
        TRY(check_members(p, &m->value, "Condition", NULL, 0));
        for (size_t k = 0; k < m->value.obj.n; k++) {
            v[n] = c;
            TRY(parse_condition(p, &m->value.obj.v[k], &v[n++]));
        }
    }
    out->conditions = v;
    out->n_conditions = n;
    return NULL;
}

/* -- the whole -------------------------------------------------------------------------------- */

static struct err *parse_sid(const struct parse *p, const struct jv *sid)
{
    if (sid == NULL)
        return NULL;
    if (!jv_is(sid, JV_STR) || sid->s.n > SID_MAX)
        return syntax(p, "Sid", "must be a string.");
    for (size_t i = 0; p->kind == POLICY_IDENTITY && i < sid->s.n; i++)
        if (!is_alnum(sid->s.p[i]))
            return malformed("Statement IDs (SID) must be alpha-numeric. Check that your input "
                             "satisfies the regular expression [0-9A-Za-z]*");
    return NULL;
}

static struct err *parse_statement(struct parse *p, const struct jv *st, struct statement *out)
{
    static const char *const names[] = {"Sid",         "Effect",    "Principal",
                                        "NotPrincipal", "Action",    "NotAction",
                                        "Resource",    "NotResource", "Condition"};
    if (!jv_is(st, JV_OBJ))
        return syntax(p, "Statement", "must be an object.");
    TRY(check_members(p, st, "Statement", names, ARRAY_LEN(names)));
    TRY(parse_sid(p, jv_get(st, "Sid")));
    struct str effect = jv_s(jv_get(st, "Effect"));
    out->deny = str_is(effect, "Deny");
    if (!out->deny && !str_is(effect, "Allow"))
        return syntax(p, "Effect", "must be Allow or Deny.");
    TRY(parse_principals(p, st, out));
    TRY(parse_actions(p, st, out));
    TRY(parse_resources(p, st, out));
    return parse_conditions(p, jv_get(st, "Condition"), out);
}

static struct err *check_sids(const struct jv *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str sid = jv_s(jv_get(&v[i], "Sid"));
        for (size_t k = 0; k < i && sid.n > 0; k++)
            if (str_eq(sid, jv_s(jv_get(&v[k], "Sid"))))
                return malformed("Statement IDs (SID) in a single policy must be unique.");
    }
    return NULL;
}

static struct err *parse_document(struct parse *p, const struct jv *doc, struct policy *out)
{
    static const char *const names[] = {"Version", "Id", "Statement"};
    if (!jv_is(doc, JV_OBJ))
        return syntax(p, "Document", "must be a JSON object.");
    TRY(check_members(p, doc, "Document", names, ARRAY_LEN(names)));
    const struct jv *version = jv_get(doc, "Version"), *id = jv_get(doc, "Id");
    p->variables = str_is(jv_s(version), "2012-10-17");
    if (version != NULL && !p->variables && !str_is(jv_s(version), "2008-10-17"))
        return malformed("Policy document must be version 2012-10-17 or greater.");
    if (id != NULL && !jv_is(id, JV_STR))
        return syntax(p, "Id", "must be a string.");
    const struct jv *list = jv_get(doc, "Statement");
    struct list l = {list, list != NULL};
    if (jv_is(list, JV_ARR))
        l = (struct list){list->arr.v, list->arr.n};
    if (l.n == 0)
        return syntax(p, "Statement", "the policy must have one.");
    if (l.n > POLICY_STATEMENTS_MAX)
        return syntax(p, "Statement", "the policy has too many.");
    struct statement *v = ARENA_ARRAY(p->a, l.n, struct statement);
    for (size_t i = 0; i < l.n; i++) {
        p->statement = i + 1;
        TRY(parse_statement(p, &l.v[i], &v[i]));
    }
    out->v = v;
    out->n = l.n;
    return check_sids(l.v, l.n);
}

struct err *policy_compile(struct str json, enum policy_kind kind, struct policy **out)
{
    if (json.n > POLICY_TEXT_MAX)
        return err_aws(400, "MalformedPolicyDocument", "The policy is larger than %d bytes.",
                       POLICY_TEXT_MAX);
    struct arena *tree CLEANUP(arena_free_ptr) = arena_new(POLICY_ARENA_MAX);
    struct jv *doc;
    struct err *e = json_parse(tree, json, POLICY_DEPTH_MAX, &doc);
    if (e != NULL) {
        struct err *bad = err_aws(400, "MalformedPolicyDocument", "Syntax errors in policy. %s",
                                  e->message);
        err_free(e);
        return bad;
    }
    struct arena *a = arena_new(POLICY_ARENA_MAX);
    struct policy *p = ARENA_NEW(a, struct policy);
    atomic_init(&p->refs, 1);
    p->kind = kind;
    p->arena = a;
    struct parse state = {.a = a, .kind = kind};
    e = parse_document(&state, doc, p);
    if (e == NULL)
        e = arena_check(a);
    if (e != NULL) {
        arena_free(a);
        return e;
    }
    p->bytes = arena_used(a);
    *out = p;
    return NULL;
}

struct policy *policy_ref(struct policy *p)
{
    if (p != NULL)
        atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void policy_unref(struct policy *p)
{
    if (p != NULL && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        arena_free(p->arena); /* p lives in it */
}
