/* Control groups, of either version, where Ward may make them: usually only as root. They bound all
 * of a sandbox together; the limits of single processes (init.c) hold everywhere. */
#include "exec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define GROUP "ward-lambda"

enum { REMOVE_TRIES = 200, REMOVE_PAUSE_MS = 5 };

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool set(const char *dir, const char *file, long long value)
{
    char path[256], text[32];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    snprintf(text, sizeof text, "%lld", value);
    return write_text(path, text);
}

static int open_procs(const char *dir)
{
    char path[256];
    snprintf(path, sizeof path, "%s/cgroup.procs", dir);
    return open(path, O_WRONLY | O_CLOEXEC);
}

static bool unified(void)
{
    return access(ROOT "/cgroup.controllers", F_OK) == 0;
}

static bool make_unified(const char *dir, long long bytes)
{
    if (mkdir(ROOT "/" GROUP, 0755) != 0 && errno != EEXIST)
        return false;
    write_text(ROOT "/cgroup.subtree_control", "+memory +pids");
    if (!write_text(ROOT "/" GROUP "/cgroup.subtree_control", "+memory +pids") ||
        mkdir(dir, 0755) != 0)
        return false;
    if (set(dir, "memory.max", bytes) && set(dir, "pids.max", EXEC_PROCESSES_MAX)) {
        set(dir, "memory.swap.max", 0); /* not there without swap */
        return true;
    }
    rmdir(dir);
    return false;
}

static void dir_of(char out[160], const char *controller, const char *name)
{
    if (controller == NULL)
        snprintf(out, 160, ROOT "/" GROUP "/%s", name);
    else
        snprintf(out, 160, ROOT "/%s/" GROUP "-%s", controller, name);
}

void cgroup_make(const char *env_id, int64_t memory_mb, int64_t ephemeral_mb, char name[64],
                 int out_procs[CGROUP_PROCS_MAX])
{
    char memory[160], pids[160], id[64];
    snprintf(id, sizeof id, "%d-%s", (int)getpid(), env_id); /* whose it is, for cgroup_sweep() */
    /* /tmp is memory here and disk on AWS: it counts beside MemorySize. */
    long long bytes = (memory_mb + ephemeral_mb + EXEC_OVERHEAD_MB) * 1024 * 1024;
    name[0] = '\0';
    out_procs[0] = out_procs[1] = -1;
    if (unified()) {
        dir_of(memory, NULL, id);
        if (!make_unified(memory, bytes))
            return;
        out_procs[0] = open_procs(memory);
        snprintf(name, 64, "%s", id);
        return;
    }
    dir_of(memory, "memory", id);
    dir_of(pids, "pids", id);
    if (mkdir(memory, 0755) != 0)
        return;
    if (!set(memory, "memory.limit_in_bytes", bytes) || mkdir(pids, 0755) != 0) {
        rmdir(memory);
        return;
    }
    if (set(pids, "pids.max", EXEC_PROCESSES_MAX)) {
        out_procs[0] = open_procs(memory);
        out_procs[1] = open_procs(pids);
    }
    snprintf(name, 64, "%s", id);
}

/* A group is busy until the kernel has buried the last process of the namespace, which were all
 * killed. There is nothing to wait on in version 1, so it is tried again, for a second at most. */
static void remove_dir(const char *dir)
{
    for (int i = 0; i < REMOVE_TRIES && rmdir(dir) != 0 && errno == EBUSY; i++)
        poll(NULL, 0, REMOVE_PAUSE_MS);
}

void cgroup_remove(const char *name)
{
    char dir[160];
    if (name[0] == '\0')
        return;
    dir_of(dir, unified() ? NULL : "memory", name);
    remove_dir(dir);
    if (unified())
        return;
    dir_of(dir, "pids", name);
    remove_dir(dir);
}

static void sweep_dir(const char *parent, const char *prefix)
{
    char path[512];
    DIR *d = opendir(parent);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        struct str rest = str_c(e->d_name);
        int64_t pid;
        if (!str_starts_c(rest, prefix))
            continue;
        rest = str_skip(rest, strlen(prefix));
        if (!str_to_i64(str_cut(&rest, '-'), 1, INT32_MAX, &pid) || kill((pid_t)pid, 0) == 0 ||
            errno != ESRCH)
            continue;
        snprintf(path, sizeof path, "%s/%s", parent, e->d_name);
        rmdir(path);
    }
    if (d != NULL)
        closedir(d);
}

void cgroup_sweep(void)
{
    if (unified()) {
        sweep_dir(ROOT "/" GROUP, "");
        return;
    }
    sweep_dir(ROOT "/memory", GROUP "-");
    sweep_dir(ROOT "/pids", GROUP "-");
}

int64_t cgroup_memory_peak(const char *name)
{
    char dir[160], path[256], text[32];
    int64_t bytes = 0;
    if (name[0] == '\0')
        return 0;
    dir_of(dir, unified() ? NULL : "memory", name);
    snprintf(path, sizeof path, "%s/%s", dir,
             unified() ? "memory.peak" : "memory.max_usage_in_bytes");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (n > 0 && str_to_i64(str_trim(str_of(text, (size_t)n)), 0, INT64_MAX, &bytes))
        return bytes;
    return 0;
}
