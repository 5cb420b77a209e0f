/* Blobs: ranges against a plain copy, damage of every kind, durability's leftovers. */
#include "fixture.h"

#include "../blob.h"
#include "../files.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { TAG = 16, SEALED = BLOB_FRAME + TAG };

struct room {
    char dir[64];
    struct blobs *blobs;
    struct arena *arena;
};

static const unsigned char key[32] = "a key for blobs, 32 bytes long.";
static const unsigned char other_key[32] = "another key, 32 bytes long too.";

static int set_up(void **state)
{
    struct room *r = calloc(1, sizeof *r);
    OK(crypto_init());
    make_folder(r->dir);
    OK(blobs_open(r->dir, &r->blobs));
    r->arena = arena_new(64 << 20);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct room *r = *state;
    blobs_close(r->blobs);
    remove_tree(r->dir);
    arena_free(r->arena);
    free(r);
    return 0;
}

/* Written in pieces of odd sizes. */
static struct blob_id write_blob(struct room *r, struct str data)
{
    struct blob_writer *w;
    struct blob_id id;
    uint64_t size;
    OK(blob_begin(r->blobs, key, STR("bucket/key"), &w));
    for (struct str rest = data; rest.n > 0;) {
        size_t n = 1 + (size_t)(rand_u64() % 100000);
        OK(blob_write(w, str_take(rest, n)));
        rest = str_skip(rest, n);
    }
    OK(blob_write(w, STR("")));
    OK(blob_finish(w, &id, &size));
    assert_int_equal(size, data.n);
    assert_int_equal(strlen(id.hex), BLOB_ID_SIZE);
    return id;
}

static struct str random_data(struct room *r, size_t n)
{
    char *p = arena_alloc(r->arena, n + 1);
    rand_bytes(p, n);
    return str_of(p, n);
}

static struct err *open_blob(struct room *r, struct blob_id id, uint64_t size,
                             struct blob_reader **out)
{
    return blob_open(r->blobs, &id, key, STR("bucket/key"), size, out);
}

static void path_of(const struct room *r, struct blob_id id, char out[160])
{
    (void)snprintf(out, 160, "%s/%.2s/%s", r->dir, id.hex, id.hex);
}

static void test_sizes(void **state)
{
    struct room *r = *state;
    static const size_t sizes[] = {0,          1,          BLOB_FRAME - 1,     BLOB_FRAME,
                                   BLOB_FRAME + 1, 2 * BLOB_FRAME, 5 * BLOB_FRAME + 777};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct str data = random_data(r, sizes[i]);
        struct blob_id id = write_blob(r, data);
        char path[160];
        struct stat st;
        path_of(r, id, path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        size_t frames = sizes[i] == 0 ? 1 : (sizes[i] - 1) / BLOB_FRAME + 1;
        assert_int_equal(st.st_size, sizes[i] + frames * TAG);
        struct blob_reader *reader;
        char *back = malloc(sizes[i] + 10);
        size_t n;
        OK(open_blob(r, id, sizes[i], &reader));
        OK(blob_read(reader, 0, back, sizes[i] + 10, &n));
        assert_int_equal(n, sizes[i]);
        assert_true(str_eq(str_of(back, n), data));
        OK(blob_read(reader, sizes[i], back, 10, &n));
        assert_int_equal(n, 0);
        OK(blob_read(reader, UINT64_MAX - 5, back, 10, &n));
        assert_int_equal(n, 0);
        blob_reader_free(reader);
        free(back);
    }
}

static void test_ranges(void **state)
{
    struct room *r = *state;
    struct str data = random_data(r, 10 * BLOB_FRAME + 4321);
    struct blob_id id = write_blob(r, data);
    struct blob_reader *reader;
    OK(open_blob(r, id, data.n, &reader));
    char *back = malloc(data.n);
    for (int i = 0; i < 1000; i++) {
        size_t offset = (size_t)(rand_u64() % (data.n + 100));
        size_t wanted = (size_t)(rand_u64() % (i % 4 == 0 ? data.n : 3000)), n;
        OK(blob_read(reader, offset, back, wanted, &n));
        struct str want = str_take(str_skip(data, offset), wanted);
        assert_int_equal(n, want.n);
        assert_true(str_eq(str_of(back, n), want));
    }
    free(back);
    blob_reader_free(reader);
}

