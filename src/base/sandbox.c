/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.c - dumps, capabilities and files; see sandbox.h.
 *
 * Landlock is used through its system calls, because the C library of Debian 12 has no functions for it.
 * Rights that a kernel does not know are left out of the rules. Beyond files, signals to processes outside
 * and their abstract Unix sockets are refused where the kernel can (version 6).
 *
 * Not here: the list of system calls (sandbox_calls.c), which paths the gateway needs (sandbox_policy.c).
 */
#include "base/sandbox.h"

#include "base/sanitized.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POSSIBLE (!SANITIZED)

/* Of Landlock's later versions, not in the headers of every system. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (UINT64_C(1) << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (UINT64_C(1) << 15)
#endif
#define SCOPE_ABSTRACT (UINT64_C(1) << 0)
#define SCOPE_SIGNAL   (UINT64_C(1) << 1)

#define MAY_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define MAY_WRITE                                                                                            \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |            \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define MAY_SOCKET   (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define OF_FILES     (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)
#define KNOWN_FROM_1 ((UINT64_C(1) << 13) - 1)

/* The newest form; an older kernel is given as much of it as it knows. */
struct landlock_ruleset {
    uint64_t fs, net, scoped;
};

bool sandbox_possible(void)
{
    return POSSIBLE;
}

int sandbox_no_dumps(void)
{
    const struct rlimit none = {0, 0};

    (void)umask(077);
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -errno;
    return 0;
}

/* ---- capabilities ---- */

static int capabilities(long call, uint64_t *bits)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct set[2] = {{0}, {0}};

    for (unsigned i = 0; i < 2; i++)
        set[i].effective = set[i].permitted = (uint32_t)(*bits >> (32 * i));
    if (syscall(call, &head, set) != 0)
        return -errno;
    *bits = set[0].permitted | (uint64_t)set[1].permitted << 32;
    return 0;
}

bool sandbox_has_capabilities(void)
{
    uint64_t have = 0;

    return capabilities(SYS_capget, &have) == 0 && have;
}

/* The bounding set only matters to programs that are started, and none will be: no failure if it stays. */
int sandbox_capabilities(uint64_t keep)
{
    uint64_t have = 0;

    if (!POSSIBLE)
        return 0;
    int err = capabilities(SYS_capget, &have);
    if (!err && have) /* a change of user leaves them permitted and without effect */
        err = capabilities(SYS_capset, &have);
    if (err)
        return err;
    for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if (!(keep >> cap & 1))
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (have & ~keep) {
        have &= keep;
        err = capabilities(SYS_capset, &have);
    }
    if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        err = -errno;
    return err;
}

/* ---- another user ---- */

/* The capabilities stay permitted for sandbox_capabilities() to choose from; none is in effect until then. */
int sandbox_user(const char *name, uid_t uid, gid_t gid)
{
    if (POSSIBLE && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return -errno;
    if (initgroups(name, gid) != 0 || setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
        return -errno;
    if (setresuid((uid_t)-1, 0, (uid_t)-1) == 0)
        return -EPERM; /* the way back is open */
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return -errno; /* a change of user has set it back */
    return 0;
}

/* ---- files ---- */

static uint64_t rights_known(long version)
{
    uint64_t rights = KNOWN_FROM_1;

    if (version >= 2)
        rights |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (version >= 5)
        rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return rights;
}

static uint64_t rights_of(unsigned access)
{
    return (access & SANDBOX_READ ? MAY_READ : 0) | (access & SANDBOX_WRITE ? MAY_WRITE : 0) |
           (access & SANDBOX_SOCKET ? MAY_SOCKET : 0);
}

/* A rule holds for what the name means now: for a file that will be replaced, that is its directory. */
static int open_for_rule(const struct sandbox_path *p)
{
    char copy[PATH_MAX];

    if (!p->path || !*p->path || !text_copy(copy, sizeof(copy), p->path))
        return -1;
    return open(p->access & SANDBOX_REPLACE ? dirname(copy) : copy, O_PATH | O_CLOEXEC);
}

static int add_rule(int ruleset, const struct sandbox_path *p, uint64_t known)
{
    struct stat st;
    int err = 0, fd = open_for_rule(p);

    if (fd < 0)
        return 0;
    struct landlock_path_beneath_attr rule = {.allowed_access = rights_of(p->access) & known,
                                              .parent_fd = fd};
    if (fstat(fd, &st) != 0)
        err = -errno;
    if (!err && !S_ISDIR(st.st_mode))
        rule.allowed_access &= OF_FILES;
    if (!err && rule.allowed_access &&
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        err = -errno;
    (void)close(fd);
    return err;
}

int sandbox_files(const struct sandbox_path *paths, size_t n, bool abstract)
{
    long version =
        POSSIBLE ? syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) : 0;
    int err = 0;

    if (version <= 0)
        return 0;
    uint64_t known = rights_known(version);
    uint64_t scope = version >= SANDBOX_SCOPES ? SCOPE_SIGNAL | (abstract ? 0 : SCOPE_ABSTRACT) : 0;
    struct landlock_ruleset what = {.fs = known, .scoped = scope};
    size_t size = version >= SANDBOX_SCOPES ? sizeof(what) : sizeof(what.fs);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &what, size, 0);
    if (ruleset < 0)
        return -errno;
    for (size_t i = 0; i < n && !err; i++)
        err = add_rule(ruleset, &paths[i], known);
    if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        err = -errno;
    if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        err = -errno;
    (void)close(ruleset);
    return err ? err : (int)version;
}
