/* Condition operators and keys.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/
 * reference_policies_elements_condition_operators.html and
 * reference_policies_condition-single-vs-multi-valued-context-keys.html */
#include "policy_internal.h"

#include "../core/clock.h"
#include "../core/enc.h"

#include <arpa/inet.h>

/* -- keys ------------------------------------------------------------------------------------- */

static struct str principal_type(enum principal_kind kind)
{
    switch (kind) {
    case PRINCIPAL_ANONYMOUS:
        return STR("Anonymous");
    case PRINCIPAL_ROOT:
        return STR("Account");
    case PRINCIPAL_USER:
        return STR("User");
    case PRINCIPAL_ROLE:
        return STR("AssumedRole");
    case PRINCIPAL_FEDERATED:
        return STR("FederatedUser");
    default:
        return STR("Service");
    }
}

/* What the principal itself says, for callers that do not spell these keys out. */
static struct str implied_key(const struct eval *e, struct str name)
{
    const struct principal *who = &e->r->who;
    struct str none = STR_NONE;
    if (str_is_i(name, "aws:PrincipalArn"))
        return who->arn.n > 0 ? who->arn : none;
    if (str_is_i(name, "aws:PrincipalAccount"))
        return who->account.n > 0 ? who->account : none;
    if (str_is_i(name, "aws:username"))
        return who->kind == PRINCIPAL_USER ? who->name : none;
    if (str_is_i(name, "aws:userid"))
        return who->user_id.n > 0 ? who->user_id : none;
    if (str_is_i(name, "aws:PrincipalType"))
        return principal_type(who->kind);
    if (str_is_i(name, "aws:PrincipalIsAWSService"))
        return who->kind == PRINCIPAL_SERVICE ? STR("true") : STR("false");
    if (str_is_i(name, "aws:PrincipalServiceName"))
        return who->kind == PRINCIPAL_SERVICE ? who->service : none;
    if (str_is_i(name, "aws:ResourceAccount")) {
        struct str owner = e->r->resource_account.n > 0 ? e->r->resource_account : who->account;
        return owner.n > 0 ? owner : none;
    }
    return none;
}

size_t eval_key(const struct eval *e, struct str name, struct str *scratch,
                const struct str **out_values)
{
    for (size_t i = 0; i < e->r->n_keys; i++) {
        const struct ctx_key *k = &e->r->keys[i];
        if (k->name.n == name.n && str_ieq(k->name, name)) {
            *out_values = k->values;
            return k->n;
        }
    }
    *scratch = name.n > 4 ? implied_key(e, name) : STR_NONE;
    *out_values = scratch;
    return scratch->p != NULL;
}

