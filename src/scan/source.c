#include "source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDERS_OPEN_MAX = 256, PATH_BYTES_MAX = 64 * 1024 };

struct folder {
    DIR *dir;
    size_t name_n; /* length of the path up to here, with its '/' */
};

struct files {
    char *const *paths;
    size_t n, next;
    bool digests;
    struct source_notes *notes;
    struct folder open[FOLDERS_OPEN_MAX];
    int depth;
    struct buf path;
};

static bool log_name(const char *name, bool digests)
{
    static const char *const ends[] = {".json.gz", ".json", ".gz", ".jsonl", ".ndjson"};
    struct str s = str_c(name);
    (void)digests;
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (str_ends_c(s, ends[i]))
            return true;
    }
    return false;
}

static void fault(struct files *f, const char *name, int errnum)
{
    char text[128];
    f->notes->fault(f->notes->ctx, name, strerror_r(errnum, text, sizeof text));
}

static void enter(struct files *f)
{
    if (f->depth == FOLDERS_OPEN_MAX) {
        f->notes->fault(f->notes->ctx, f->path.p, "folders nest deeper than 256 levels");
        return;
    }
    int fd = open(f->path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (d == NULL) {
        fault(f, f->path.p, errno);
        if (fd >= 0)
            close(fd);
        return;
    }
    buf_truncate(&f->path, strlen(f->path.p));
    if (!str_ends_c(buf_view(&f->path), "/"))
        buf_char(&f->path, '/');
    f->open[f->depth++] = (struct folder){d, f->path.n};
}

static void path_set(struct files *f, size_t keep, const char *name)
{
    buf_truncate(&f->path, keep);
    buf_c(&f->path, name);
    buf_add(&f->path, "", 1);
}

static bool give(struct files *f, struct scan_object *out, uint64_t size)
{
    buf_reset(&out->name);
    buf_c(&out->name, f->path.p);
    buf_add(&out->name, "", 1);
    out->size = size;
    return true;
}

/* The next entry of the innermost folder; false: none was a file to read. */
static bool step(struct files *f, struct scan_object *out)
{
    struct folder *top = &f->open[f->depth - 1];
    errno = 0;
    struct dirent *d = readdir(top->dir);
    if (d == NULL) {
        if (errno != 0) {
            path_set(f, top->name_n, "");
            fault(f, f->path.p, errno);
        }
        closedir(top->dir);
        f->depth--;
        return false;
    }
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
        return false;
    path_set(f, top->name_n, d->d_name);
    if (!buf_ok(&f->path)) {
        buf_clear(&f->path);
        f->notes->fault(f->notes->ctx, d->d_name, "the path is too long");
        return false;
    }
    struct stat st;
    if (lstat(f->path.p, &st) != 0) {
        fault(f, f->path.p, errno);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        enter(f);
        return false;
    }
    /* A link to a folder could lead round and round; one to a file is read. */
    if (S_ISLNK(st.st_mode) && (stat(f->path.p, &st) != 0 || !S_ISREG(st.st_mode))) {
        f->notes->fault(f->notes->ctx, f->path.p, "a link that does not lead to a file");
        return false;
    }
    if (!S_ISREG(st.st_mode) || !log_name(d->d_name, f->digests) ||
        (!f->digests && strstr(f->path.p, "CloudTrail-Digest") != NULL)) {
        f->notes->skipped++;
        return false;
    }
    return give(f, out, (uint64_t)st.st_size);
}

static bool files_next(void *ctx, struct scan_object *out)
{
    struct files *f = ctx;
    for (;;) {
        if (f->depth > 0) {
            if (step(f, out))
                return true;
            continue;
        }
        if (f->next == f->n)
            return false;
        const char *path = f->paths[f->next++];
        path_set(f, 0, path);
        struct stat st;
        if (!buf_ok(&f->path) || stat(path, &st) != 0) {
            fault(f, path, errno);
            buf_clear(&f->path);
            continue;
        }
        if (!S_ISDIR(st.st_mode))
            return give(f, out, (uint64_t)st.st_size);
        enter(f);
    }
}

static int files_open(void *ctx, const char *name, void **out_handle)
{
    (void)ctx;
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno;
    *out_handle = (void *)(intptr_t)(fd + 1); /* NOLINT: a descriptor, kept as a pointer */
    return 0;
}

static ptrdiff_t files_read(void *handle, void *buf, size_t n)
{
    for (;;) {
        ssize_t r = read((int)(intptr_t)handle - 1, buf, n);
        if (r >= 0)
            return r;
        if (errno != EINTR)
            return -errno;
    }
}

static void files_close(void *handle)
{
    close((int)(intptr_t)handle - 1);
}

static void files_clear(void *ctx)
{
    struct files *f = ctx;
    while (f->depth > 0)
        closedir(f->open[--f->depth].dir);
    buf_clear(&f->path);
    free(f);
}

struct scan_source source_files(char *const *paths, size_t n, bool digests,
                                struct source_notes *notes)
{
    struct files *f = calloc(1, sizeof *f);
    CHECK(f != NULL);
    f->paths = paths;
    f->n = n;
    f->digests = digests;
    f->notes = notes;
    buf_init(&f->path, PATH_BYTES_MAX);
    return (struct scan_source){f, files_next, files_open, files_read, files_close, files_clear};
}
