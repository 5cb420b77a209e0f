/* bench_store DIR [SECONDS]: durable commits a second by 1, 8 and 64 threads, one row of 416 bytes
 * each; gets a second; opening times and memory. Not a test: it judges nothing. */
#include "../../core/clock.h"
#include "../../crypto/crypto.h"
#include "../store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { ROW_BYTES = 416, THREADS_MAX = 64 };

static struct store *store;
static _Atomic bool stop;
static _Atomic long slowest_us;

struct worker {
    pthread_t id;
    int number;
    bool reads;
    long done;
    uint64_t rows; /* how many there are to read */
};

static void must(struct err *e)
{
    if (e == NULL)
        return;
    fprintf(stderr, "%s (%s)\n", e->message, e->detail);
    exit(1);
}

static uint64_t spread(uint64_t n)
{
    return n * 0x9e3779b97f4a7c15u;
}

static void commit_one(const struct worker *w, uint64_t n, const char *row)
{
    struct skey k = skey();
    key_u64(&k, spread(n));
    key_u32(&k, (uint32_t)w->number);
    struct txn *t;
    must(store_begin(store, TXN_WRITE, &t));
    must(txn_put(t, "bench", STR("123456789012/bench"), key_of(&k), str_of(row, ROW_BYTES)));
    int64_t from = clock_mono_us();
    must(txn_commit(&t));
    long took = (long)(clock_mono_us() - from), most = atomic_load(&slowest_us);
    while (took > most && !atomic_compare_exchange_weak(&slowest_us, &most, took))
        ;
}

static void get_one(uint64_t n, struct arena *a)
{
    struct skey k = skey();
    key_u64(&k, spread(n));
    key_u32(&k, 0);
    struct txn *t;
    struct str v;
    must(store_begin(store, TXN_READ, &t));
    must(txn_get(t, "bench", key_of(&k), a, &v));
    CHECK(v.n == ROW_BYTES);
    txn_abort(&t);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    char row[ROW_BYTES];
    memset(row, 'r', sizeof row);
    struct arena *a = arena_new(1 << 20);
    for (; !atomic_load(&stop); w->done++) {
        if (w->reads)
            get_one(spread((uint64_t)w->done + (uint64_t)w->number) % w->rows, a);
        else
            commit_one(w, (uint64_t)w->done, row);
        arena_reset(a);
    }
    arena_free(a);
    return NULL;
}

static long run(int threads, bool reads, uint64_t rows, int seconds, int first)
{
    static struct worker w[THREADS_MAX];
    atomic_store(&stop, false);
    atomic_store(&slowest_us, 0);
    int64_t from = clock_mono_us();
    for (int i = 0; i < threads; i++) {
        w[i] = (struct worker){.number = first + i, .reads = reads, .rows = rows};
        CHECK(pthread_create(&w[i].id, NULL, work, &w[i]) == 0);
    }
    sleep((unsigned)seconds);
    atomic_store(&stop, true);
    long done = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(w[i].id, NULL);
        done += w[i].done;
    }
    double took = (double)(clock_mono_us() - from) / 1e6;
    printf("%s by %2d: %8.0f a second, slowest %ld us\n", reads ? "gets   " : "commits", threads,
           (double)done / took, atomic_load(&slowest_us));
    return w[0].done;
}

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void open_timed(const char *dir, const struct secret *root, const char *what)
{
    struct store_options o = {.dir = dir, .root_key = root};
    long before = resident_kib();
    int64_t from = clock_mono_us();
    must(store_open(&o, &store));
    printf("%s: %.1f ms, memory %ld -> %ld KiB\n", what, (double)(clock_mono_us() - from) / 1e3,
           before, resident_kib());
}

static void close_timed(void)
{
    int64_t from = clock_mono_us();
    store_close(store);
    printf("close: %.1f ms, memory %ld KiB\n", (double)(clock_mono_us() - from) / 1e3,
           resident_kib());
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store DIR [SECONDS]\n");
        return 2;
    }
    int64_t seconds = 3;
    if (argc > 2 && !str_to_i64(str_c(argv[2]), 1, 600, &seconds))
        return 2;
    struct secret *root;
    must(crypto_init());
    must(secret_new(STR("a root key for benches, 32 bytes"), &root));
    open_timed(argv[1], root, "create");
    close_timed();
    open_timed(argv[1], root, "open empty");
    long rows = run(1, false, 0, (int)seconds, 0);
    run(8, false, 0, (int)seconds, 100);
    run(64, false, 0, (int)seconds, 200);
    run(1, true, (uint64_t)rows, (int)seconds, 0);
    run(2, true, (uint64_t)rows, (int)seconds, 0);
    printf("memory after: %ld KiB\n", resident_kib());
    close_timed();
    open_timed(argv[1], root, "open full");
    close_timed();
    secret_free(root);
    return 0;
}
