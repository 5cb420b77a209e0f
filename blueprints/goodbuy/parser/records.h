/* records.h: the records of a CloudTrail log file, one by one as its text flows in.
 *
 * The text is {"Records":[{…},…]}, other members allowed. Only one value is in memory at a time.
 * Each is checked (RFC 8259, UTF-8, depth) before it is handed out; what is around them is checked
 * too, and records_end() tells whether the text was whole.
 *
 *     struct records r;
 *     records_init(&r, on_record, ctx);
 *     TRY(records_feed(&r, piece)); …
 *     TRY(records_end(&r));
 *
 * Errors: ERR_CORRUPT (not the JSON of a log file; says in which record), ERR_LIMIT (a value larger
 * than RECORD_MAX or nested too deeply, too many records), and what the callback returns. After an
 * error only records_clear() may follow. Thread rule: one thread at a time. */
#ifndef GOODBUY_RECORDS_H
#define GOODBUY_RECORDS_H

#include "core/buf.h"

enum {
    RECORD_MAX = 1024 * 1024, /* bytes; CloudTrail's own limit is 256 KB */
    RECORDS_MAX = 4 * 1024 * 1024,
    RECORDS_KEY_MAX = 256,
};

/* `raw` is one checked JSON object; `index` counts from 0. */
typedef struct err *records_callback(void *ctx, struct str raw, size_t index);

enum records_state {
    RS_START,      /* before the text's {                              */
    RS_FIRST_KEY,  /* behind it: a key or }                            */
    RS_KEY,        /* behind a comma: a key                            */
    RS_COLON,
    RS_VALUE,      /* the start of a member's value                    */
    RS_AFTER_VALUE, /* a comma or }                                    */
    RS_FIRST_ITEM, /* behind the [ of Records: a record or ]           */
    RS_ITEM,       /* behind a comma: a record                         */
    RS_AFTER_ITEM, /* a comma or ]                                     */
    RS_IN_STRING,  /* within a value that is being gathered            */
    RS_IN_CONTAINER,
    RS_IN_SCALAR,
    RS_DONE,       /* behind the text's }: blanks only                 */
};

struct records {
    records_callback *callback;
    void *ctx;
    struct buf value;           /* what is being gathered */
    enum records_state state;
    enum records_state within;  /* while gathering: RS_KEY, RS_VALUE or RS_ITEM */
    size_t depth;               /* of brackets in the value */
    bool in_string, escaped;
    bool key_is_records, saw_records;
    size_t count;
};

void records_init(struct records *r, records_callback *callback, void *ctx);
void records_clear(struct records *r);
struct err *records_feed(struct records *r, struct str text) MUST_CHECK;
struct err *records_end(struct records *r) MUST_CHECK;

#endif
