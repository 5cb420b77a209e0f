/* A sandbox: bubblewrap with namespaces of everything, a read-only view of the system's libraries,
 * a private /tmp, no capability, a seccomp filter; and, when Ward runs as root, another user.
 *
 * Where that cannot be had there is no sandbox, and nothing is run. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ARGS_MAX = 96,
    PATH_BYTES = 4096,
    FD_CONTROL = 3, /* and init.c */
    FD_INIT = 4,
    FD_SECCOMP = 5,
    FD_HOSTS = 6,
    FD_PASSWD = 7,
    FD_LAST = 7,
    FD_ASIDE = 64,
    CALLS_KNOWN = 463, /* system calls from this number on are of a kernel after this list's */
    UID_FIRST = 61184, /* systemd's range for users that come and go */
    UID_COUNT = 4096,
    UID_INSIDE = 993,  /* as on AWS */
    GID_INSIDE = 990,
};

static const char hosts[] = "127.0.0.1 localhost\n::1 localhost\n";
static const char passwd[] = "sbx_user:x:993:990::/tmp:/sbin/nologin\n";

/* -- seccomp ----------------------------------------------------------------------------------- */

/* Everything that administers the machine, sees other processes or has kept hurting kernels. */
static const int denied[] = {
    SCMP_SYS(acct), SCMP_SYS(add_key), SCMP_SYS(adjtimex), SCMP_SYS(bpf), SCMP_SYS(chroot),
    SCMP_SYS(clock_adjtime), SCMP_SYS(clock_settime), SCMP_SYS(delete_module),
    SCMP_SYS(fanotify_init), SCMP_SYS(finit_module), SCMP_SYS(fsconfig), SCMP_SYS(fsmount),
    SCMP_SYS(fsopen), SCMP_SYS(fspick), SCMP_SYS(get_mempolicy), SCMP_SYS(init_module),
    SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(io_uring_setup),
    SCMP_SYS(ioperm), SCMP_SYS(iopl), SCMP_SYS(kcmp), SCMP_SYS(kexec_file_load),
    SCMP_SYS(kexec_load), SCMP_SYS(keyctl), SCMP_SYS(lookup_dcookie), SCMP_SYS(mbind),
    SCMP_SYS(migrate_pages), SCMP_SYS(modify_ldt), SCMP_SYS(mount), SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount), SCMP_SYS(move_pages), SCMP_SYS(name_to_handle_at), SCMP_SYS(nfsservctl),
    SCMP_SYS(open_by_handle_at), SCMP_SYS(open_tree), SCMP_SYS(perf_event_open),
    SCMP_SYS(personality), SCMP_SYS(pidfd_getfd), SCMP_SYS(pivot_root), SCMP_SYS(process_madvise),
    SCMP_SYS(process_mrelease), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(ptrace), SCMP_SYS(quotactl), SCMP_SYS(quotactl_fd), SCMP_SYS(reboot),
    SCMP_SYS(request_key), SCMP_SYS(set_mempolicy), SCMP_SYS(setdomainname),
    SCMP_SYS(sethostname), SCMP_SYS(setns), SCMP_SYS(settimeofday), SCMP_SYS(swapoff),
    SCMP_SYS(swapon), SCMP_SYS(sysfs), SCMP_SYS(syslog), SCMP_SYS(umount2), SCMP_SYS(unshare),
    SCMP_SYS(uselib), SCMP_SYS(userfaultfd), SCMP_SYS(ustat), SCMP_SYS(vhangup),
    SCMP_SYS(vmsplice)};

/* Only the four families, for both calls that make sockets: naming another one would load its
 * module into the kernel. */
static bool add_families(scmp_filter_ctx f, int call)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    bool ok = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), call, 1,
                               SCMP_A0(SCMP_CMP_GT, AF_NETLINK)) == 0;
    for (int family = 0; family < AF_NETLINK; family++) {
        bool listed = false;
        for (size_t i = 0; i < ARRAY_LEN(families); i++)
            listed |= families[i] == family;
        if (!listed)
            ok &= seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), call, 1,
                                   SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family)) == 0;
    }
    return ok;
}

