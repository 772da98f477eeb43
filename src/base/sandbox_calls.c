/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_calls.c - the system calls of a gateway that serves; see sandbox.h.
 *
 * An allow-list for seccomp: what is not in it ends the process, because nothing of ours calls it. Missing on
 * purpose: starting programs, tracing, other processes, mounts, namespaces, keys, modules, changing users,
 * memory that is executable, files without a name, Unix sockets. A few newer calls are answered ENOSYS
 * instead, since the C library and libuv try them first and have another way; mapping a library and making a
 * Unix socket are answered EACCES, since a resolver whose configuration changes tries them and can do
 * without. A program whose database listens on a Unix socket may make streams of that kind: the filter does
 * not see to which name they are connected, which the permissions of files alone limit then.
 *
 * The lists name what the libraries under us use as well: resolver and its modules, thread pool, the lease
 * store's locks and mappings, OpenSSL, the service manager's socket. Names that a kernel or a library does
 * not know are skipped.
 */
#include "base/sandbox.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* names of mappings, set by the C library */
#endif

#define SOCKET_TYPE  0xf /* without SOCK_CLOEXEC and SOCK_NONBLOCK */
#define MODULES_FILE "/etc/nsswitch.conf"
#define LINE_SIZE    512

/* clang-format off */
static const char *const allowed[] = {
    /* bytes and descriptors */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
    "close", "close_range", "lseek", "_llseek", "dup", "dup2", "dup3", "fcntl", "fcntl64", "pipe",
    "pipe2", "eventfd2", "sendfile", "sendfile64", "copy_file_range",
    /* waiting */
    "poll", "ppoll", "ppoll_time64", "select", "pselect6", "pselect6_time64", "epoll_create1",
    "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "nanosleep",
    "clock_nanosleep", "clock_nanosleep_time64", "restart_syscall", "pause",
    /* files, which Landlock fences */
    "open", "openat", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat", "fstatat64",
    "statx", "statfs", "statfs64", "fstatfs", "fstatfs64", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getcwd", "getdents", "getdents64", "unlink", "unlinkat", "rename",
    "renameat", "renameat2", "mkdir", "mkdirat", "rmdir", "ftruncate", "ftruncate64", "fallocate",
    "fsync", "fdatasync", "sync_file_range", "fadvise64", "flock", "chmod", "fchmod", "fchmodat",
    "fchown", "fchown32", "utimensat", "umask",
    /* memory: mmap and mprotect have rules of their own */
    "munmap", "mremap", "madvise", "brk", "mlock", "mlock2", "munlock", "msync", "mincore",
    /* sockets: socket() and socketpair() have rules of their own */
    "connect", "accept", "accept4", "bind", "listen", "getsockname", "getpeername", "getsockopt",
    "setsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "recvmmsg_time64",
    "shutdown",
    /* threads: clone() has a rule of its own */
    "futex", "futex_time64", "futex_waitv", "set_robust_list", "get_robust_list", "rseq",
    "set_tid_address", "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min", "membarrier", "arch_prctl",
    "getcpu", "exit", "exit_group",
    /* signals within */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
    "rt_sigtimedwait_time64", "rt_sigsuspend", "sigaltstack", "sigreturn", "setitimer", "getitimer",
    "alarm",
    /* who, when, how much */
    "getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid",
    "getgroups", "getpgrp", "getpgid", "getsid", "getpriority", "getrlimit", "getrusage", "sysinfo",
    "uname", "times", "time", "gettimeofday", "clock_gettime", "clock_gettime64", "clock_getres",
    "clock_getres_time64", "getrandom", "capget",
};

/* Tried first, with another way when they are not there. */
static const char *const absent[] = {
    "clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "openat2", "fchmodat2", "mseal",
    "map_shadow_stack",
};
/* clang-format on */

#define REFUSE     SCMP_ACT_ERRNO(EACCES)
#define WHOLE      UINT32_MAX
#define COUNT(all) (sizeof(all) / sizeof((all)[0]))

/* Calls by an argument: `action` when (argument & mask) is one of the values. */
static const struct call_rule {
    const char *name;
    uint32_t action;
    unsigned argument;
    uint64_t mask;
    size_t n;
    uint64_t values[4];
} rules[] = {
    /* No code comes to what was there at the start, whatever it is written to. */
    {"mmap", SCMP_ACT_ALLOW, 2, PROT_EXEC, 1, {0}},
    {"mmap2", SCMP_ACT_ALLOW, 2, PROT_EXEC, 1, {0}},
    {"mmap", REFUSE, 2, PROT_EXEC | PROT_WRITE, 1, {PROT_EXEC}},
    {"mmap2", REFUSE, 2, PROT_EXEC | PROT_WRITE, 1, {PROT_EXEC}},
    {"mprotect", SCMP_ACT_ALLOW, 2, PROT_EXEC, 1, {0}},
    {"socket", SCMP_ACT_ALLOW, 0, WHOLE, 3, {AF_INET, AF_INET6, AF_NETLINK}},
    {"ioctl", SCMP_ACT_ALLOW, 1, WHOLE, 4, {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX}},
    {"ioctl", SCMP_ACT_ALLOW, 1, WHOLE, 4, {TCGETS, TIOCGWINSZ, SIOCGIFINDEX, SIOCGIFNAME}},
    {"ioctl", SCMP_ACT_ALLOW, 1, WHOLE, 1, {SIOCOUTQ}},
    {"prctl", SCMP_ACT_ALLOW, 0, WHOLE, 3, {PR_SET_NAME, PR_GET_NAME, PR_SET_VMA}},
    {"prctl", SCMP_ACT_ALLOW, 0, WHOLE, 3, {PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ}},
    {"clone", SCMP_ACT_ALLOW, 0, CLONE_THREAD, 1, {CLONE_THREAD}},
    /* Limits may be read and lowered, of this process alone. */
    {"prlimit64", SCMP_ACT_ALLOW, 0, WHOLE, 1, {0}},
};

