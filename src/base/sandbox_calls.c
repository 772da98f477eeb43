/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_calls.c - the system calls of a gateway that serves; see sandbox.h.
 *
 * An allow-list for seccomp: what is not in it ends the process, because nothing of ours calls it. Missing on
 * purpose: starting programs, tracing, other processes, mounts, namespaces, keys, modules, changing users,
 * memory that is executable, files without a name, Unix sockets. A few newer calls are answered ENOSYS
 * instead, since the C library and libuv try them first and have another way; mapping a library and making a
 * Unix socket are answered EACCES, since a resolver whose configuration changes tries them and can do
 * without.
 *
 * The lists name what the libraries under us use as well: resolver and its modules, thread pool, the lease
 * store's locks and mappings, OpenSSL, the service manager's socket. Names that a kernel or a library does
 * not know are skipped.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* names of mappings, set by the C library */
#endif

#define SOCKET_TYPE 0xf /* without SOCK_CLOEXEC and SOCK_NONBLOCK */

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

static int add_call(scmp_filter_ctx filter, uint32_t action, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(filter, action, number, 0);
}

static int add_calls(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++)
        err = add_call(filter, action, names[i]);
    return err;
}

/* The call when (argument & mask) is `value`. */
static int add_call_when(scmp_filter_ctx filter, const char *name, unsigned argument, uint64_t mask,
                         uint64_t value)
{
    struct scmp_arg_cmp when = {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &when);
}

/* Answered EACCES when (argument & mask) is `value`. */
static int refuse_when(scmp_filter_ctx filter, const char *name, unsigned argument, uint64_t mask,
                       uint64_t value)
{
    struct scmp_arg_cmp when = {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
    int number = seccomp_syscall_resolve_name(name);

    return number == __NR_SCMP_ERROR
               ? 0
               : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EACCES), number, 1, &when);
}

/* No code comes to what was there at the start, whatever it is written to. */
static int add_memory(scmp_filter_ctx filter, bool only_log)
{
    int err = 0;

    for (unsigned i = 0; i < 2 && !err; i++) {
        const char *mmap_name = i ? "mmap2" : "mmap";

        err = add_call_when(filter, mmap_name, 2, PROT_EXEC, 0);
        if (!err && !only_log)
            err = refuse_when(filter, mmap_name, 2, PROT_EXEC | PROT_WRITE, PROT_EXEC);
    }
    return err ? err : add_call_when(filter, "mprotect", 2, PROT_EXEC, 0);
}

/* A pair of streams cannot be connected to anything else; a pair of datagram sockets could. */
static int add_pairs(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp when[] = {
        {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = AF_UNIX},
        {.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = SOCKET_TYPE, .datum_b = SOCK_STREAM},
    };
    int number = seccomp_syscall_resolve_name("socketpair");

    return number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 2, when);
}

static int add_some(scmp_filter_ctx filter, const char *name, unsigned argument, const uint64_t *values,
                    size_t n)
{
    int err = 0;

    for (size_t i = 0; i < n && !err; i++)
        err = add_call_when(filter, name, argument, UINT32_MAX, values[i]);
    return err;
}

static int add_by_argument(scmp_filter_ctx filter, bool only_log)
{
    static const uint64_t families[] = {AF_INET, AF_INET6, AF_NETLINK};
    static const uint64_t controls[] = {FIONBIO, FIONREAD,   FIOCLEX,      FIONCLEX,
                                        TCGETS,  TIOCGWINSZ, SIOCGIFINDEX, SIOCGIFNAME};
    static const uint64_t options[] = {PR_SET_NAME,     PR_GET_NAME,         PR_SET_VMA,
                                       PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ};
    const uint64_t self = (uint64_t)getpid();
    int err = add_memory(filter, only_log);

    if (!err)
        err = add_some(filter, "socket", 0, families, sizeof(families) / sizeof(families[0]));
    if (!err && !only_log)
        err = refuse_when(filter, "socket", 0, UINT32_MAX, AF_UNIX);
    if (!err)
        err = add_pairs(filter);
    if (!err)
        err = add_some(filter, "ioctl", 1, controls, sizeof(controls) / sizeof(controls[0]));
    if (!err)
        err = add_some(filter, "prctl", 0, options, sizeof(options) / sizeof(options[0]));
    if (!err)
        err = add_call_when(filter, "clone", 0, CLONE_THREAD, CLONE_THREAD);
    if (!err)
        err = add_call_when(filter, "kill", 0, UINT32_MAX, self);
    if (!err)
        err = add_call_when(filter, "tgkill", 0, UINT32_MAX, self);
    /* Limits may be read and lowered, of this process alone. */
    if (!err)
        err = add_call_when(filter, "prlimit64", 0, UINT32_MAX, 0);
    return err;
}

int sandbox_calls(bool only_log)
{
    if (!sandbox_possible())
        return 0;
    scmp_filter_ctx filter = seccomp_init(only_log ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return -ENOMEM;
    int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!err)
        err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!err)
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, where the library can */
    if (!err)
        err = add_calls(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));
    if (!err)
        err = add_calls(filter, SCMP_ACT_ERRNO(ENOSYS), absent, sizeof(absent) / sizeof(absent[0]));
    if (!err)
        err = add_by_argument(filter, only_log);
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}