static void assert_damaged(struct room *r, struct blob_id id, uint64_t size)
{
    struct blob_reader *reader;
    struct err *e = open_blob(r, id, size, &reader);
    if (e == NULL) {
        char *back = malloc(size + 1);
        size_t n = 0;
        for (uint64_t at = 0; e == NULL && at <= size; at += BLOB_FRAME)
            e = blob_read(reader, at, back, BLOB_FRAME, &n);
        blob_reader_free(reader);
        free(back);
    }
    assert_kind(e, ERR_CORRUPT);
}

static void flip(const char *path, off_t at)
{
    char byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void swap_frames(const char *path, off_t a, off_t b)
{
    static char fa[SEALED], fb[SEALED];
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, fa, SEALED, a * SEALED), SEALED);
    assert_int_equal(pread(fd, fb, SEALED, b * SEALED), SEALED);
    assert_int_equal(pwrite(fd, fa, SEALED, b * SEALED), SEALED);
    assert_int_equal(pwrite(fd, fb, SEALED, a * SEALED), SEALED);
    close(fd);
}

static void test_damage(void **state)
{
    struct room *r = *state;
    struct str data = random_data(r, 3 * BLOB_FRAME);
    struct blob_id id = write_blob(r, data);
    char path[160];
    path_of(r, id, path);
    for (off_t at = 0; at < 3 * SEALED; at += SEALED / 3 + 5) {
        flip(path, at);
        assert_damaged(r, id, data.n);
        flip(path, at);
    }
    swap_frames(path, 0, 1);
    assert_damaged(r, id, data.n);
    swap_frames(path, 0, 1);
    assert_damaged(r, id, data.n - 1); /* another size than was stored */
    assert_damaged(r, id, data.n + 1);
    assert_damaged(r, id, UINT64_MAX);
    assert_int_equal(truncate(path, 3 * SEALED - 1), 0); /* torn */
    assert_damaged(r, id, data.n);
    /* Cut at a frame's edge, with the size made to fit: the last frame has no mark. */
    assert_int_equal(truncate(path, 2 * SEALED), 0);
    assert_damaged(r, id, 2 * BLOB_FRAME);
    assert_int_equal(truncate(path, 0), 0);
    assert_damaged(r, id, 0);
}

static void test_bindings(void **state)
{
    struct room *r = *state;
    struct blob_id id = write_blob(r, STR("hello")), second = write_blob(r, STR("world"));
    struct blob_reader *reader;
    char back[8];
    size_t n;
    OK(blob_open(r->blobs, &id, other_key, STR("bucket/key"), 5, &reader));
    assert_kind(blob_read(reader, 0, back, 5, &n), ERR_CORRUPT);
    blob_reader_free(reader);
    OK(blob_open(r->blobs, &id, key, STR("bucket/kez"), 5, &reader));
    assert_kind(blob_read(reader, 0, back, 5, &n), ERR_CORRUPT);
    blob_reader_free(reader);
    char mine[160], hers[160]; /* another blob of the same key, context and size */
    path_of(r, id, mine);
    path_of(r, second, hers);
    assert_int_equal(rename(hers, mine), 0);
    assert_damaged(r, id, 5);
    struct blob_id nobody = {"00000000000000000000000000000000"};
    struct blob_id bad = {"../../../../../../etc/passwd/xxx"};
    assert_kind(open_blob(r, nobody, 5, &reader), ERR_NOT_FOUND);
    assert_kind(open_blob(r, bad, 5, &reader), ERR_CORRUPT);
    assert_kind(blob_delete(r->blobs, &bad), ERR_CORRUPT);
    static char long_context[BLOB_CONTEXT_MAX + 1];
    struct blob_writer *w;
    assert_kind(blob_begin(r->blobs, key, str_of(long_context, sizeof long_context), &w),
                ERR_LIMIT);
    OK(blob_begin(r->blobs, key, str_of(long_context, BLOB_CONTEXT_MAX), &w));
    blob_abandon(w);
}

