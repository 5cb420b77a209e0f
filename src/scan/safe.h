/* safe.h: text from records made safe to print, open and view.
 *
 * Values in logs are chosen by whoever made the request. Control characters, those that turn the
 * direction of text, and what is not UTF-8 never reach a terminal, a spreadsheet or a page as they
 * are. Thread rule: pure functions. */
#ifndef WARD_SCAN_SAFE_H
#define WARD_SCAN_SAFE_H

#include "../core/buf.h"

void safe_text(struct buf *b, struct str s);          /* for a terminal: \x1b, \u202e */
size_t safe_width(struct str s);                      /* columns that safe_text() takes, about */
void safe_cell(struct buf *b, struct str s, size_t width); /* cut or padded to a width */
void safe_csv(struct buf *b, struct str s);           /* quoted; a formula gets a ' in front */
void safe_html(struct buf *b, struct str s);
void safe_json(struct buf *b, struct str s);          /* with its quotes; STR_NONE: null */

/* A valid JSON text on one line, with what is harmful escaped: it can only stand in strings. */
void safe_json_line(struct buf *b, struct str json);

#endif
