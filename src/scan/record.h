/* record.h: one CloudTrail record as it stands in the text, read as little as possible.
 *
 * record_walk() finds where a record ends and, on the way, its top members and the few values that
 * rules are indexed by. record_get() reads any other path when a rule asks, once for each record.
 * A name that stands twice in an object has all its values, so that a second eventName can hide
 * nothing. Thread rule: one thread at a time for each struct record. */
#ifndef WARD_SCAN_RECORD_H
#define WARD_SCAN_RECORD_H

#include "../core/arena.h"
#include "split.h"

enum { RECORD_DEPTH_MAX = 128, RECORD_TOP_MAX = 96, PATH_MAX_COUNT = 8192, VALUES_MAX = 4096 };

/* The values that records are told apart by first. The order is that of the tuple cache. */
enum slot { SLOT_SOURCE, SLOT_NAME, SLOT_ERROR, SLOT_TYPE, SLOT_IDENTITY, SLOT_TUPLE,
            SLOT_TIME = SLOT_TUPLE, SLOT_ID, SLOT_REGION, SLOT_ACCOUNT, SLOT_ADDRESS, SLOT_AGENT,
            SLOT_STAMP, /* "@timestamp" of exports to log stores, where eventTime was dropped */
            SLOT_COUNT };

struct field {
    uint32_t key, key_n;
    uint32_t val, val_n;
    uint32_t at;   /* of a container: its index in split.at */
    uint32_t hash; /* of the name, its escapes decoded */
};

enum val_kind { VAL_NONE, VAL_STR, VAL_NUM, VAL_TRUE, VAL_FALSE, VAL_NULL, VAL_OBJ, VAL_ARR };

struct val {
    enum val_kind kind;
    struct str s; /* VAL_STR: decoded; else the raw text */
    uint32_t at;
};

struct vals {
    uint32_t gen;
    uint32_t n;
    struct val *v;
    bool present; /* something stood there, if only an empty list */
    bool spread;  /* a list of objects was walked through */
    struct val one; /* where v points if there is one */
};

/* -- paths -- */
enum path_kind { PATH_ROOT, PATH_KEY, PATH_INDEX, PATH_VIRTUAL };
enum { PATH_ANY = 1 << 30 }; /* as an index: whichever member of an object */
enum virtual_kind { VIRT_SOURCE, VIRT_DETAIL_TYPE, VIRT_VERSION, VIRT_COUNT };

struct path {
    enum path_kind kind;
    uint32_t parent;
    struct str key;
    uint32_t hash, next; /* of the key; the next path of the same place in the table, + 1 */
    uint32_t index;
    bool spread; /* lists are looked through: any of the elements */
    int slot;    /* of a SLOT_ value, or -1 */
    struct str text;
};

enum { PATH_TABLE = 4096 };

struct paths {
    struct arena *a;
    struct path *v;
    uint32_t n, cap;
    uint32_t *heads;
};

void paths_init(struct paths *ps, struct arena *a);
/* Interned: the same path has one number. UINT32_MAX when there are PATH_MAX_COUNT. */
uint32_t path_key(struct paths *ps, uint32_t parent, struct str key, bool spread);
uint32_t path_index(struct paths *ps, uint32_t parent, uint32_t index);
uint32_t path_virtual(struct paths *ps, enum virtual_kind kind);
uint32_t path_dotted(struct paths *ps, struct str dotted, bool spread);

/* -- records -- */
enum { RECORD_OBJECTS = 64, RECORD_NAMES = 64, RECORD_FIELDS_KEPT = 16384 };

struct object { /* one whose members were read */
    uint32_t walk, at;
    uint32_t from, n; /* in record.fields */
    uint32_t end;     /* the index of its closing brace; 0: broken inside */
};

struct slot_name {
    struct str key;
    uint32_t hash;
    enum slot slot;
};

/* A name that stood in the records before, where the next one will have it too: 6 to 21 bytes, told
 * apart by three words of it, with its quotes and the colon. */
struct guess {
    uint64_t head, mid, tail;
    uint32_t n, hash; /* n: with the quotes */
    uint32_t mid_at;
    int slot;   /* -1: none; SLOT_IDENTITY: "userIdentity" */
    bool asked; /* some path begins with it: else it need not be kept */
};

enum { RECORD_GUESSES = 48, GUESS_AHEAD = 4, RECORD_KNOWN = 8, RECORD_KNOWN_BYTES = 1000 };

/* A userIdentity of the records before: what makes a call makes more of them. */
struct identity {
    uint64_t id;           /* no other text has it, of any record */
    uint32_t n, structure; /* bytes, and how many of split.at they have; 0: free */
    uint32_t type, type_n; /* the value of "type"; 0: none */
    char text[RECORD_KNOWN_BYTES];
};

struct record {
    const char *p; /* the text that was split */
    const struct split *sp;
    size_t first, last; /* its braces, in split.at */
    struct field top[RECORD_TOP_MAX + 1]; /* those that paths begin with, and some others */
    uint32_t n_top;
    struct str slot[SLOT_COUNT]; /* raw strings; STR_NONE: not there */
    bool odd;       /* escapes, doubles or other types among the tuple: no short cuts */
    bool duplicate; /* a slot's name stands twice */
    struct field *fields; /* of the objects that were looked into */
    size_t n_fields, fields_cap;
    uint32_t walks; /* which record the objects are of */
    struct object objects[RECORD_OBJECTS];
    struct slot_name names[RECORD_NAMES]; /* by hash */
    struct guess guesses[RECORD_GUESSES + GUESS_AHEAD]; /* in the order of the records */
    uint32_t n_guesses, guesses_for; /* made for so many paths */
    struct identity known[RECORD_KNOWN];
    uint32_t known_next;
    const struct identity *known_identity; /* this record's; NULL: none of them */
    uint32_t known_at;                  /* where it stands */
    const struct paths *paths;
    struct vals *memo; /* one for each path */
    uint32_t memo_n, gen;
    struct arena *a; /* for decoded text; reset with each record that needs it */
};

enum walk { WALK_OK, WALK_MORE, WALK_BAD, WALK_RECORDS };

/* From the brace at split.at[i]. At WALK_OK r->last is the index of its end. With `top`, a member
 * "Records" that is a list ends the walk: *out_i is the list's index. WALK_BAD: *out_why says why,
 * *out_at where. */
enum walk record_walk(struct record *r, const char *p, const struct split *sp, size_t i, bool top,
                      size_t *out_i, const char **out_why, size_t *out_at);

struct str record_text(const struct record *r);
/* The same with the escapes of its strings decoded; of no use but to look for words in it. */
struct str record_text_decoded(struct record *r);
struct str record_unescape(struct record *r, struct str raw);
void record_init(struct record *r, const struct paths *paths);
void record_clear(struct record *r);
/* Forgets what was read of the record before. */
void record_next(struct record *r);
const struct vals *record_get(struct record *r, uint32_t path);
/* The elements of a list, and the members of an object that have the name, one after another as
 * they stand; *at begins at 0. false: no more. */
bool record_element(struct record *r, const struct val *list, size_t *at, struct val *out);
bool record_member(struct record *r, const struct val *obj, struct str key, size_t *at,
                   struct val *out);
/* The first value of a path as text, STR_NONE if it is not there or a container. */
struct str record_str(struct record *r, uint32_t path);

/* A slot's text with its escapes decoded. */
struct str record_slot(struct record *r, enum slot slot);

/* "aws.iam" of iam.amazonaws.com; and EventBridge's detail-type. In r->a. */
struct str record_virtual(struct record *r, enum virtual_kind kind);

#endif
