/* The store on disk: keys and locks at the door, nothing in clear text, damage found out, kill -9,
 * and full disks. Children are this program again (fork alone would leave them without RocksDB's
 * threads). */
#include "fixture.h"

#include "../engine.h"
#include "../files.h"
#include "../keyfile.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int set_up(void **state)
{
    *state = fixture_new(true);
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(rand_u64() % n);
}

/* -- at the door ------------------------------------------------------------------------------- */

static void test_wrong_root_key(void **state)
{
    struct fixture *f = *state;
    put(f, "t", "k", "v");
    close_store(f);
    struct secret *wrong, *short_one;
    OK(secret_new(STR("another root key, also 32 bytes."), &wrong));
    OK(secret_new(STR("too short"), &short_one));
    struct store_options o = {.dir = f->dir, .root_key = wrong};
    struct store *s = NULL;
    struct err *e = store_open(&o, &s);
    assert_true(err_is(e, ERR_DENIED));
    assert_non_null(strstr(e->message, "not the one this store was made with"));
    err_free(e);
    o.root_key = short_one;
    assert_kind(store_open(&o, &s), ERR_INVALID);
    o.root_key = NULL;
    assert_kind(store_open(&o, &s), ERR_INVALID);
    assert_null(s);
    secret_free(wrong);
    secret_free(short_one);
    open_store(f);
    assert_str(get(f, "t", "k"), "v");
}

static void test_second_opener(void **state)
{
    struct fixture *f = *state;
    struct store_options o = {.dir = f->dir, .root_key = f->root};
    struct store *s = NULL;
    assert_kind(store_open(&o, &s), ERR_EXISTS);
    assert_null(s);
    put(f, "t", "k", "v"); /* the first is unharmed */
    assert_str(get(f, "t", "k"), "v");
}

