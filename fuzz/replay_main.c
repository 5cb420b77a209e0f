/* Runs a fuzz target over files, where libFuzzer is not there: the empty input, then every file
 * named on the command line, and those of every directory named. */
#include "fuzz.h"

#include "core/buf.h"

#include <dirent.h>
#include <sys/stat.h>

enum { INPUT_MAX = 16 * 1024 * 1024, PATH_LENGTH_MAX = 4096 };

static int runs;

/* In a piece of memory of its own and of its exact length, so that a sanitizer sees an overrun. */
static bool run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        return false;
    }
    CLEANUP(buf_clear) struct buf b = BUF_INIT(INPUT_MAX);
    char piece[16 * 1024];
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        buf_add(&b, piece, n);
    bool read_all = !ferror(f) && buf_ok(&b);
    fclose(f);
    if (!read_all) {
        fprintf(stderr, "%s: cannot be read, or larger than %d bytes\n", path, (int)INPUT_MAX);
        return false;
    }
    uint8_t *exact = malloc(b.n);
    CHECK(exact != NULL || b.n == 0);
    if (b.n > 0)
        memcpy(exact, b.p, b.n);
    LLVMFuzzerTestOneInput(exact, b.n);
    free(exact);
    runs++;
    return true;
}

static bool run_directory(const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL) {
        perror(path);
        return false;
    }
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(d)) != NULL;) {
        char file[PATH_LENGTH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        int n = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        ok = n > 0 && (size_t)n < sizeof file && run_file(file);
    }
    closedir(d);
    return ok;
}

int main(int argc, char **argv)
{
    bool ok = true;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; ok && i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0) {
            perror(argv[i]);
            ok = false;
        } else {
            ok = S_ISDIR(st.st_mode) ? run_directory(argv[i]) : run_file(argv[i]);
        }
    }
    printf("%d files\n", runs);
    return ok ? 0 : 1;
}