static bool add_rules(scmp_filter_ctx f)
{
    static const unsigned long new_spaces[] = {CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,
                                               CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,
                                               CLONE_NEWCGROUP};
    bool ok = add_families(f, SCMP_SYS(socket)) && add_families(f, SCMP_SYS(socketpair));
    for (size_t i = 0; i < ARRAY_LEN(denied); i++)
        ok &= seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), denied[i], 0) == 0;
    for (size_t i = 0; i < ARRAY_LEN(new_spaces); i++)
        ok &= seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, new_spaces[i], new_spaces[i])) == 0;
    /* Its flags lie in memory, where a filter cannot look: libc falls back to clone. */
    ok &= seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
    ok &= seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                           SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI)) == 0;
    return ok;
}

/* Before all else: calls that nobody here has judged yet do not exist, nor do those of x32, whose
 * numbers are higher still. */
static bool write_head(int fd)
{
    static const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, CALLS_KNOWN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)};
    return write(fd, head, sizeof head) == (ssize_t)sizeof head;
}

static struct err *filter_fd(int *out)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "memfd_create");
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    bool ok = f != NULL && add_rules(f) && write_head(fd) && seccomp_export_bpf(f, fd) == 0 &&
              lseek(fd, 0, SEEK_SET) == 0;
    seccomp_release(f);
    if (!ok) {
        close(fd);
        return err_new(ERR_UNSUPPORTED, "No sandbox on this machine: the seccomp filter cannot be "
                                        "made.");
    }
    *out = fd;
    return NULL;
}

static struct err *text_fd(struct str text, int *out)
{
    int fd = memfd_create("text", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "memfd_create");
    if (write(fd, text.p, text.n) != (ssize_t)text.n || lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return err_new(ERR_FULL, "There is no memory to start a sandbox.");
    }
    *out = fd;
    return NULL;
}

/* -- the command ------------------------------------------------------------------------------- */

struct command { /* complete before the fork: the child only makes system calls */
    const char *bwrap, *code, *exe, *ca;
    const char *args[ARGS_MAX];
    size_t n;
    char links[4][64], tmp_bytes[32], uid[16], gid[16], proc_paths[3][32];
    int fds[FD_LAST + 1];
    int procs[CGROUP_PROCS_MAX];
    bool root;
    unsigned uid_outside;
};

static void arg(struct command *k, const char *a)
{
    CHECK(k->n < ARGS_MAX - 1);
    k->args[k->n++] = a;
}

static void args(struct command *k, const char *a, const char *b, const char *c)
{
    arg(k, a);
    if (b != NULL)
        arg(k, b);
    if (c != NULL)
        arg(k, c);
}

/* /lib and the like: links into /usr on today's systems, folders on others. */
static void add_system_dir(struct command *k, const char *path, char *target, size_t max)
{
    ssize_t n = readlink(path, target, max - 1);
    if (n > 0) {
        target[n] = '\0';
        args(k, "--symlink", target, path);
    } else {
        args(k, "--ro-bind-try", path, path);
    }
}

static void build_args(struct command *k, const struct sandbox_spec *s)
{
    static const char *const dirs[] = {"/bin", "/lib", "/lib64", "/sbin"};
    snprintf(k->tmp_bytes, sizeof k->tmp_bytes, "%lld", (long long)s->ephemeral_mb * 1024 * 1024);
    snprintf(k->uid, sizeof k->uid, "%d", UID_INSIDE);
    snprintf(k->gid, sizeof k->gid, "%d", GID_INSIDE);
    arg(k, k->bwrap);
    args(k, "--unshare-all", "--die-with-parent", "--new-session");
    args(k, "--cap-drop", "ALL", NULL);
    args(k, "--uid", k->uid, NULL);
    args(k, "--gid", k->gid, NULL);
    args(k, "--ro-bind", "/usr", "/usr");
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        add_system_dir(k, dirs[i], k->links[i], sizeof k->links[i]);
    args(k, "--ro-bind-try", "/etc/ssl/certs", "/etc/ssl/certs");
    args(k, "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache");
    args(k, "--ro-bind-data", "6", "/etc/hosts");
    args(k, "--ro-bind-data", "7", "/etc/passwd");
    args(k, "--ro-bind", k->code, "/var/task");
    args(k, "--ro-bind", k->exe, "/var/runtime/init");
    if (k->ca != NULL)
        args(k, "--ro-bind", k->ca, "/var/runtime/ca.pem");
    args(k, "--proc", "/proc", NULL);
    args(k, "--dev", "/dev", NULL);
    args(k, "--size", k->tmp_bytes, NULL);
    args(k, "--perms", "1777", NULL);
    args(k, "--tmpfs", "/tmp", NULL);
    args(k, "--remount-ro", "/dev", NULL);
    args(k, "--remount-ro", "/", NULL);
    args(k, "--chdir", "/var/task", NULL);
    args(k, "--seccomp", "5", NULL);
    args(k, "--", "/var/runtime/init", LAMBDA_INIT_COMMAND);
    k->args[k->n] = NULL;
}