static void test_key_file(void **state)
{
    struct fixture *f = *state;
    char path[128], away[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/ward.key", f->dir);
    (void)snprintf(away, sizeof away, "%s/away", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(f->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    close_store(f);
    struct store_options o = {.dir = f->dir, .root_key = f->root};
    assert_int_equal(rename(path, away), 0); /* lost: no new one may be made in its place */
    assert_kind(store_open(&o, &f->store), ERR_CORRUPT);
    assert_int_equal(rename(away, path), 0);
    int fd = open(path, O_RDWR);
    char byte;
    for (off_t at = 0; at < 132; at += 7) {
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_kind(store_open(&o, &f->store), ERR_CORRUPT);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    close(fd);
    open_store(f);
}

/* -- what is on the disk ----------------------------------------------------------------------- */

static const char *needle;
static int files_seen, needles_seen;

static int look_into(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    assert_null(strstr(path, needle));
    if (kind != FTW_F || st->st_size == 0)
        return 0;
    files_seen++;
    char *all = malloc((size_t)st->st_size);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, all, (size_t)st->st_size), st->st_size);
    close(fd);
    needles_seen += memmem(all, (size_t)st->st_size, needle, strlen(needle)) != NULL;
    free(all);
    return 0;
}

static void assert_nowhere(struct fixture *f, const char *text)
{
    needle = text;
    files_seen = needles_seen = 0;
    assert_int_equal(nftw(f->dir, look_into, 16, FTW_PHYS), 0);
    assert_true(files_seen >= 4);
    assert_int_equal(needles_seen, 0);
}

static void test_nothing_in_clear_text(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 2; round++) { /* in the log, then in tables */
        struct txn *t = begin(f, TXN_WRITE);
        for (int i = 0; i < 200; i++)
            OK(txn_put(t, "patientstable", STR("123456789012/s3/owner-of-records"),
                       arena_fmt(f->arena, "Jane-Doe-%d-%d", round, i),
                       STR("diagnosis: something private")));
        OK(txn_commit(&t));
        static const char *const texts[] = {"Jane-Doe", "diagnosis", "something private",
                                            "patientstable", "owner-of-records", "123456789012",
                                            "keyring", (const char *)root_bytes};
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
            assert_nowhere(f, texts[i]);
        close_store(f);
        open_store(f);
    }
    assert_str(get(f, "patientstable", "Jane-Doe-0-7"), "diagnosis: something private");
}

/* The engine beneath a closed store. */
static struct engine *open_engine(struct fixture *f)
{
    unsigned char id[STORE_ID_SIZE];
    struct secret *key;
    struct engine *e;
    char rows[128];
    (void)snprintf(rows, sizeof rows, "%s/rows", f->dir);
    OK(keyfile_open(f->dir, f->root, false, id, &key));
    struct rocks_options o = {
        .dir = rows, .store_key = key, .store_id = id, .cache_bytes = 1 << 20};
    OK(rocks_open(&o, &e));
    secret_free(key);
    return e;
}

static void swap_rows(struct engine *e, struct str a, struct str b)
{
    struct engine_txn *t;
    struct str v;
    char va[256], vb[256];
    OK(e->ops->begin(e, true, &t));
    OK(e->ops->get(t, a, true, &v));
    assert_true(v.n > 0 && v.n < sizeof va);
    size_t na = v.n;
    memcpy(va, v.p, na);
    OK(e->ops->get(t, b, true, &v));
    assert_true(v.n > 0 && v.n < sizeof vb);
    size_t nb = v.n;
    memcpy(vb, v.p, nb);
    OK(e->ops->put(t, a, str_of(vb, nb), true));
    OK(e->ops->put(t, b, str_of(va, na), true));
    OK(e->ops->commit(t));
}

static void test_swapped_values(void **state)
{
    struct fixture *f = *state;
    put(f, "t", "mine", "small");
    put(f, "t", "yours", "large");
    put(f, "u", "mine", "other");
    put(f, "t", "control", "fine");
    close_store(f);
    struct engine *e = open_engine(f);
    swap_rows(e, STR("t\0mine"), STR("t\0yours"));
    e->ops->close(e);
    open_store(f);
    struct txn *t = begin(f, TXN_READ);
    struct str v;
    assert_kind(txn_get(t, "t", STR("mine"), f->arena, &v), ERR_CORRUPT);
    assert_kind(txn_get(t, "t", STR("yours"), f->arena, &v), ERR_CORRUPT);
    assert_str(get_in(f, t, "t", "control"), "fine");
    txn_abort(&t);
    close_store(f);
    e = open_engine(f); /* back, and then between tables */
    swap_rows(e, STR("t\0mine"), STR("t\0yours"));
    swap_rows(e, STR("t\0mine"), STR("u\0mine"));
    e->ops->close(e);
    open_store(f);
    assert_str(get(f, "t", "yours"), "large");
    t = begin(f, TXN_READ);
    assert_kind(txn_get(t, "t", STR("mine"), f->arena, &v), ERR_CORRUPT);
    txn_abort(&t);
}

/* A key's row under another owner's name, or bent, opens nothing. */
static void test_swapped_keys(void **state)
{
    struct fixture *f = *state;
    struct txn *t = begin(f, TXN_WRITE);
    OK(txn_put(t, "t", OWNER, STR("a"), STR("v")));
    OK(txn_put(t, "t", STR("123456789012/s3/second"), STR("b"), STR("v")));
    OK(txn_commit(&t));
    close_store(f);
    struct engine *e = open_engine(f);
    swap_rows(e, STR("keyring\0o123456789012/s3/bucket"), STR("keyring\0o123456789012/s3/second"));
    e->ops->close(e);
    open_store(f);
    t = begin(f, TXN_WRITE);
    assert_kind(txn_put(t, "t", OWNER, STR("c"), STR("v")), ERR_CORRUPT);
    assert_str(get_in(f, t, "t", "a"), "v"); /* by the key's id: nothing changed */
    txn_abort(&t);
}

static void test_destroyed_for_good(void **state)
{
    struct fixture *f = *state;
    put(f, "t", "k", "v");
    close_store(f);
    struct engine *e = open_engine(f);
    struct engine_txn *et;
    struct str v = STR_NONE;
    OK(e->ops->begin(e, false, &et));
    OK(e->ops->get(et, STR("keyring\0o123456789012/s3/bucket"), false, &v));
    assert_int_equal(v.n, 16);
    char id_row[25] = "keyring\0k";
    memcpy(id_row + 9, v.p, 16);
    e->ops->abort(et);
    e->ops->close(e);
    open_store(f);
    OK(store_owner_destroy(f->store, OWNER));
    close_store(f);
    open_store(f);
    struct txn *t = begin(f, TXN_READ);
    assert_kind(txn_get(t, "t", STR("k"), f->arena, &v), ERR_CORRUPT);
    txn_abort(&t);
    close_store(f);
    e = open_engine(f);
    OK(e->ops->begin(e, false, &et));
    OK(e->ops->get(et, str_of(id_row, sizeof id_row), false, &v));
    assert_null(v.p);
    e->ops->abort(et);
    e->ops->close(e);
    open_store(f);
}

static int count_logs(struct fixture *f)
{
    char rows[128];
    (void)snprintf(rows, sizeof rows, "%s/rows", f->dir);
    DIR *d = opendir(rows);
    assert_non_null(d);
    int n = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += str_ends_c(str_c(e->d_name), ".log");
    closedir(d);
    return n;
}

static void test_starts_leave_nothing_behind(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        if (i % 3 == 0)
            put(f, "t", "k", "v");
        close_store(f);
        open_store(f);
    }
    assert_in_range(count_logs(f), 0, 3);
}

