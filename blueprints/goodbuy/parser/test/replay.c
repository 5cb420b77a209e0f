/* Runs the fuzz target over every file of a folder. Usage: parser_corpus FOLDER */
#include "core/buf.h"

#include <dirent.h>

enum { FILE_MAX = 1024 * 1024 };

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static bool run_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    CLEANUP(buf_clear) struct buf b = BUF_INIT(FILE_MAX);
    char *to = buf_reserve(&b, FILE_MAX);
    buf_advance(&b, fread(to, 1, FILE_MAX, f));
    fclose(f);
    LLVMFuzzerTestOneInput((const unsigned char *)b.p, b.n);
    return true;
}

int main(int argc, char **argv)
{
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    int n = 0;
    if (d == NULL)
        return 2;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        if (!run_file(argv[1], e->d_name))
            return 1;
        n++;
    }
    closedir(d);
    printf("%d files\n", n);
    return n >= 10 ? 0 : 1;
}
