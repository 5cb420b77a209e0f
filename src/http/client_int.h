/* client_int.h: what client.c and mail.c share: one libcurl handle for each thread. */
#ifndef WARD_HTTP_CLIENT_INT_H
#define WARD_HTTP_CLIENT_INT_H

#include "client.h"

#include <curl/curl.h>

/* This thread's handle, its options at their defaults; its open connections are kept. */
CURL *client_handle(void) __attribute__((returns_nonnull));

/* Runs the transfer, with the trust that SSL_CERT_FILE adds. Errors: as in client.h. */
struct err *client_perform(CURL *h) MUST_CHECK;

#endif