/* With the conditions, of which all must hold. */
static int add_call(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned n,
                    const struct scmp_arg_cmp *when)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(filter, action, number, n, when);
}

static int add_calls(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++)
        err = add_call(filter, action, names[i], 0, NULL);
    return err;
}

static int add_rule(scmp_filter_ctx filter, const struct call_rule *r)
{
    int err = 0;

    for (size_t i = 0; i < r->n && !err; i++)
        err = add_call(filter, r->action, r->name, 1,
                       &(struct scmp_arg_cmp){r->argument, SCMP_CMP_MASKED_EQ, r->mask, r->values[i]});
    return err;
}

/* The call for Unix sockets of one type. */
static int add_unix(scmp_filter_ctx filter, uint32_t action, const char *name, int type)
{
    const struct scmp_arg_cmp when[] = {{0, SCMP_CMP_MASKED_EQ, WHOLE, AF_UNIX},
                                        {1, SCMP_CMP_MASKED_EQ, SOCKET_TYPE, (uint64_t)type}};

    return add_call(filter, action, name, 2, when);
}

/* A pair of streams cannot be connected to anything else; a pair of datagram sockets could. */
static int add_pairs(scmp_filter_ctx filter)
{
    return add_unix(filter, SCMP_ACT_ALLOW, "socketpair", SOCK_STREAM);
}

static int add_unix_sockets(scmp_filter_ctx filter, unsigned with)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW};
    int err = 0;

    for (size_t i = 0; i < COUNT(types) && !err; i++) {
        bool allowed_type = types[i] == SOCK_STREAM && with & SANDBOX_UNIX_STREAMS;

        if (allowed_type || !(with & SANDBOX_ONLY_LOG))
            err = add_unix(filter, allowed_type ? SCMP_ACT_ALLOW : REFUSE, "socket", types[i]);
    }
    return err;
}

/* Signals go to this process alone. With SANDBOX_ONLY_LOG what would be refused is logged like any other
 * call. */
static int add_by_argument(scmp_filter_ctx filter, unsigned with)
{
    bool only_log = with & SANDBOX_ONLY_LOG;
    const uint64_t self = (uint64_t)getpid();
    const struct call_rule signals[] = {{"kill", SCMP_ACT_ALLOW, 0, WHOLE, 1, {self}},
                                        {"tgkill", SCMP_ACT_ALLOW, 0, WHOLE, 1, {self}}};
    int err = add_pairs(filter);

    if (!err)
        err = add_unix_sockets(filter, with);
    for (size_t i = 0; i < COUNT(rules) && !err; i++)
        if (!only_log || rules[i].action != REFUSE)
            err = add_rule(filter, &rules[i]);
    for (size_t i = 0; i < COUNT(signals) && !err; i++)
        err = add_rule(filter, &signals[i]);
    return err;
}

int sandbox_no_rings(void)
{
    if (!sandbox_possible())
        return 0;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return -ENOMEM;
    int err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0);
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}

int sandbox_calls(unsigned with)
{
    if (!sandbox_possible())
        return 0;
    scmp_filter_ctx filter = seccomp_init(with & SANDBOX_ONLY_LOG ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!err)
        err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!err)
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, where the library can */
    if (!err)
        err = add_calls(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    if (!err)
        err = add_calls(filter, SCMP_ACT_ERRNO(ENOSYS), absent, COUNT(absent));
    if (!err)
        err = add_by_argument(filter, with);
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}

/* ---- modules of the C library, loaded before the fence goes up ----
 *
 * Behind the fence no library can be mapped. The C library loads the modules that nsswitch.conf names when a
 * name is first looked up, and finds one that is loaded already by its file name. `files` and `dns` are part
 * of the C library itself; a module that is missing is missing to the C library as well.
 */

static void load_module(const char *service)
{
    char name[96];

    if (strlen(service) < sizeof(name) - sizeof("libnss_.so.2"))
        (void)snprintf(name, sizeof(name), "libnss_%s.so.2", service);
    else
        return;
    (void)dlopen(name, RTLD_NOW | RTLD_NODELETE); /* never closed: the C library will want it */
}

/* `hosts: files mdns4_minimal [NOTFOUND=return] dns` */
static void load_line(char *line)
{
    static const char *const databases[] = {"hosts", "passwd", "group", "initgroups"};
    char *rest = NULL, *database = strtok_r(line, " \t:", &rest);

    for (size_t i = 0; database && i < sizeof(databases) / sizeof(databases[0]); i++) {
        if (strcmp(database, databases[i]) != 0)
            continue;
        for (char *word = strtok_r(NULL, " \t\n", &rest); word && *word != '#';
             word = strtok_r(NULL, " \t\n", &rest))
            if (*word != '[' && strchr(word, '=') == NULL && strchr(word, ']') == NULL)
                load_module(word);
        return;
    }
}

void sandbox_load_modules(void)
{
    char line[LINE_SIZE];
    FILE *f = sandbox_possible() ? fopen(MODULES_FILE, "re") : NULL;

    if (!f)
        return;
    while (fgets(line, sizeof(line), f))
        load_line(line);
    (void)fclose(f);
}