/* -- kill -9 ----------------------------------------------------------------------------------- */

enum { WRITERS = 4, KILLS = 5, ROW_MAX = 6000 };

struct writer {
    pthread_t id;
    struct store *store;
    uint32_t number;
    int fd;
};

/* Row n of a writer: its size and bytes follow from n. */
static struct str row_of(char *room, uint32_t number, uint32_t n)
{
    size_t size = 100 + (n * 2654435761u >> 8) % (ROW_MAX - 100);
    memset(room, (int)('a' + (number + n) % 26), size);
    return str_of(room, size);
}

static void *write_rows(void *arg)
{
    struct writer *w = arg;
    char room[ROW_MAX];
    for (uint32_t n = 0;; n++) {
        struct skey k = skey();
        key_u32(&k, w->number);
        key_u32(&k, n);
        struct txn *t;
        OK(store_begin(w->store, TXN_WRITE, &t));
        OK(txn_put(t, "rows", OWNER, key_of(&k), row_of(room, w->number, n)));
        OK(txn_commit(&t));
        uint32_t ack[2] = {w->number, n};
        if (write(w->fd, ack, sizeof ack) != sizeof ack)
            _exit(1);
    }
}

static int child_writes(const char *dir, int fd, uint32_t first)
{
    struct secret *root;
    struct store *s;
    OK(crypto_init());
    OK(secret_new(str_of(root_bytes, sizeof root_bytes), &root));
    struct store_options o = {.dir = dir, .root_key = root};
    OK(store_open(&o, &s));
    struct writer w[WRITERS];
    for (uint32_t i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){.store = s, .number = first + i, .fd = fd};
        if (pthread_create(&w[i].id, NULL, write_rows, &w[i]) != 0)
            return 1;
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(w[i].id, NULL);
    return 0;
}