/* -- operators -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum cond_type type;
    enum cond_compare compare;
    bool negated, wild;
} operators[] = {
    {"StringEquals", COND_STRING, COMPARE_EQ, false, false},
    {"StringNotEquals", COND_STRING, COMPARE_EQ, true, false},
    {"StringEqualsIgnoreCase", COND_STRING_FOLD, COMPARE_EQ, false, false},
    {"StringNotEqualsIgnoreCase", COND_STRING_FOLD, COMPARE_EQ, true, false},
    {"StringLike", COND_STRING, COMPARE_EQ, false, true},
    {"StringNotLike", COND_STRING, COMPARE_EQ, true, true},
    {"NumericEquals", COND_NUMBER, COMPARE_EQ, false, false},
    {"NumericNotEquals", COND_NUMBER, COMPARE_EQ, true, false},
    {"NumericLessThan", COND_NUMBER, COMPARE_LT, false, false},
    {"NumericLessThanEquals", COND_NUMBER, COMPARE_LE, false, false},
    {"NumericGreaterThan", COND_NUMBER, COMPARE_GT, false, false},
    {"NumericGreaterThanEquals", COND_NUMBER, COMPARE_GE, false, false},
    {"DateEquals", COND_DATE, COMPARE_EQ, false, false},
    {"DateNotEquals", COND_DATE, COMPARE_EQ, true, false},
    {"DateLessThan", COND_DATE, COMPARE_LT, false, false},
    {"DateLessThanEquals", COND_DATE, COMPARE_LE, false, false},
    {"DateGreaterThan", COND_DATE, COMPARE_GT, false, false},
    {"DateGreaterThanEquals", COND_DATE, COMPARE_GE, false, false},
    {"Bool", COND_BOOL, COMPARE_EQ, false, false},
    {"BinaryEquals", COND_BINARY, COMPARE_EQ, false, false},
    {"IpAddress", COND_IP, COMPARE_EQ, false, false},
    {"NotIpAddress", COND_IP, COMPARE_EQ, true, false},
    {"ArnEquals", COND_ARN, COMPARE_EQ, false, true},
    {"ArnLike", COND_ARN, COMPARE_EQ, false, true},
    {"ArnNotEquals", COND_ARN, COMPARE_EQ, true, true},
    {"ArnNotLike", COND_ARN, COMPARE_EQ, true, true},
    {"Null", COND_NULL, COMPARE_EQ, false, false},
};

bool cond_operator(struct str name, struct cond *out)
{
    struct cond c = {.quantifier = FOR_ONE};
    ptrdiff_t colon = str_find_char(name, ':');
    if (colon >= 0) {
        struct str prefix = str_take(name, (size_t)colon);
        if (str_is_i(prefix, "ForAllValues"))
            c.quantifier = FOR_ALL_VALUES;
        else if (str_is_i(prefix, "ForAnyValue"))
            c.quantifier = FOR_ANY_VALUE;
        else
            return false;
        name = str_skip(name, (size_t)colon + 1);
    }
    struct str suffix = STR("IfExists");
    if (name.n > suffix.n && str_ieq(str_skip(name, name.n - suffix.n), suffix)) {
        c.if_exists = true;
        name = str_take(name, name.n - suffix.n);
    }
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (!str_is_i(name, operators[i].name))
            continue;
        c.type = operators[i].type;
        c.compare = operators[i].compare;
        c.negated = operators[i].negated;
        c.wild = operators[i].wild;
        *out = c;
        return c.type != COND_NULL || !c.if_exists;
    }
    return false;
}

/* -- values ----------------------------------------------------------------------------------- */

static bool parse_date(struct str s, int64_t *out_ms)
{
    int64_t seconds;
    if (str_to_i64(s, -62135596800, 253402300799, &seconds)) { /* years 1 to 9999 */
        *out_ms = seconds * 1000;
        return true;
    }
    return time_parse_iso8601(s, out_ms);
}

static bool parse_truth(struct str s, bool *out)
{
    bool yes = str_is_i(s, "true");
    if (!yes && !str_is_i(s, "false"))
        return false;
    *out = yes;
    return true;
}

/* An address or a CIDR block. IPv4 in IPv6's clothes (::ffff:0:0/96) counts as IPv4. */
static bool parse_cidr(struct str s, struct cidr *out)
{
    char text[INET6_ADDRSTRLEN];
    struct str bits = s, address = str_cut(&bits, '/');
    struct cidr c = {.v6 = str_find_char(address, ':') >= 0};
    if (address.n == 0 || address.n >= sizeof text)
        return false;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    if (inet_pton(c.v6 ? AF_INET6 : AF_INET, text, c.addr) != 1)
        return false;
    int64_t n = c.v6 ? 128 : 32;
    if (bits.p != NULL && !str_to_i64(bits, 0, n, &n))
        return false;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (c.v6 && n >= 96 && memcmp(c.addr, mapped, sizeof mapped) == 0) {
        memmove(c.addr, c.addr + 12, 4);
        c.v6 = false;
        n -= 96;
    }
    c.bits = (int)n;
    *out = c;
    return true;
}

bool cond_value(struct arena *a, const struct cond *c, struct str text, bool variables,
                union cond_value *out)
{
    unsigned flags = (variables ? GLOB_VARS : 0) | (c->wild ? GLOB_WILD : 0);
    switch (c->type) {
    case COND_STRING:
    case COND_STRING_FOLD:
        return glob_compile(a, text, flags, &out->glob);
    case COND_ARN:
        return arn_glob_compile(a, text, flags, &out->arn);
    case COND_NUMBER:
        return str_to_double(text, &out->number);
    case COND_DATE:
        return parse_date(text, &out->date_ms);
    case COND_BOOL:
    case COND_NULL:
        return parse_truth(text, &out->truth);
    case COND_BINARY: /* kept as text: strict base64 has one spelling for the same bytes */
        out->bytes = arena_str(a, text);
        return dec_base64(a, text, &text);
    case COND_IP:
        return parse_cidr(text, &out->net);
    }
    return false;
}

