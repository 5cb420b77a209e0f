/* aws_int.h: what aws_keys.c and aws_send.c share. */
#ifndef WARD_CLI_AWS_INT_H
#define WARD_CLI_AWS_INT_H

#include "aws.h"

#include <pthread.h>

/* Waits; false: told to stop. */
bool aws_wait(struct aws *w, int64_t ms);

#endif
