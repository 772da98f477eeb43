/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preconditions.c - the files of a gateway: may its user write them, and what are they? See preconditions.h.
 *
 * Log and audit trail are opened with O_NOFOLLOW and must be regular files, so the same is asked here.
 *
 * Permissions are judged from mode and owner, without the capabilities of root: a gateway that root starts
 * gives them up. The log is opened before that, and a root process is therefore asked less about it.
 *
 * Not here: ports, certificates (preconditions_net.c), the files of secrets (conf/conf_files.c).
 */
#include "commands/run/preconditions.h"

#include "audit/audit_chain.h"
#include "base/text.h"
#include "commands/line/exit.h"
#include "stores/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define TAIL_BYTES 65536

static unsigned line_of(const struct preconditions *p, const char *section, const char *key)
{
    return conf_line_of(p->file, section, key);
}

static void mistake(const struct preconditions *p, struct findings *f, const char *key, int err,
                    const char *path, const char *why)
{
    findings_mistake(f, line_of(p, "gateway", key), key, err, "`%s`: %s %s", key, path, why);
}

/* ---- permissions ---- */

static bool in_group(gid_t group)
{
    int n = getgroups(0, NULL);
    gid_t *all = n > 0 ? calloc((size_t)n, sizeof(*all)) : NULL;
    bool found = getegid() == group;

    n = all ? getgroups(n, all) : 0;
    for (int i = 0; i < n; i++)
        found = found || all[i] == group;
    free(all);
    return found;
}

/* As without capabilities; `want` is of S_IRWXO. */
static bool permits(const struct stat *st, unsigned want)
{
    unsigned mode = st->st_mode;
    unsigned have = st->st_uid == geteuid() ? mode >> 6 : in_group(st->st_gid) ? mode >> 3 : mode;

    return (have & want) == want;
}

static void folder_of(const char *path, char out[PATH_BYTES])
{
    char copy[PATH_BYTES];

    if (!text_copy(copy, sizeof(copy), path) || !text_copy(out, PATH_BYTES, dirname(copy)))
        *out = '\0';
}

/* The directory in which a file is or will be made. False after reporting it. */
static bool folder_is_usable(const struct preconditions *p, struct findings *f, const char *key,
                             const char *path, bool privileged)
{
    char folder[PATH_BYTES];
    struct stat st;

    folder_of(path, folder);
    if (!*folder)
        mistake(p, f, key, -ENAMETOOLONG, path, "is too long for a file name");
    else if (stat(folder, &st) != 0)
        mistake(p, f, key, -errno, folder, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        mistake(p, f, key, -ENOTDIR, folder, "is not a directory");
    else if (!privileged && !permits(&st, S_IWOTH | S_IXOTH))
        mistake(p, f, key, -EACCES, folder, "cannot be written by the gateway's user");
    else
        return true;
    return false;
}

/* ---- log and audit trail ---- */

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "is a directory"
           : S_ISLNK(mode)  ? "is a link; name the file itself"
           : S_ISFIFO(mode) ? "is a pipe"
           : S_ISSOCK(mode) ? "is a socket"
                            : "is a device";
}

static bool is_null_device(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* True: it is there, of the right kind and writable. */
static bool file_is_usable(const struct preconditions *p, struct findings *f, const char *key,
                           const char *path, bool privileged, bool devnull)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        if (errno != ENOENT)
            mistake(p, f, key, -errno, path, strerror(errno));
        else
            (void)folder_is_usable(p, f, key, path, privileged);
        return false;
    }
    if (devnull && is_null_device(&st))
        return false;
    if (!S_ISREG(st.st_mode))
        mistake(p, f, key, -EMEDIUMTYPE, path, kind_of(st.st_mode));
    else if (!privileged && !permits(&st, S_IWOTH | (devnull ? 0 : S_IROTH)))
        mistake(p, f, key, -EACCES, path, "cannot be written by the gateway's user");
    else {
        return true;
    }
    return false;
}

