/* A function for test_sns.py: writes each event to its log on one line and answers "ok". */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char in[8 * 1024 * 1024];

/* One request on a connection of its own; the answer is in `in`, its body is returned. */
static char *ask(const char *request)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    char host[64] = "";
    int port = 0;
    if (sscanf(getenv("AWS_LAMBDA_RUNTIME_API"), "%63[^:]:%d", host, &port) != 2)
        exit(1);
    at.sin_port = htons((unsigned short)port);
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1)
        exit(1);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0 || connect(s, (struct sockaddr *)&at, sizeof at) != 0 ||
        write(s, request, strlen(request)) < 0)
        exit(1);
    size_t n = 0, want = sizeof in - 1;
    while (n < want) {
        ssize_t r = read(s, in + n, sizeof in - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
        in[n] = '\0';
        char *end = strstr(in, "\r\n\r\n"), *length = strcasestr(in, "content-length:");
        if (end != NULL && length != NULL && length < end)
            want = (size_t)(end + 4 - in) + strtoul(length + 15, NULL, 10);
    }
    close(s);
    char *end = strstr(in, "\r\n\r\n");
    return end == NULL ? in : end + 4;
}

int main(void)
{
    char request[512], id[128];
    for (;;) {
        char *body = ask("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
        char *at = strcasestr(in, "lambda-runtime-aws-request-id:");
        if (at == NULL || sscanf(at + 30, " %127[^\r]", id) != 1)
            return 1;
        printf("%s\n", body);
        fflush(stdout);
        snprintf(request, sizeof request,
                 "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: 4\r\n\r\n\"ok\"",
                 id);
        ask(request);
    }
}
