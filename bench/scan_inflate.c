/* The limit that the scan is measured by: the files named on standard input, read and inflated with
 * libdeflate, nothing else. scan_inflate THREADS [sha] < names */
#include <fcntl.h>
#include <libdeflate.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { IN_MAX = 16 << 20, OUT_MAX = 64 << 20, NAMES_MAX = 1 << 20 };

static char *names[NAMES_MAX];
static int n_names;
static int with_sha;
static atomic_int next;
static atomic_llong total;

static void *work(void *arg)
{
    (void)arg;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    char *in = malloc(IN_MAX), *out = malloc(OUT_MAX);
    int i;
    while ((i = atomic_fetch_add(&next, 1)) < n_names) {
        int fd = open(names[i], O_RDONLY);
        ssize_t n = read(fd, in, IN_MAX);
        size_t made = 0;
        close(fd);
        libdeflate_gzip_decompress(d, in, n < 0 ? 0 : (size_t)n, out, OUT_MAX, &made);
        if (with_sha) {
            unsigned char sum[32];
            EVP_Digest(out, made, sum, NULL, EVP_sha256(), NULL);
        }
        atomic_fetch_add(&total, (long long)made);
    }
    free(in);
    free(out);
    libdeflate_free_decompressor(d);
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1;
    with_sha = argc > 2;
    char line[4096];
    while (n_names < NAMES_MAX && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        names[n_names++] = strdup(line);
    }
    struct timespec a, b;
    pthread_t t[64];
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < threads && i < 64; i++)
        pthread_create(&t[i], NULL, work, NULL);
    for (int i = 0; i < threads && i < 64; i++)
        pthread_join(t[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.4f %lld\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9,
           (long long)total);
    return 0;
}
