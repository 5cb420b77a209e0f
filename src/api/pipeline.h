/* pipeline.h: starting and stopping the API: what the program sees of src/api. */
#ifndef WARD_API_PIPELINE_H
#define WARD_API_PIPELINE_H

#include "api.h"

/* Checks every room's table (a row with a missing decision stops the start, naming it), starts the
 * rooms, the scheduler and the parking clock. `w` is filled but for scheduler. */
struct err *api_start(struct ward *w) MUST_CHECK;
/* Answers every parked call, and parks no more: before the HTTP server is stopped. */
void api_stop_parking(void);
/* Ends the jobs and the rooms: after the HTTP server has stopped. */
void api_stop(struct ward *w);

struct http_handler api_http_handler(struct ward *w);

/* One row for each operation of a room that has one: for coverage tables. */
void api_print_coverage(const struct ward *w, struct buf *out);

#endif
