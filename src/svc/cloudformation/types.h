/* types.h: resource types as data.
 *
 * A type is its properties, its attributes, and the steps (calls to other rooms) that make, change
 * and delete it. types_*.c hold the tables; steps.c carries them out; types.c finds them and
 * brings properties into their form. To add a type: one table, one line in types.c.
 *
 * The input of a step is JSON in which a string that begins with '$' is replaced:
 *   $id $name          the physical id; the name chosen for it before it was made
 *   $account $region $stack
 *   $location          the region, absent for us-east-1
 *   $token             the same for every try to make this resource: for ClientToken members
 *   $p.A.B             a property, with its renames applied (see struct prop); absent: left out
 *   $o.A.B             the same before the update
 *   $e, $e.A           the element at hand (step.each), as it stands in the template
 *   $a.X               an attribute saved before
 *   $tagmap            Tags as {key: value}        $zip  Code.ZipFile packed into an archive
 * and "%…" is the same as "$…" but gives an object as JSON text. "|text" behind it is the value
 * when it is absent. A string that begins with '=' is text in which <id>, <p.A>, … are replaced.
 * A nested object or list of which every replaced part is absent is left out itself; a member whose
 * key ends in '!' leaves its whole object out when it is absent.
 *
 * Thread rule: tables are immutable; a struct act belongs to one thread. */
#ifndef WARD_SVC_CLOUDFORMATION_TYPES_H
#define WARD_SVC_CLOUDFORMATION_TYPES_H

#include "api/api.h"

enum prop_type { P_STR = 1, P_INT, P_NUM, P_BOOL, P_JSON, P_LIST, P_OBJ, P_TAGS };
enum {
    P_REQUIRED = 1,
    P_REPLACE = 2, /* a change needs a new resource */
};

struct prop {
    const char *name; /* NULL ends the list */
    enum prop_type type;
    unsigned flags;
    /* Members within the value that the API calls by another name, blank-separated:
     * "Event=Events[]" (into a list of one), "S3Key=Key". */
    const char *rename;
    /* What the value, or each element of it, may hold, blank-separated, where the steps pick
     * members out of it. NULL: it is handed on whole, and the service's shape is the measure. */
    const char *members;
};

enum {
    ON_CREATE = 1,
    ON_UPDATE = 2, /* `when` or `each` changed */
    ON_GONE = 4,   /* `when` was there and is not, or an element of `each` is not */
    ON_DELETE = 8,
    /* Before making what the template names: success means that it is there (with `save`: if the
     * output has the first member of it). With `ignore` the caller may be denied it, since the
     * making itself refuses a name that is taken. */
    ON_PROBE = 16,
    ON_ADOPT = 32, /* after a try that a crash cut short turns out to have made it */
};

struct step {
    unsigned on;      /* 0 ends the list */
    const char *when; /* properties, blank-separated; NULL: always */
    const char *test; /* "+X": property X is true; "-X": it is false; "@X": attribute X is there */
    const char *each; /* a list property: once for each element */
    const char *key;  /* the member that tells elements apart; NULL: the whole element */
    const char *room, *op, *in;
    const char *save;   /* "Role.RoleId=RoleId;Role.Arn=Arn": output to attribute; "@id" sets $id;
                           what begins with '$' or '=' on the left is a replaced string */
    const char *ignore; /* error codes that are as good as success, blank-separated; "*": all */
    const char *exists; /* the error code that says: there is one already */
    const char *until;  /* "State.Name=running": ask again until the output says so */
};

struct attribute {
    const char *name; /* NULL ends the list */
    const char *value; /* "$a.Arn", "=arn:aws:s3:::<id>" */
};

enum name_style { NAME_NONE, NAME_ANY, NAME_LOWER };

struct rtype {
    const char *name;
    const struct prop *props;
    const struct step *steps;
    const struct attribute *attributes;
    const char *name_prop;      /* the property that gives the name; NULL: always made up */
    enum name_style name_style; /* NAME_NONE: the service allots the id */
    int name_max;
    const char *name_suffix;    /* "+FifoQueue=.fifo": behind a made-up name when the test holds */
    const char *ref;            /* Ref where it is not the physical id */
    bool iam;                   /* needs CAPABILITY_IAM, with a name CAPABILITY_NAMED_IAM */
};

extern const struct rtype *const types_kms[], *const types_s3[], *const types_messaging[],
    *const types_iam[], *const types_lambda[], *const types_logging[], *const types_vpc[],
    *const types_instance[];

const struct rtype *type_find(struct str name); /* NULL: unknown */
const struct prop *type_prop(const struct rtype *t, struct str name);
/* The call that makes it, if that takes a client token, so that making it again makes it once; else
 * NULL. */
const struct step *type_token_step(const struct rtype *t);

/* Properties as resolved from the template, brought into their declared types. Errors name what is
 * wrong: "Encountered unsupported property X", "Property X cannot be empty." */
struct err *type_props(struct arena *a, const struct rtype *t, const struct jv *given,
                       const struct jv *stack_tags, struct jv **out) MUST_CHECK;

enum type_change { CHANGE_NONE = 1, CHANGE_IN_PLACE, CHANGE_REPLACE };
enum type_change type_compare(const struct rtype *t, const struct jv *old, const struct jv *now);

/* One resource being worked on. */
struct act {
    struct arena *arena;         /* where what is saved lives */
    struct api_call as;          /* on whose behalf: all but the arena */
    const struct rtype *type;
    struct str account, region, stack_name;
    struct jv *row;              /* name, id, attrs, token, step: written here */
    const struct jv *props, *old; /* now and before the update; NULL: none */
    bool again;                  /* an earlier try was cut short */
    bool wait;                   /* out: not ready, call again later */
    struct err *(*save)(struct act *x); /* keeps the row after each step */
    void *ctx;
};
/* Carries out the steps of one phase (ON_…), from row.step on. */
struct err *act_run(struct act *x, unsigned phase) MUST_CHECK;
/* Finds the id of what a try that was cut short may have made: by its name, or by the client token
 * of the call, which is made again then. false: it is not there, or nobody can tell. */
struct err *act_find(struct act *x, bool *out_there) MUST_CHECK;
/* Whether the thing that the template names is there already (ON_PROBE). */
struct err *act_probe(struct act *x, bool *out_there) MUST_CHECK;
/* Ref (attr STR_NONE) and Fn::GetAtt. */
struct err *act_value(struct act *x, struct str attr, const struct jv **out) MUST_CHECK;

struct str zip_of_source(struct arena *a, struct str runtime, struct str handler,
                         struct str source);

/* To set members of rows. */
void put_s(struct arena *a, struct jv *o, const char *key, struct str v);
void put_i(struct arena *a, struct jv *o, const char *key, int64_t v);
void put_b(struct arena *a, struct jv *o, const char *key, bool v);
void put_v(struct arena *a, struct jv *o, const char *key, const struct jv *v); /* NULL: removes */

#endif