/* Its end holds a line of an audit trail, or it begins as one does. */
static bool is_audit_trail(int fd)
{
    char *tail = malloc(TAIL_BYTES), start[sizeof(AUDIT_START)];
    size_t n = sizeof(AUDIT_START) - 1;
    off_t size = lseek(fd, 0, SEEK_END), from = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
    ssize_t got = tail && size > 0 ? pread(fd, tail, TAIL_BYTES, from) : -1;
    ssize_t first = pread(fd, start, n, 0);
    bool found = got < 0 || memmem(tail, (size_t)got, AUDIT_START, n) ||
                 (first > 0 && memcmp(start, AUDIT_START, (size_t)first) == 0);

    free(tail);
    return found;
}

static void check_audit_file(const struct preconditions *p, struct findings *f)
{
    const char *path = p->conf->gateway.audit_file;

    if (!file_is_usable(p, f, "audit_file", path, false, false))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return; /* its opening by the gateway says why */
    if (!is_audit_trail(fd))
        mistake(p, f, "audit_file", -EMEDIUMTYPE, path,
                "is no audit file of jumpgate; move it away or name another audit_file");
    (void)close(fd);
}

/* ---- the state directory ---- */

static bool state_dir_is_usable(const struct preconditions *p, struct findings *f)
{
    const char *path = p->conf->gateway.state_dir;
    struct stat st;

    if (stat(path, &st) != 0) {
        if (errno != ENOENT)
            mistake(p, f, "state_dir", -errno, path, strerror(errno));
        else if (!p->makes_state_dir)
            (void)folder_is_usable(p, f, "state_dir", path, false);
        return false;
    }
    if (!S_ISDIR(st.st_mode))
        mistake(p, f, "state_dir", -ENOTDIR, path, "is not a directory");
    else if (st.st_uid != geteuid())
        findings_mistake(
            f, line_of(p, "gateway", "state_dir"), "state_dir", -EPERM,
            "`state_dir`: %.300s (mode %04o) belongs to uid %lu and the gateway runs as uid %lu; set "
            "`user` in [gateway] to its owner, or chown it",
            path, (unsigned)(st.st_mode & 07777), (unsigned long)st.st_uid, (unsigned long)geteuid());
    else if (!permits(&st, S_IRWXO))
        mistake(p, f, "state_dir", -EACCES, path, "cannot be read and written by its owner; chmod 700 it");
    else
        return true;
    return false;
}

/* A gateway on etcd does not read the file in which it kept its leases before. */
static void check_left_store(const struct preconditions *p, struct findings *f)
{
    static const char remedy[] = "move them (jumpgate store copy), or start with type = sqlite and end them "
                                 "(jumpgate leases release --all)";
    const char *dir = p->conf->gateway.state_dir;
    unsigned line = line_of(p, "store", "type");
    char path[PATH_BYTES], why[SQLITE_CHECK_WHY];
    size_t requests = 0;
    struct stat st;

    if (snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, dir) >= (int)sizeof(path) || lstat(path, &st))
        return; /* also where an operator has moved it away */
    switch (sqlite_store_check(dir, &requests, why)) {
    case SQLITE_CHECK_ABSENT:
    case SQLITE_CHECK_MOVED: break;
    case SQLITE_CHECK_WHOLE:
        if (requests)
            findings_mistake(
                f, line, "type", -ENOTEMPTY,
                "`type`: %.150s still has %zu vault request%s, which a gateway on etcd would forget; %s",
                path, requests, requests == 1 ? "" : "s", remedy);
        break;
    default:
        findings_mistake(f, line, "type", -EBADMSG,
                         "`type`: whether leases are left in the lease store is unknown: %.250s; %s", why,
                         remedy);
    }
}