static pid_t start_child(const char *mode, const char *dir, int fd, uint32_t first)
{
    char fd_text[16], first_text[16];
    (void)snprintf(fd_text, sizeof fd_text, "%d", fd);
    (void)snprintf(first_text, sizeof first_text, "%u", first);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "test_crash", mode, dir, fd_text, first_text, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

/* Every acknowledged row of these writers is there, whole; gives how many. */
static uint32_t check_rows(struct fixture *f, uint32_t first, const uint32_t acked[WRITERS])
{
    uint32_t all = 0;
    char room[ROW_MAX];
    for (uint32_t i = 0; i < WRITERS; i++) {
        for (uint32_t n = 0; n < acked[i]; n++, all++) {
            struct skey k = skey();
            key_u32(&k, first + i);
            key_u32(&k, n);
            struct txn *t = begin(f, TXN_READ);
            struct str v;
            OK(txn_get(t, "rows", key_of(&k), f->arena, &v));
            if (v.p == NULL)
                fail_msg("row %u of writer %u of %u is lost", n, first + i, acked[i]);
            assert_true(str_eq(v, row_of(room, first + i, n)));
            txn_abort(&t);
        }
        arena_reset(f->arena);
    }
    return all;
}

static void test_kill_9(void **state)
{
    struct fixture *f = *state;
    uint32_t acked[KILLS][WRITERS] = {{0}}, all = 0;
    for (uint32_t round = 0; round < KILLS; round++) {
        close_store(f);
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        uint32_t first = round * WRITERS, wanted = 20 + below(1500);
        pid_t pid = start_child("write", f->dir, fds[1], first);
        close(fds[1]);
        uint32_t ack[2];
        /* Acknowledgements are read to the end: some arrive after the decision to kill. */
        for (uint32_t n = 0; read(fds[0], ack, sizeof ack) == sizeof ack; n++) {
            assert_true(ack[0] >= first && ack[0] < first + WRITERS);
            assert_int_equal(ack[1], acked[round][ack[0] - first]);
            acked[round][ack[0] - first]++;
            if (n == wanted)
                assert_int_equal(kill(pid, SIGKILL), 0);
        }
        close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        open_store(f);
        all = 0;
        put(f, "t", "after", "the kill"); /* at the first try: nobody competes */
        for (uint32_t r = 0; r <= round; r++)
            all += check_rows(f, r * WRITERS, acked[r]);
    }
    assert_true(all > KILLS * 20);
    assert_in_range(count_logs(f), 0, 4);
}

/* -- full disks -------------------------------------------------------------------------------- */

/* A small disk of our own at `dir`; false: the system does not let us. */
static bool mount_small(const char *dir, const char *options)
{
    uid_t uid = geteuid();
    if (unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0)
        return false;
    if (uid != 0) {
        char map[64];
        int n = snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
        int fd = open("/proc/self/uid_map", O_WRONLY);
        if (fd < 0 || write(fd, map, (size_t)n) != n)
            return false;
        close(fd);
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, options) == 0;
}

static void filler_path(const char *dir, char out[128])
{
    (void)snprintf(out, 128, "%s/filler", dir);
}

/* Takes all that is left of the disk but for `spare` bytes, to within a page. */
static void fill_up(const char *dir, off_t spare)
{
    char path[128], page[4096];
    struct stat st;
    filler_path(dir, path);
    memset(page, 'f', sizeof page);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    while (fd >= 0 && write(fd, page, sizeof page) > 0)
        ;
    if (fstat(fd, &st) == 0)
        (void)!ftruncate(fd, st.st_size > spare ? st.st_size - spare : 0);
    close(fd);
}

static void make_room(const char *dir)
{
    char path[128];
    filler_path(dir, path);
    (void)unlink(path);
}

enum { SKIPPED = 77, FULL_ROW = 3000 };

static struct str full_row(char *room, uint32_t n)
{
    memset(room, (int)('A' + n % 26), FULL_ROW);
    return str_of(room, FULL_ROW);
}

/* One durable row in the engine itself. */
static struct err *engine_commit(struct engine *e, uint32_t n)
{
    char key[32], room[FULL_ROW];
    (void)snprintf(key, sizeof key, "t%08u", n);
    struct engine_txn *t;
    TRY(e->ops->begin(e, true, &t));
    struct err *err = e->ops->put(t, str_c(key), full_row(room, n), true);
    if (err == NULL)
        return e->ops->commit(t);
    e->ops->abort(t);
    return err;
}

static void engine_check(struct engine *e, const bool *acked, uint32_t rows)
{
    char key[32], room[FULL_ROW];
    struct engine_txn *t;
    OK(e->ops->begin(e, false, &t));
    for (uint32_t n = 0; n < rows; n++) {
        struct str v;
        (void)snprintf(key, sizeof key, "t%08u", n);
        OK(e->ops->get(t, str_c(key), false, &v));
        if (acked[n] && !str_eq(v, full_row(room, n)))
            fail_msg("row %u is lost", n);
    }
    e->ops->abort(t);
}

/* Commits until one succeeds again, as clients do that try again. */
static void commit_until_it_works(struct engine *e, uint32_t n)
{
    for (int i = 0; i < 500; i++) {
        struct err *err = engine_commit(e, n);
        if (err == NULL)
            return;
        assert_true(err_is(err, ERR_FULL) || err_is(err, ERR_CONFLICT) || err_is(err, ERR_IO));
        err_free(err);
        usleep(10000); /* a client's pause; the engine may be mending by itself */
    }
    fail_msg("the engine did not recover");
}

struct reader {
    pthread_t id;
    struct engine *engine;
    _Atomic bool stop;
    long reads;
};

/* Reads and walks all the time, also while the engine is replaced beneath. */
static void *keep_reading(void *arg)
{
    struct reader *r = arg;
    const struct engine_ops *ops = r->engine->ops;
    while (!r->stop) {
        struct engine_txn *t;
        struct err *err = ops->begin(r->engine, r->reads % 2 == 0, &t);
        if (err != NULL) { /* it broke, and there is no room yet to open it again */
            assert_kind(err, ERR_FULL);
            continue;
        }
        struct str v, key = STR("start");
        struct engine_cursor *c;
        OK(ops->get(t, STR("t00000001"), true, &v));
        OK(ops->scan(t, STR("t"), STR("u"), r->reads % 3 == 0, &c));
        for (int i = 0; i < 20 && key.p != NULL; i++)
            OK(ops->next(c, &key, &v));
        ops->cursor_free(c);
        ops->abort(t);
        r->reads++;
    }
    return NULL;
}

static void start_readers(struct reader *r, size_t n, struct engine *e)
{
    for (size_t i = 0; i < n; i++) {
        r[i] = (struct reader){.engine = e};
        assert_int_equal(pthread_create(&r[i].id, NULL, keep_reading, &r[i]), 0);
    }
}

static void stop_readers(struct reader *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        r[i].stop = true;
        pthread_join(r[i].id, NULL);
        assert_true(r[i].reads > 0);
    }
}