static void test_nothing_in_clear_text(void **state)
{
    struct room *r = *state;
    char *text = calloc(1, 200000);
    for (size_t i = 0; i + 8 < 200000; i += 8)
        memcpy(text + i, "JaneDoe.", 8);
    struct blob_id id = write_blob(r, str_of(text, 200000));
    char path[160];
    path_of(r, id, path);
    int fd = open(path, O_RDONLY);
    char *raw = malloc(300000);
    ssize_t n = read(fd, raw, 300000);
    assert_true(n > 200000);
    assert_null(memmem(raw, (size_t)n, "JaneDoe", 7));
    close(fd);
    free(raw);
    free(text);
}

static int count;

static int count_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    count += kind == FTW_F;
    return 0;
}

static int files_in(const struct room *r)
{
    count = 0;
    assert_int_equal(nftw(r->dir, count_one, 16, FTW_PHYS), 0);
    return count;
}

static bool is_live(void *ctx, struct str id)
{
    const struct blob_id *live = ctx;
    return str_is(id, live[0].hex) || str_is(id, live[1].hex);
}

static void test_delete_and_sweep(void **state)
{
    struct room *r = *state;
    struct blob_id live[2] = {write_blob(r, STR("one")), write_blob(r, STR("two"))};
    struct blob_id gone = write_blob(r, STR("three"));
    OK(blob_delete(r->blobs, &gone));
    OK(blob_delete(r->blobs, &gone)); /* absent: fine */
    assert_int_equal(files_in(r), 2);
    struct blob_writer *w;
    OK(blob_begin(r->blobs, key, STR("x"), &w));
    OK(blob_write(w, random_data(r, 3 * BLOB_FRAME)));
    blob_abandon(w);
    blob_abandon(NULL);
    assert_int_equal(files_in(r), 2);

    for (int i = 0; i < 5; i++)
        (void)write_blob(r, STR("never committed"));
    OK(blob_begin(r->blobs, key, STR("x"), &w)); /* the process dies here */
    OK(blob_write(w, random_data(r, 3 * BLOB_FRAME)));
    assert_int_equal(files_in(r), 8);
    struct blobs *anew; /* as at the next start */
    OK(blobs_open(r->dir, &anew));
    size_t removed = 0;
    OK(blobs_sweep(anew, is_live, live, &removed));
    assert_int_equal(removed, 6);
    assert_int_equal(files_in(r), 2);
    struct blob_reader *reader;
    char back[3];
    size_t n;
    OK(open_blob(r, live[1], 3, &reader));
    OK(blob_read(reader, 0, back, 3, &n));
    assert_memory_equal(back, "two", 3);
    blob_reader_free(reader);
    OK(blobs_sweep(anew, is_live, live, &removed));
    assert_int_equal(removed, 0);
    blobs_close(anew);
    blob_abandon(w);
}

/* With ids that repeat, a blob never takes another's place. */
static void test_taken_ids(void **state)
{
    struct room *r = *state;
    struct blob_id ids[3];
    for (int i = 0; i < 3; i++) {
        rand_set_fake(42);
        struct blob_writer *w;
        uint64_t size;
        OK(blob_begin(r->blobs, key, STR("bucket/key"), &w));
        OK(blob_write(w, arena_fmt(r->arena, "%d", i)));
        OK(blob_finish(w, &ids[i], &size));
    }
    rand_set_fake(0);
    for (int i = 0; i < 3; i++) {
        struct blob_reader *reader;
        char c;
        size_t n;
        OK(open_blob(r, ids[i], 1, &reader));
        OK(blob_read(reader, 0, &c, 1, &n));
        assert_int_equal(c, '0' + i);
        blob_reader_free(reader);
    }
}

/* Every folder that a blob can go to is there, and on the disk, before the first blob: none is made
 * between a blob and the commit that names it. */
static void test_folders_are_there_first(void **state)
{
    struct room *r = *state;
    char path[160];
    struct stat st;
    for (int again = 0; again < 2; again++) {
        for (int i = 0; i < 256; i++) {
            (void)snprintf(path, sizeof path, "%s/%02x", r->dir, i);
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_mode & (S_IFMT | 0777), S_IFDIR | 0700);
        }
        blobs_close(r->blobs);
        (void)snprintf(path, sizeof path, "%s/7f", r->dir);
        assert_int_equal(rmdir(path), 0); /* as a copy that leaves empty folders out */
        OK(blobs_open(r->dir, &r->blobs));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ranges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bindings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_in_clear_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_delete_and_sweep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folders_are_there_first, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