/* -- holding ---------------------------------------------------------------------------------- */

static bool ordered(enum cond_compare how, int sign)
{
    switch (how) {
    case COMPARE_EQ:
        return sign == 0;
    case COMPARE_LT:
        return sign < 0;
    case COMPARE_LE:
        return sign <= 0;
    case COMPARE_GT:
        return sign > 0;
    default:
        return sign >= 0;
    }
}

static bool in_net(const struct cidr *net, const struct cidr *address)
{
    if (net->v6 != address->v6 || net->bits > address->bits)
        return false;
    int whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(net->addr, address->addr, (size_t)whole) != 0)
        return false;
    return rest == 0 || ((net->addr[whole] ^ address->addr[whole]) >> (8 - rest)) == 0;
}

/* A request's value, read once in the operator's type. */
struct subject {
    struct str text;
    bool valid, is_arn;
    double number;
    int64_t date_ms;
    bool truth;
    struct cidr address;
    struct str part[ARN_PARTS];
};

static struct subject subject_of(const struct cond *c, struct str text)
{
    struct subject s;
    s.text = text;
    s.valid = true;
    s.is_arn = false;
    switch (c->type) {
    case COND_NUMBER:
        s.valid = str_to_double(text, &s.number);
        break;
    case COND_DATE:
        s.valid = parse_date(text, &s.date_ms);
        break;
    case COND_BOOL:
        s.valid = parse_truth(text, &s.truth);
        break;
    case COND_IP:
        s.valid = parse_cidr(text, &s.address);
        break;
    case COND_ARN:
        s.is_arn = arn_split(text, s.part);
        break;
    default:
        break;
    }
    return s;
}

static bool value_matches(const struct cond *c, const union cond_value *v, const struct subject *s,
                          const struct eval *e)
{
    switch (c->type) {
    case COND_STRING:
        return glob_match(&v->glob, s->text, e, false);
    case COND_STRING_FOLD:
        return glob_match(&v->glob, s->text, e, true);
    case COND_NUMBER:
        return ordered(c->compare, (s->number > v->number) - (s->number < v->number));
    case COND_DATE:
        return ordered(c->compare, (s->date_ms > v->date_ms) - (s->date_ms < v->date_ms));
    case COND_BOOL:
        return s->truth == v->truth;
    case COND_BINARY:
        return str_eq(s->text, v->bytes);
    case COND_IP:
        return in_net(&v->net, &s->address);
    case COND_ARN:
        return arn_glob_match(&v->arn, s->text, s->part, s->is_arn, e);
    default:
        return false;
    }
}

/* Whether the value equals (is like, is in …) one of the condition's. Negation is the caller's. */
static bool any_matches(const struct cond *c, struct str text, const struct eval *e)
{
    struct subject s = subject_of(c, text);
    for (size_t i = 0; s.valid && i < c->n; i++)
        if (value_matches(c, &c->v[i], &s, e))
            return true;
    return false;
}

static bool null_holds(const struct cond *c, bool missing)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->v[i].truth == missing)
            return true;
    return false;
}

bool cond_holds(const struct cond *c, const struct eval *e)
{
    struct str scratch;
    const struct str *values;
    size_t n = eval_key(e, c->key, &scratch, &values);
    if (c->type == COND_NULL)
        return null_holds(c, n == 0);
    if (n == 0) {
        if (c->quantifier == FOR_ONE)
            return c->negated || c->if_exists;
        return c->quantifier == FOR_ALL_VALUES || c->if_exists;
    }
    if (c->quantifier == FOR_ONE) {
        /* NotEquals with several values on either side: none of them may be equal. */
        for (size_t i = 0; i < n; i++)
            if (any_matches(c, values[i], e))
                return !c->negated;
        return c->negated;
    }
    bool all = c->quantifier == FOR_ALL_VALUES;
    if (n == 1 && values[0].n == 0) /* an empty string is an empty set, as AWS documents */
        return all;
    for (size_t i = 0; i < n; i++)
        if ((any_matches(c, values[i], e) != c->negated) != all)
            return !all;
    return all;
}