/* Without the reserve, so that the engine meets the full disk itself, wherever that happens: in the
 * log, in a table, in the manifest. */
static int child_meets_full_disk(const char *dir)
{
    enum { ROUNDS = 6, PER_ROUND = 4000 };
    static bool acked[ROUNDS * PER_ROUND];
    if (!mount_small(dir, "size=64m"))
        return SKIPPED;
    OK(crypto_init());
    struct secret *key;
    OK(secret_random(AES_KEY_SIZE, &key));
    char rows[128];
    (void)snprintf(rows, sizeof rows, "%s/rows", dir);
    struct rocks_options o = {.dir = rows,
                              .store_key = key,
                              .store_id = (const unsigned char *)"sixteen bytes id",
                              .cache_bytes = 1 << 20};
    struct engine *e;
    uint32_t n = 0;
    OK(rocks_open(&o, &e));
    struct reader readers[2];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t start = below(1200); /* rows before the disk fills */
        start_readers(readers, ARRAY_LEN(readers), e);
        struct err *err = NULL;
        for (uint32_t i = 0; i < PER_ROUND && err == NULL; i++, n++) {
            if (i == start)
                fill_up(dir, below(2) == 0 ? 0 : below(4 << 20));
            err = engine_commit(e, n);
            acked[n] = err == NULL;
        }
        if (!err_is(err, ERR_FULL) && !err_is(err, ERR_IO))
            fail_msg("round %u: %s", round, err == NULL ? "never full" : err->message);
        err_free(err);
        engine_check(e, acked, n); /* reads go on */
        make_room(dir);
        commit_until_it_works(e, n);
        acked[n++] = true;
        stop_readers(readers, ARRAY_LEN(readers));
        if (round % 2 == 1) {
            engine_check(e, acked, n);
            e->ops->close(e);
            OK(rocks_open(&o, &e));
        }
        engine_check(e, acked, n);
        /* Room for the next round: the rows so far go. */
        OK(e->ops->scrub(e, STR("t"), STR("u")));
        struct engine_txn *t;
        OK(e->ops->begin(e, true, &t));
        for (uint32_t i = 0; i < n; i++) {
            char old[32];
            (void)snprintf(old, sizeof old, "t%08u", i);
            OK(e->ops->del(t, str_c(old)));
            acked[i] = false;
        }
        OK(e->ops->commit(t));
        OK(e->ops->scrub(e, STR("t"), STR("u")));
    }
    e->ops->close(e);
    secret_free(key);
    return 0;
}

/* With the reserve: the store says full in time, and lives on. */
static int child_keeps_reserve(const char *dir)
{
    if (!mount_small(dir, "size=64m"))
        return SKIPPED;
    struct fixture f = {.on_disk = true, .arena = arena_new(1 << 20)};
    (void)snprintf(f.dir, sizeof f.dir, "%s", dir);
    OK(crypto_init());
    OK(secret_new(str_of(root_bytes, sizeof root_bytes), &f.root));
    open_store(&f);
    put(&f, "t", "k", "v");
    fill_up(dir, 0);
    struct txn *t = begin(&f, TXN_WRITE);
    OK(txn_put(t, "t", OWNER, STR("k"), STR("w")));
    assert_kind(txn_commit(&t), ERR_FULL);
    assert_str(get(&f, "t", "k"), "v");
    make_room(dir);
    put(&f, "t", "k", "w");
    assert_str(get(&f, "t", "k"), "w");
    close_store(&f);
    secret_free(f.root);
    arena_free(f.arena);
    return 0;
}

static void run_child(struct fixture *f, const char *mode)
{
    close_store(f);
    remove_tree(f->dir);
    assert_int_equal(mkdir(f->dir, 0700), 0);
    int status;
    pid_t pid = start_child(mode, f->dir, 0, 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    open_store(f);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_full_disk(void **state)
{
    run_child(*state, "full");
}

static void test_reserve(void **state)
{
    run_child(*state, "reserve");
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "full") == 0)
        return child_meets_full_disk(argv[2]);
    if (argc == 5 && strcmp(argv[1], "reserve") == 0)
        return child_keeps_reserve(argv[2]);
    int64_t fd, first;
    if (argc == 5 && str_to_i64(str_c(argv[3]), 0, 1024, &fd) &&
        str_to_i64(str_c(argv[4]), 0, 1024, &first))
        return child_writes(argv[2], (int)fd, (uint32_t)first);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrong_root_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_opener, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_in_clear_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_swapped_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_swapped_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_destroyed_for_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_starts_leave_nothing_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill_9, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reserve, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
