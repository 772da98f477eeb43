/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state.c - the stages state and disk: the state directory, the lease store in it, and the room that
 * is left where the gateway writes.
 *
 * The store is opened for reading alone, beside a running gateway too, and read as a whole. A state directory
 * without a store is that of a gateway that has not run yet.
 *
 * A disk that is full stops check-outs before it stops anything else: without a row in the store and a record
 * in the trail no secret leaves the gateway.
 */
#include "commands/doctor/own.h"

#include "conf/conf.h"
#include "stores/sqlite.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- state ---- */

static bool look_at_directory(struct own_side *own, const char *path)
{
    static const struct own_remedy missing = {
        "the gateway makes it at its first start, where it may write to the folder above",
        "make it, mode 0700, for the gateway's user; StateDirectory= of the unit does so"};
    static const struct own_remedy foreign = {
        "it belongs to another user than the gateway's: the gateway does not start",
        "chown it, with all that is in it, to the gateway's user, or set `user` in [gateway] to its owner"};
    static const struct own_remedy open_to_all = {
        "others than the gateway's user can read or change what is checked out by whom", "chmod 0700 it"};
    struct stat st;

    if (lstat(path, &st) != 0 && errno == ENOENT) {
        own_problem(own, own->run == GATEWAY_RUNS ? REPORT_FAILED : REPORT_WARNING, missing,
                    "%s is not there", path);
        return false;
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        own_problem(own, REPORT_FAILED, missing, "%s: %s", path,
                    S_ISDIR(st.st_mode) ? strerror(errno) : "not a directory");
        return false;
    }
    if (st.st_uid != own->uid)
        own_problem(own, REPORT_FAILED, foreign, "%s belongs to uid %lu, and the gateway runs as uid %lu",
                    path, (unsigned long)st.st_uid, (unsigned long)own->uid);
    if (st.st_mode & 077)
        own_problem(own, st.st_mode & 022 ? REPORT_FAILED : REPORT_WARNING, open_to_all, "%s has mode %04o",
                    path, (unsigned)(st.st_mode & 07777));
    report_note(own->d, "%s: uid %lu, mode %04o", path, (unsigned long)st.st_uid,
                (unsigned)(st.st_mode & 07777));
    return true;
}

static void look_at_store(struct own_side *own, const char *state_dir)
{
    static const struct own_remedy damaged = {
        "the file was cut, overwritten or written by another program",
        "restore it from a backup, or start once with `jumpgate run --rebuild`: it is moved aside, and the "
        "vault "
        "is asked what is still checked out"};
    static const struct own_remedy newer = {
        "the gateway was upgraded and has run, and this is the earlier version",
        "install the newer version again, or restore a copy of the state directory from before the upgrade; "
        "--rebuild does not touch the file"};
    static const struct own_remedy moved = {
        "`jumpgate store copy` has moved the leases, and [store] still names the file",
        "set `type = etcd` and its keys in [store], or move the leases back with `jumpgate store copy`"};
    static const struct own_remedy locked = {"this user may not read the file",
                                             "run the command as the gateway's user or as root"};
    char why[SQLITE_CHECK_WHY];
    size_t leases = 0;

    switch (sqlite_store_check(state_dir, &leases, why)) {
    case SQLITE_CHECK_WHOLE:
        report_note(own->d, "the lease store is whole and has %zu vault request%s", leases,
                    leases == 1 ? "" : "s");
        break;
    case SQLITE_CHECK_MOVED:
        if (own->conf->store.type == STORE_ETCD)
            report_note(own->d, "the lease store %s", why);
        else
            own_problem(own, REPORT_FAILED, moved, "the lease store %s", why);
        break;
    case SQLITE_CHECK_ABSENT: report_note(own->d, "no lease store yet: this gateway has not run"); break;
    case SQLITE_CHECK_DAMAGED: own_problem(own, REPORT_FAILED, damaged, "the lease store %s", why); break;
    case SQLITE_CHECK_NEWER: own_problem(own, REPORT_FAILED, newer, "the lease store %s", why); break;
    default: own_problem(own, REPORT_FAILED, locked, "the lease store %s", why);
    }
}

void own_state(struct own_side *own)
{
    const char *path = own->conf->gateway.state_dir;

    if (look_at_directory(own, path))
        look_at_store(own, path);
    own_good(own, "%s is the gateway's, and its store can be read", path);
}

/* ---- disk ---- */

#define MIB (1024ULL * 1024)

/* Below `few` it warns, below `none` it fails. */
static const struct {
    uint64_t few_bytes, none_bytes;
    uint64_t few_inodes, none_inodes;
} room = {.few_bytes = 512 * MIB, .none_bytes = 16 * MIB, .few_inodes = 1000, .none_inodes = 20};

static const struct own_remedy no_space = {
    "the file system is nearly full: without a row in the store and a record in the trail no secret is "
    "handed out",
    "make room, or move the file to another file system; old audit files can be packed and kept elsewhere"};
static const struct own_remedy no_inodes = {"the file system can hold hardly any further file",
                                            "see `df -i`; remove small files that are not needed"};
static const struct own_remedy read_only = {
    "the file system is mounted for reading alone, or was remounted so "
    "after an error",
    "see `dmesg` and `findmnt`; mount it for writing"};

/* The nearest folder that is there. */
static void folder_that_exists(const char *path, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s", path);
    while (access(out, F_OK) != 0 && strrchr(out, '/') && strcmp(out, "/") != 0) {
        char *slash = strrchr(out, '/');
        slash[slash == out] = '\0';
    }
}

static void look_at_room(struct own_side *own, const char *what, const char *path)
{
    char folder[PATH_MAX];
    struct statvfs fs;

    folder_that_exists(path, folder);
    if (statvfs(folder, &fs) != 0) {
        report_note(own->d, "%s: %s: %s", what, folder, strerror(errno));
        return;
    }
    uint64_t bytes = (uint64_t)fs.f_bavail * fs.f_frsize, inodes = fs.f_favail;
    if (fs.f_flag & ST_RDONLY)
        own_problem(own, REPORT_FAILED, read_only, "%s: %s cannot be written", what, folder);
    else if (bytes < room.few_bytes)
        own_problem(own, bytes < room.none_bytes ? REPORT_FAILED : REPORT_WARNING, no_space,
                    "%s: %" PRIu64 " MiB left on the file system of %s", what, (uint64_t)(bytes / MIB),
                    folder);
    /* Some file systems have no limit and say 0. */
    if (fs.f_files && inodes < room.few_inodes)
        own_problem(own, inodes < room.none_inodes ? REPORT_FAILED : REPORT_WARNING, no_inodes,
                    "%s: %" PRIu64 " inodes left on the file system of %s", what, inodes, folder);
    report_note(own->d, "%s: %s has %" PRIu64 " MiB left", what, folder, (uint64_t)(bytes / MIB));
}

void own_disk(struct own_side *own)
{
    const struct conf_gateway *g = &own->conf->gateway;

    look_at_room(own, "state", g->state_dir);
    look_at_room(own, "audit trail", g->audit_file);
    if (*g->log_file == '/')
        look_at_room(own, "log", g->log_file);
    own_good(own, "there is room for the state, the audit trail and the log");
}
