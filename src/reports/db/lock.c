/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.c - one collector per database; see lock.h.
 */
#include "reports/db/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define BESIDE      "-lock" /* behind the database's name */
#define NAME_NAPS   100
#define NAME_NAP_MS 10

struct db_lock {
    struct db *db;
    int state, beside; /* files; -1: the lock is the connection's */
};

static enum db_outcome busy(struct db *db, const char *holder)
{
    return db_fail(db, DB_BUSY, 0, "another collector works on this database: %.*s", DB_HOLDER_SIZE,
                   *holder ? holder : "its name cannot be read");
}

/* ---- of files ---- */

/* The holder writes its name as soon as it has the lock: a name that is not there yet is waited for. */
static void read_holder(int fd, char holder[DB_HOLDER_SIZE])
{
    const struct timespec nap = {.tv_nsec = NAME_NAP_MS * 1000000L};
    size_t len = 0;

    for (int naps = 0; naps <= NAME_NAPS; naps++) {
        ssize_t n = pread(fd, holder, DB_HOLDER_SIZE - 1, 0);

        holder[n > 0 ? n : 0] = 0;
        len = strcspn(holder, "\n");
        if (n < 0 || holder[len])
            break;
        (void)nanosleep(&nap, NULL);
    }
    holder[len] = 0;
}

static enum db_outcome lock_file(struct db *db, const char *path, const char *holder, int *fd)
{
    char other[DB_HOLDER_SIZE];

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*fd < 0)
        return db_fail(db, DB_AWAY, errno, "%.200s: %s", path, strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB)) {
        int err = errno;
        read_holder(*fd, other);
        (void)close(*fd);
        *fd = -1;
        return err == EWOULDBLOCK ? busy(db, other)
                                  : db_fail(db, DB_AWAY, err, "%.200s: %s", path, strerror(err));
    }
    /* The name is for people: a lock without one holds as well. */
    if (ftruncate(*fd, 0) == 0 && dprintf(*fd, "%.*s\n", DB_HOLDER_SIZE - 2, holder) > 0)
        return DB_OK;
    int err = errno;
    (void)close(*fd);
    *fd = -1;
    return db_fail(db, err == ENOSPC ? DB_FULL : DB_AWAY, err, "%.200s: %s", path, strerror(err));
}

/* The file beside the database; NULL where it has no file. */
static enum db_outcome find_beside(struct db *db, char **path)
{
    struct db_stmt *stmt;
    enum db_outcome outcome = db->ops->prepare(db, db->dialect->file, &stmt);

    *path = NULL;
    if (outcome != DB_OK)
        return outcome;
    outcome = db->ops->step(stmt);
    const char *file = outcome == DB_ROW ? db->ops->column_text(stmt, 0, NULL) : NULL;
    if (file && *file && asprintf(path, "%s" BESIDE, file) < 0) {
        *path = NULL;
        outcome = db_fail(db, DB_NO_MEMORY, 0, "out of memory");
    }
    db->ops->finalize(stmt);
    return outcome == DB_ROW ? DB_OK : outcome;
}

static enum db_outcome lock_files(struct db_lock *l, const char *state, const char *holder)
{
    char *beside = NULL;
    enum db_outcome outcome = lock_file(l->db, state, holder, &l->state);

    if (outcome == DB_OK)
        outcome = find_beside(l->db, &beside);
    if (outcome == DB_OK && beside)
        outcome = lock_file(l->db, beside, holder, &l->beside);
    free(beside);
    return outcome;
}

static void unlock_files(struct db_lock *l)
{
    if (l->beside >= 0)
        (void)close(l->beside);
    if (l->state >= 0)
        (void)close(l->state);
}

/* ---- a server's ---- */

static void find_holder(struct db *db, char holder[DB_HOLDER_SIZE])
{
    struct db_stmt *stmt;

    *holder = 0;
    if (db->ops->prepare(db, db->dialect->lock_holder, &stmt) != DB_OK)
        return;
    const char *name = db->ops->step(stmt) == DB_ROW ? db->ops->column_text(stmt, 0, NULL) : NULL;
    (void)snprintf(holder, DB_HOLDER_SIZE, "%s", name ? name : "");
    db->ops->finalize(stmt);
}

static enum db_outcome name_session(struct db *db, const char *holder)
{
    struct db_stmt *stmt;
    enum db_outcome outcome = db->ops->prepare(db, db->dialect->name_session, &stmt);

    if (outcome != DB_OK)
        return outcome;
    db->ops->bind_text(stmt, 1, holder, strnlen(holder, DB_HOLDER_SIZE - 1));
    outcome = db_run(db, stmt);
    db->ops->finalize(stmt);
    return outcome;
}

static enum db_outcome lock_server(struct db *db, const char *holder)
{
    char other[DB_HOLDER_SIZE];
    int64_t mine;
    enum db_outcome outcome = db_get_int(db, db->dialect->collector_lock, 0, &mine);

    if (outcome == DB_OK && mine != 1) {
        find_holder(db, other);
        return busy(db, other);
    }
    return outcome == DB_OK && db->dialect->name_session ? name_session(db, holder) : outcome;
}

enum db_outcome db_lock_take(struct db *db, const char *file, const char *holder, struct db_lock **lock)
{
    struct db_lock *l = calloc(1, sizeof(*l));

    *lock = NULL;
    if (!l)
        return db_fail(db, DB_NO_MEMORY, 0, "out of memory");
    *l = (struct db_lock){.db = db, .state = -1, .beside = -1};
    enum db_outcome outcome =
        db->dialect->collector_lock ? lock_server(db, holder) : lock_files(l, file, holder);
    if (outcome != DB_OK) {
        unlock_files(l);
        free(l);
        return outcome;
    }
    db->collector_lock = db->dialect->collector_lock;
    *lock = l;
    return DB_OK;
}

void db_lock_release(struct db_lock *l)
{
    if (!l)
        return;
    unlock_files(l);
    if (l->db->dialect->collector_unlock)
        (void)l->db->ops->exec(l->db, l->db->dialect->collector_unlock);
    l->db->collector_lock = false;
    free(l);
}