/* What the gateway keeps in the state directory: regular files of its own. */
static void check_state_files(const struct preconditions *p, struct findings *f)
{
    static const char *const names[] = {"lock", "audit.head", SQLITE_STORE_FILE, "instance"};
    const char *dir = p->conf->gateway.state_dir;
    char path[PATH_BYTES], why[SQLITE_LOOK_WHY];
    struct store_move move;
    struct stat st;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (snprintf(path, sizeof(path), "%s/%s", dir, names[i]) >= (int)sizeof(path) || lstat(path, &st))
            continue;
        if (!S_ISREG(st.st_mode))
            mistake(p, f, "state_dir", -EMEDIUMTYPE, path, kind_of(st.st_mode));
        else if (!permits(&st, S_IROTH | S_IWOTH))
            mistake(p, f, "state_dir", -EACCES, path, "cannot be read and written by the gateway's user");
    }
    if (p->conf->store.type == STORE_ETCD)
        check_left_store(p, f);
    else if (!p->rebuild && !sqlite_store_looks_good(dir, why))
        findings_mistake(f, line_of(p, "gateway", "state_dir"), "state_dir", -EBADMSG, "`state_dir`: %s",
                         why);
    else if (sqlite_store_moved(dir, &move))
        findings_mistake(
            f, line_of(p, "gateway", "state_dir"), "state_dir", -EBADMSG,
            "`state_dir`: the leases in %.120s were moved to %.120s; set `type` in [store] as it is "
            "there, or move them back (jumpgate store copy)",
            dir, move.peer);
}

/* ---- Unix sockets ---- */

static gid_t group_of(const char *text)
{
    const struct group *group = getgrnam(text);

    return group ? group->gr_gid : (gid_t)strtoul(text, NULL, 10);
}

static void check_unix_socket(const struct preconditions *p, struct findings *f,
                              const struct conf_listener *l)
{
    char section[CONF_NAME_MAX + 16], folder[PATH_BYTES];
    struct stat st;

    (void)snprintf(section, sizeof(section), "listener %s", l->name);
    unsigned line = line_of(p, section, "address");
    folder_of(l->host, folder);
    if (stat(folder, &st) != 0)
        findings_mistake(f, line, "address", -errno, "`address`: the directory of the socket, %s: %s", folder,
                         strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        findings_mistake(f, line, "address", -ENOTDIR, "`address`: %s is not a directory", folder);
    else if (!permits(&st, S_IWOTH | S_IXOTH))
        findings_mistake(f, line, "address", -EACCES, "`address`: %s cannot be written by the gateway's user",
                         folder);
    if (lstat(l->host, &st) == 0 && !S_ISSOCK(st.st_mode))
        findings_mistake(f, line, "address", -EEXIST, "`address`: in the way: %s %s", l->host,
                         S_ISREG(st.st_mode) ? "is a file" : kind_of(st.st_mode));
    if (l->unix_group && !p->from_root && !in_group(group_of(l->unix_group)))
        findings_mistake(
            f, line_of(p, section, "unix_group"), "unix_group", -EPERM,
            "`unix_group`: the gateway's user is not in the group %s, and cannot give the socket to it",
            l->unix_group);
}

/* ---- all of it ---- */

void preconditions_files(const struct preconditions *p, struct findings *f)
{
    const struct conf_gateway *g = &p->conf->gateway;
    char path[PATH_BYTES], state[PATH_BYTES], folder[PATH_BYTES];
    bool usable = state_dir_is_usable(p, f);

    if (usable)
        check_state_files(p, f);
    (void)snprintf(path, sizeof(path), "%s/audit", g->state_dir);
    folder_of(path, state);
    folder_of(g->audit_file, folder);
    if (usable || strcmp(folder, state) != 0) /* a missing state directory is made */
        check_audit_file(p, f);
    if (strcmp(g->log_file, "-") != 0)
        (void)file_is_usable(p, f, "log_file", g->log_file, geteuid() == 0, true);
    for (size_t i = 0; i < p->conf->nlisteners; i++) {
        const struct conf_listener *l = &p->conf->listeners[i];

        if (l->is_unix && !(p->passed && passed_socket_of(p->passed, l->name)))
            check_unix_socket(p, f, l);
    }
}

int preconditions_at_start(const struct preconditions *p)
{
    struct findings found = {0};
    int worst = 0;

    preconditions_files(p, &found);
    for (size_t i = 0; i < found.n; i++)
        if (!found.list[i].warning && (!worst || run_exit_of(found.list[i].err) == RUN_REFUSED))
            worst = found.list[i].err;
    if (found.failed && !worst)
        worst = -ENOMEM;
    findings_log(&found, p->file);
    findings_free(&found);
    return worst;
}