/* -- the child --------------------------------------------------------------------------------- */

static _Noreturn void child_fails(const char *what)
{
    static const char prefix[] = "no sandbox on this machine: ";
    ssize_t n = write(2, prefix, sizeof prefix - 1);
    n = write(2, what, strlen(what));
    n = write(2, "\n", 1);
    (void)n;
    _exit(126);
}

/* As root: what the sandbox shows is made reachable in a private mount namespace, under /tmp, and
 * Ward's user is left behind. Paths into the data directory would be closed to the other user. */
static void leave_root(struct command *k)
{
    static const char *const places[3] = {"/tmp/task", "/tmp/init", "/tmp/ca.pem"};
    const char *from[3] = {k->code, k->exe, k->ca};
    int fds[3] = {-1, -1, -1};
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        child_fails("as root, Ward must be allowed to make mount namespaces");
    for (int i = 0; i < 3; i++) {
        if (from[i] == NULL)
            continue;
        fds[i] = open(from[i], O_PATH | O_CLOEXEC);
        if (fds[i] < 0)
            child_fails("a file of the sandbox cannot be opened");
    }
    for (int i = 0; i < 3; i++) {
        char *p = k->proc_paths[i]; /* "/proc/self/fd/NN", without stdio */
        memcpy(p, "/proc/self/fd/", 14);
        int fd = fds[i] < 0 ? 0 : fds[i];
        p[14] = (char)('0' + fd / 1000 % 10);
        p[15] = (char)('0' + fd / 100 % 10);
        p[16] = (char)('0' + fd / 10 % 10);
        p[17] = (char)('0' + fd % 10);
        p[18] = '\0';
        char *digits = p + 14; /* the kernel takes no leading zeros */
        while (digits[0] == '0' && digits[1] != '\0')
            memmove(digits, digits + 1, strlen(digits));
    }
    if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=64k") != 0)
        child_fails("a private folder cannot be mounted");
    for (int i = 0; i < 3; i++) {
        if (fds[i] < 0)
            continue;
        int made = i == 0 ? mkdir(places[i], 0755)
                          : open(places[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        if (made < 0 || mount(k->proc_paths[i], places[i], NULL, MS_BIND, NULL) != 0)
            child_fails("a file of the sandbox cannot be mounted");
    }
    if (syscall(SYS_setgroups, 0, NULL) != 0 ||
        syscall(SYS_setresgid, k->uid_outside, k->uid_outside, k->uid_outside) != 0 ||
        syscall(SYS_setresuid, k->uid_outside, k->uid_outside, k->uid_outside) != 0)
        child_fails("the user cannot be changed");
}

static _Noreturn void child(struct command *k)
{
    static char path[] = "PATH=/usr/bin:/bin";
    char *const environment[] = {path, NULL};
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < CGROUP_PROCS_MAX; i++)
        if (k->procs[i] >= 0 && write(k->procs[i], "0", 1) != 1)
            child_fails("the control group takes no process");
    int aside[FD_LAST + 1]; /* above every target, so that none is overwritten before its turn */
    for (int i = 0; i <= FD_LAST; i++)
        aside[i] = fcntl(k->fds[i], F_DUPFD, FD_ASIDE);
    for (int i = 0; i <= FD_LAST; i++)
        if (dup2(aside[i], i) < 0)
            _exit(126);
    if (syscall(SYS_close_range, FD_LAST + 1, ~0U, 0) != 0)
        child_fails("descriptors cannot be closed (close_range)");
    if (k->root)
        leave_root(k);
    execve(k->bwrap, (char *const *)k->args, environment);
    child_fails("bubblewrap (bwrap) cannot be run");
}

/* -- starting ---------------------------------------------------------------------------------- */

static const char *find_bwrap(void)
{
    static const char *const places[] = {"/usr/bin/bwrap", "/bin/bwrap", "/usr/local/bin/bwrap"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static struct err *own_exe(char path[PATH_BYTES])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_BYTES - 1);
    if (n <= 0)
        return err_errno(errno, "readlink");
    path[n] = '\0';
    return NULL;
}

static void close_all(int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static struct err *open_fds(const struct sandbox_spec *s, struct command *k, int control[2],
                            int output[2])
{
    if (pipe2(output, O_CLOEXEC) != 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
        return err_errno(errno, "socketpair");
    k->fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (k->fds[0] < 0)
        return err_errno(errno, "open");
    TRY(text_fd(s->init, &k->fds[FD_INIT]));
    TRY(filter_fd(&k->fds[FD_SECCOMP]));
    TRY(text_fd(str_c(hosts), &k->fds[FD_HOSTS]));
    TRY(text_fd(str_c(passwd), &k->fds[FD_PASSWD]));
    k->fds[1] = k->fds[2] = output[1];
    k->fds[FD_CONTROL] = control[1];
    return NULL;
}

static struct err *start(const struct sandbox_spec *s, struct command *k, struct sandbox *out)
{
    static _Atomic unsigned count;
    int control[2] = {-1, -1}, output[2] = {-1, -1};
    struct err *e = open_fds(s, k, control, output);
    if (e == NULL) {
        k->root = geteuid() == 0;
        k->uid_outside = UID_FIRST + atomic_fetch_add(&count, 1) % UID_COUNT;
        cgroup_make(s->id, s->memory_mb, s->ephemeral_mb, out->cgroup, k->procs);
        if (k->root) {
            const char *real[3] = {k->code, k->exe, k->ca};
            k->code = "/tmp/task";
            k->exe = "/tmp/init";
            k->ca = k->ca != NULL ? "/tmp/ca.pem" : NULL;
            build_args(k, s);
            k->code = real[0];
            k->exe = real[1];
            k->ca = real[2];
        } else {
            build_args(k, s);
        }
        out->pid = fork();
        if (out->pid == 0)
            child(k);
        if (out->pid < 0) {
            e = err_errno(errno, "fork");
            cgroup_remove(out->cgroup);
        }
        close_all(k->procs, CGROUP_PROCS_MAX);
    }
    k->fds[1] = k->fds[2] = k->fds[FD_CONTROL] = -1; /* the pairs' */
    close_all(k->fds, FD_LAST + 1);
    close_all(&control[1], 1);
    close_all(&output[1], 1);
    if (e != NULL) {
        close_all(&control[0], 1);
        close_all(&output[0], 1);
        return e;
    }
    fcntl(control[0], F_SETFL, O_NONBLOCK);
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    out->control = control[0];
    out->output = output[0];
    return NULL;
}

struct err *sandbox_start(const struct sandbox_spec *s, struct sandbox *out)
{
    char exe[PATH_BYTES];
    struct command k = {.code = s->code_dir, .ca = s->ca_file, .bwrap = find_bwrap(),
                        .procs = {-1, -1}};
    for (int i = 0; i <= FD_LAST; i++)
        k.fds[i] = -1;
    if (k.bwrap == NULL)
        return err_new(ERR_UNSUPPORTED, "No sandbox on this machine: bubblewrap (bwrap) is not "
                                        "installed.");
    TRY(own_exe(exe));
    k.exe = exe;
    struct sandbox made = {0};
    TRY(start(s, &k, &made));
    *out = made;
    return NULL;
}

void sandbox_kill(struct sandbox *s)
{
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(s->control);
    close(s->output);
    cgroup_remove(s->cgroup);
}

int64_t sandbox_memory_used(const struct sandbox *s)
{
    return cgroup_memory_peak(s->cgroup);
}
