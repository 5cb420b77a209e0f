/* output.h: findings as text. Thread rule: one thread. */
#ifndef WARD_SCAN_OUTPUT_H
#define WARD_SCAN_OUTPUT_H

#include "engine.h"

enum output_form { OUT_TABLE, OUT_JSONL, OUT_CSV, OUT_SARIF };

struct summary;

struct output {
    FILE *f;
    enum output_form form;
    const struct rules *rules;
    bool show;  /* the records too */
    bool color;
    bool first; /* SARIF: no comma yet */
    enum severity least;
    struct buf line;
    size_t width[6]; /* of the table's columns, as large as the findings seen need */
    bool failed;
};

/* "123456789012:user/eve" of an ARN: who, without what every ARN says. */
struct str output_short(struct str arn);
/* Makes the table's columns fit; those that are worth least go first. 0: any width will do. */
void output_fit(struct output *o, size_t columns);
void output_begin(struct output *o);
void output_finding(void *output, const struct finding *f);
void output_end(struct output *o);
const char *output_rule_color(const struct output *o, enum severity s);

/* -- the summary -- */
enum { TOP_KEYS_MAX = 50000, TOP_SHOWN = 10, DAYS_MAX = 8192 };

struct summary *summary_new(const struct rules *rs, enum severity least);
void summary_free(struct summary *s);
void summary_see(void *summary, const struct finding *f);
uint64_t summary_findings(const struct summary *s);
void summary_widths(const struct summary *s, size_t width[6]);
void summary_print(const struct summary *s, const struct engine *en, uint64_t doubles, FILE *f,
                   bool color, size_t columns);

/* -- the page: one file, no script, no address of another host -- */
struct page;
struct err *page_open(const char *path, const struct rules *rs, const struct summary *s,
                      const struct engine *en, enum severity least, struct page **out) MUST_CHECK;
void page_finding(void *page, const struct finding *f);
struct err *page_close(struct page *p) MUST_CHECK;

/* For the page and the terminal. */
struct top_row {
    struct str key;
    uint64_t n;
};
enum top_of { TOP_RULE, TOP_PRINCIPAL, TOP_ADDRESS, TOP_KINDS };
size_t summary_top(const struct summary *s, enum top_of of, struct top_row *out, size_t max);
/* Days from the first to the last, with their counts by severity; joined if there are more than
 * max. */
size_t summary_days(const struct summary *s, uint64_t (*out)[SEV_COUNT], size_t max, char from[16],
                    char to[16]);
uint64_t summary_by_severity(const struct summary *s, enum severity sev);
void time_of_finding(const struct finding *f, char out[40]);

#endif
