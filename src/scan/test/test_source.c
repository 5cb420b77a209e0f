/* Files as a source: what may stand in a folder, and what may become of it between being listed and
 * being read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan/source.h"

struct folder {
    char path[256];
    char told[4096]; /* "NAME: WHAT\n" of each fault */
    struct source_notes notes;
};

static void on_fault(void *ctx, const char *name, const char *what)
{
    struct folder *f = ctx;
    size_t n = strlen(f->told);
    snprintf(f->told + n, sizeof f->told - n, "%s: %s\n", name, what);
}

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%s/ward-source-XXXXXX", tmp != NULL ? tmp : P_tmpdir);
    assert_non_null(mkdtemp(f->path));
    f->notes = (struct source_notes){.ctx = f, .fault = on_fault};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", f->path);
    int rc = system(command);
    free(f);
    return rc;
}

static const char *in(const struct folder *f, const char *name)
{
    static char path[4][512];
    static int i;
    char *p = path[i++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", f->path, name);
    return p;
}

static void put(const struct folder *f, const char *name, const char *text)
{
    FILE *out = fopen(in(f, name), "we");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static struct scan_source source_of(struct folder *f, const char *path)
{
    static char *paths[1];
    static char copy[512];
    snprintf(copy, sizeof copy, "%s", path);
    paths[0] = copy;
    return source_files(paths, 1, false, &f->notes);
}

/* How many files it gives; the last one's name in `last`. */
static int count(struct scan_source s, char *last, size_t n)
{
    struct scan_object o = {0};
    int files = 0;
    buf_init(&o.name, 65536);
    for (; s.next(s.ctx, &o); files++)
        snprintf(last, n, "%s", o.name.p);
    buf_clear(&o.name);
    return files;
}

static ptrdiff_t read_all(struct scan_source s, const char *name, char *out, size_t n)
{
    void *handle;
    int e = s.open(s.ctx, name, &handle);
    if (e != 0)
        return -e;
    ptrdiff_t got, all = 0;
    while ((got = s.read(handle, out + all, n - (size_t)all)) > 0)
        all += got;
    s.close(handle);
    return got < 0 ? got : all;
}

static void test_what_may_stand_in_a_folder(void **state)
{
    struct folder *f = *state;
    char last[512];
    put(f, "a.json", "{}");
    put(f, "b.txt", "no log");
    put(f, "c.json.metadata.json", "{}");
    assert_int_equal(mkdir(in(f, "deep"), 0700), 0);
    put(f, "deep/d.json.gz", "");
    put(f, "deep/1_CloudTrail-Digest_x.json.gz", "");
    assert_int_equal(mkfifo(in(f, "pipe.json"), 0600), 0);
    assert_int_equal(symlink("a.json", in(f, "link.json")), 0);
    assert_int_equal(symlink("loop.json", in(f, "loop.json")), 0);
    assert_int_equal(symlink(".", in(f, "round")), 0);
    assert_int_equal(symlink("nowhere", in(f, "gone.json")), 0);
    struct scan_source s = source_of(f, f->path);
    assert_int_equal(count(s, last, sizeof last), 3); /* a.json, link.json, d.json.gz */
    s.clear(s.ctx);
    assert_non_null(strstr(f->told, "/pipe.json: neither a file nor a folder"));
    assert_non_null(strstr(f->told, "/loop.json: a link"));
    assert_non_null(strstr(f->told, "/round: a link"));
    assert_non_null(strstr(f->told, "/gone.json: a link"));
    assert_null(strstr(f->told, "a.json: "));
    assert_int_equal(f->notes.skipped, 3);
}

static void test_what_may_be_named(void **state)
{
    struct folder *f = *state;
    char last[512];
    const struct {
        const char *path, *what;
        int files;
    } cases[] = {{"/dev/zero", "neither a file nor a folder", 0},
                 {"/dev/null", "neither a file nor a folder", 0},
                 {"/nowhere/at/all", "No such file", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->told[0] = '\0';
        struct scan_source s = source_of(f, cases[i].path);
        assert_int_equal(count(s, last, sizeof last), cases[i].files);
        s.clear(s.ctx);
        assert_non_null(strstr(f->told, cases[i].what));
    }
    put(f, "b.txt", "named by hand, so it is read");
    struct scan_source s = source_of(f, in(f, "b.txt"));
    assert_int_equal(count(s, last, sizeof last), 1);
    s.clear(s.ctx);
}

/* Between next() and open(). */
static void test_what_becomes_of_a_file(void **state)
{
    struct folder *f = *state;
    char name[512], text[64];
    put(f, "a.json", "one");
    struct scan_source s = source_of(f, f->path);
    assert_int_equal(count(s, name, sizeof name), 1);
    assert_int_equal(read_all(s, name, text, sizeof text), 3);

    put(f, "a.json", "longer than it was");
    assert_int_equal(read_all(s, name, text, sizeof text), 18);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(read_all(s, name, text, sizeof text), -ENOENT);
    assert_int_equal(mkdir(name, 0700), 0);
    assert_int_equal(read_all(s, name, text, sizeof text), -EISDIR);
    assert_int_equal(rmdir(name), 0);
    assert_int_equal(mkfifo(name, 0600), 0); /* nobody writes: it must not wait */
    assert_int_equal(read_all(s, name, text, sizeof text), -ENOTSUP);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(symlink(name, name), 0);
    assert_int_equal(read_all(s, name, text, sizeof text), -ELOOP);
    char why[SOURCE_WHY_MAX];
    assert_string_equal(source_why(&s, name, ENOENT, why), "No such file or directory");
    s.clear(s.ctx);
    assert_string_equal(f->told, "");
}

/* It grows while it is read: what was there when it was opened is what counts, so that a writer
 * cannot hold the scan for ever. */
static void test_a_file_that_grows(void **state)
{
    struct folder *f = *state;
    char name[512], text[64] = "";
    void *handle;
    put(f, "a.json", "one");
    struct scan_source s = source_of(f, f->path);
    assert_int_equal(count(s, name, sizeof name), 1);
    assert_int_equal(s.open(s.ctx, name, &handle), 0);
    assert_int_equal(s.read(handle, text, 2), 2);
    int fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "two", 3), 3);
    close(fd);
    assert_int_equal(s.read(handle, text + 2, 60), 1);
    assert_string_equal(text, "one");
    assert_int_equal(s.read(handle, text, 60), 0);
    s.close(handle);
    assert_int_equal(read_all(s, name, text, sizeof text), 6);
    s.clear(s.ctx);
}

/* A folder that goes away while it is listed, and one that nests too deep. */
static void test_folders(void **state)
{
    struct folder *f = *state;
    char last[512];
    struct scan_object o = {0};
    buf_init(&o.name, 65536);
    assert_int_equal(mkdir(in(f, "x"), 0700), 0);
    put(f, "x/a.json", "");
    struct scan_source s = source_of(f, f->path);
    assert_int_equal(unlink(in(f, "x/a.json")), 0);
    assert_int_equal(rmdir(in(f, "x")), 0);
    assert_false(s.next(s.ctx, &o));
    s.clear(s.ctx);
    buf_clear(&o.name);
    int at = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 400; i++) { /* by descriptors: the path is longer than any may be */
        assert_int_equal(mkdirat(at, "d", 0700), 0);
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    close(at);
    s = source_of(f, f->path);
    assert_int_equal(count(s, last, sizeof last), 0);
    s.clear(s.ctx);
    assert_non_null(strstr(f->told, "folders nest deeper than 256 levels"));
}

static void test_names_of_logs(void **state)
{
    (void)state;
    assert_true(source_takes(STR("a/b.json.gz"), false));
    assert_true(source_takes(STR("b.ndjson"), false));
    assert_false(source_takes(STR("b.json.gz.tmp"), false));
    assert_false(source_takes(STR(""), true));
    assert_false(source_takes(STR("p/CloudTrail-Digest/x.json.gz"), false));
    assert_true(source_takes(STR("p/CloudTrail-Digest/x.json.gz"), true));
    assert_false(source_takes(STR("p/CloudTrail-Digest/x.json.gz.metadata.json"), true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_may_stand_in_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_may_be_named, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_becomes_of_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders, setup, teardown),
        cmocka_unit_test(test_names_of_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
