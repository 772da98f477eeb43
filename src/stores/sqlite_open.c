/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite_open.c - the lease store's place in a state directory: taking it for a process, and reading or
 * judging it beside one.
 *
 * One process per directory: an exclusive flock on the file `lock`. That file also records that a store has
 * been made here, which tells a store that has vanished from a first start.
 *
 * Not here: what is in the file (sqlite_schema.c), who writes it (sqlite.c).
 */
#include "stores/sqlite.h"

#include "base/clock.h"
#include "stores/sqlite_schema.h"
#include "stores/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define NEWER_HINT "; install that version again, or restore a copy from before it (--rebuild does not help)"

/* ---- the place ---- */

/* Is there a file? 1, 0 or -errno: then there may be one. */
static int find_file(const char *path, off_t *size)
{
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : -errno;
    *size = st.st_size;
    return 1;
}

/* Renames the file and those that belong to it, so that an operator can examine them. */
static int move_aside(const char *path)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    char from[PATH_BYTES], to[PATH_BYTES];
    off_t size;
    int64_t now = clock_wall(&clock_system) / 1000;

    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        (void)snprintf(from, sizeof(from), "%s%s", path, parts[i]);
        if (snprintf(to, sizeof(to), "%s.damaged-%" PRId64 "%s", path, now, parts[i]) >= (int)sizeof(to))
            return -ENAMETOOLONG;
        int found = find_file(from, &size);

        if (found < 0)
            return found;
        if (found && rename(from, to))
            return -errno;
    }
    return 0;
}

/* The store must be there but is missing or empty: only a fault leaves it so (sqlite_schema.c). *here = there
 * is a file. 1, 0 or -errno. */
static int is_lost(const char *path, bool made, bool *here)
{
    char wal[PATH_BYTES + sizeof("-wal")];
    off_t size = 0;
    int found = find_file(path, &size);

    *here = found != 0;
    if (found)
        return found < 0 ? found : size == 0;
    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    return made ? 1 : find_file(wal, &size);
}

#define LOST_WORDS "it is empty or missing although a store was made here"

static enum sqlite_verdict open_or_create(struct sqlite_file *f, int lock, const char *path, bool made,
                                          char why[256])
{
    bool here;
    int lost = is_lost(path, made, &here);

    if (lost) {
        (void)snprintf(why, 256, "%s", lost < 0 ? strerror(-lost) : LOST_WORDS);
        f->error = lost < 0 ? lost : 0;
        return lost < 0 ? SQLITE_FILE_FAILED : SQLITE_FILE_DAMAGED;
    }
    f->error = here ? sqlite_file_settle(path, why) : sqlite_file_create(path, why);
    if (!f->error && !made) /* also where the process that made the store has ended before this */
        f->error = state_lock_mark(lock);
    if (f->error)
        return SQLITE_FILE_FAILED;
    return sqlite_file_open(f, path, why);
}

static int open_file(struct sqlite_file *f, int lock, const char *path, bool made, bool rebuild,
                     bool *rebuilt, char why[320])
{
    char cause[256] = "";
    enum sqlite_verdict verdict = open_or_create(f, lock, path, made, cause);

    if (verdict == SQLITE_FILE_DAMAGED && rebuild && move_aside(path) == 0) {
        *rebuilt = true;
        verdict = open_or_create(f, lock, path, false, cause);
    }
    if (verdict == SQLITE_FILE_GOOD)
        return 0;
    int err = verdict == SQLITE_FILE_FAILED && f->error ? f->error : -EBADMSG;
    const char *hint = verdict == SQLITE_FILE_DAMAGED
                           ? "; restore it from a backup, or start once with --rebuild, which moves it aside "
                             "and asks the vault what is still checked out"
                       : verdict == SQLITE_FILE_NEWER ? NEWER_HINT
                                                      : "";
    (void)snprintf(why, 320, "cannot use the lease store %.90s: %.70s%.125s", path, cause, hint);
    return err;
}

/* SQLite refuses a link anywhere on the way to its file, and a state directory may be one. */
static int store_path(const char *state_dir, char path[PATH_BYTES], char why[320])
{
    char *real = realpath(state_dir, NULL);
    int err = real ? 0 : -errno;

    if (real && snprintf(path, PATH_BYTES, "%s/" SQLITE_STORE_FILE, real) >= PATH_BYTES - 32)
        err = -ENAMETOOLONG;
    if (err)
        (void)snprintf(why, 320, "%.200s: %.80s", state_dir, strerror(-err));
    free(real);
    return err;
}

int sqlite_file_take(struct sqlite_file *f, int *lock, const char *state_dir, bool rebuild, bool *rebuilt,
                     char why[320])
{
    char path[PATH_BYTES];
    bool made = false;

    *rebuilt = false;
    *lock = state_lock(state_dir, &made, why);
    if (*lock < 0)
        return *lock;
    int err = store_path(state_dir, path, why);

    if (!err)
        err = open_file(f, *lock, path, made, rebuild, rebuilt, why);
    if (err) {
        (void)close(*lock);
        *lock = -1;
    }
    return err;
}

/* Has a store been made in this directory? */
static bool was_made(const char *dir)
{
    char path[PATH_BYTES], mark = 0;
    int fd;

    (void)snprintf(path, sizeof(path), "%s/lock", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool made = fd >= 0 && pread(fd, &mark, 1, 0) == 1;
    if (fd >= 0)
        (void)close(fd);
    return made;
}

bool sqlite_store_looks_good(const char *state_dir, char why[SQLITE_LOOK_WHY])
{
    char path[PATH_BYTES], head[SQLITE_FILE_HEAD];
    const char *fault = "";
    bool newer = false, here;

    if (snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, state_dir) >= (int)sizeof(path) - 32)
        return true; /* too long to be used: its opening says so */
    bool made = was_made(state_dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        fault = errno == ENOENT && is_lost(path, made, &here) > 0
                    ? "it is missing although a store was made here"
                    : "";
    } else {
        ssize_t n = pread(fd, head, sizeof(head), 0);

        fault = n < 0 ? "" : sqlite_file_fault(head, (size_t)n, &newer);
        (void)close(fd);
    }
    if (*fault)
        (void)snprintf(why, SQLITE_LOOK_WHY, "cannot use the lease store %.120s: %.60s%.100s", path, fault,
                       newer ? NEWER_HINT : "; restore it from a backup, or start once with --rebuild");
    return !*fault;
}

/* Rows of a file that is not whole would be those that are left of it: it is judged first. Rows that have
 * been moved are not read. */
static enum sqlite_verdict read_rows(sqlite3 **db, const struct store_reader *reader, void *arg,
                                     struct store_move *move, char cause[256])
{
    enum sqlite_verdict verdict = sqlite_file_judge(*db, cause);
    int err = verdict == SQLITE_FILE_GOOD ? sqlite_file_make_readable(db) : 0;

    if (verdict == SQLITE_FILE_GOOD && !err)
        err = sqlite_file_move(*db, move);
    if (verdict == SQLITE_FILE_GOOD && !err && move->state != MOVE_GONE)
        err = sqlite_file_load(*db, reader, arg);
    if (!err)
        return verdict;
    (void)snprintf(cause, 256, "its rows cannot be read");
    return err == -EUCLEAN ? SQLITE_FILE_DAMAGED : SQLITE_FILE_FAILED;
}

int sqlite_store_read(const char *state_dir, const struct store_reader *reader, void *arg, char why[320])
{
    char path[PATH_BYTES], cause[256];
    sqlite3 *db = NULL;
    struct store_move move = {.state = MOVE_NONE};
    enum sqlite_verdict verdict = SQLITE_FILE_FAILED;

    (void)snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, state_dir);
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, 2000);
    if (rc == SQLITE_OK)
        verdict = read_rows(&db, reader, arg, &move, cause);
    else
        (void)snprintf(cause, sizeof(cause), "%s", db ? sqlite3_errmsg(db) : "out of memory");
    (void)sqlite3_close(db);
    if (verdict == SQLITE_FILE_GOOD && move.state == MOVE_GONE)
        (void)snprintf(cause, sizeof(cause), "its rows were moved to %.200s", move.peer);
    else if (verdict == SQLITE_FILE_GOOD)
        return 0;
    (void)snprintf(why, 320, "cannot read %.150s: %.100s%s", path, cause,
                   verdict == SQLITE_FILE_NEWER ? "; use that version's command" : "");
    return -EIO;
}

/* ---- checking ---- */

static int count_request(void *arg, const struct request_row *row)
{
    size_t *requests = arg;

    *requests += row->state != REQUEST_LAPSED;
    return 0;
}

static const struct store_reader counting = {.request = count_request};

/*
 * Without a log beside it no process has the file open, or none has written: then it is opened as one that
 * does not change, since SQLite would make log and index files otherwise.
 */
static int open_to_read(const char *path, sqlite3 **db)
{
    char uri[3 * PATH_BYTES], wal[PATH_BYTES + 8];
    off_t size;
    size_t n = (size_t)snprintf(uri, sizeof(uri), "file:");

    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    for (const char *p = path; *p; p++)
        n += (size_t)snprintf(uri + n, sizeof(uri) - n, strchr("?#%", *p) ? "%%%02X" : "%c",
                              (unsigned char)*p);
    (void)snprintf(uri + n, sizeof(uri) - n, "%s", find_file(wal, &size) ? "" : "?immutable=1");
    int rc = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE, NULL);
    return rc == SQLITE_OK ? sqlite3_busy_timeout(*db, 2000) : rc;
}

static enum sqlite_check check_file(const char *path, size_t *requests, char cause[256])
{
    sqlite3 *db = NULL;
    struct store_move move = {.state = MOVE_NONE};
    enum sqlite_verdict verdict = SQLITE_FILE_FAILED;
    int rc = open_to_read(path, &db);

    if (rc == SQLITE_OK)
        verdict = read_rows(&db, &counting, requests, &move, cause);
    else
        (void)snprintf(cause, 256, "%s", db ? sqlite3_errmsg(db) : "out of memory");
    (void)sqlite3_close(db);
    if (move.state == MOVE_GONE)
        (void)snprintf(cause, 256, "its rows were moved to %.200s", move.peer);
    return move.state == MOVE_GONE         ? SQLITE_CHECK_MOVED
           : verdict == SQLITE_FILE_GOOD   ? SQLITE_CHECK_WHOLE
           : verdict == SQLITE_FILE_NEWER  ? SQLITE_CHECK_NEWER
           : verdict == SQLITE_FILE_FAILED ? SQLITE_CHECK_UNREADABLE
                                           : SQLITE_CHECK_DAMAGED;
}

enum sqlite_check sqlite_store_check(const char *state_dir, size_t *requests, char why[SQLITE_CHECK_WHY])
{
    char path[PATH_BYTES], cause[256] = "";
    enum sqlite_check found = SQLITE_CHECK_DAMAGED;
    bool here;

    *requests = 0;
    (void)snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, state_dir);
    int lost = is_lost(path, was_made(state_dir), &here);

    if (lost < 0)
        found = SQLITE_CHECK_UNREADABLE;
    if (lost)
        (void)snprintf(cause, sizeof(cause), "%s", lost < 0 ? strerror(-lost) : LOST_WORDS);
    else if (!here)
        return SQLITE_CHECK_ABSENT;
    else
        found = check_file(path, requests, cause);
    (void)snprintf(why, SQLITE_CHECK_WHY, "%.200s: %s", path, cause);
    return found;
}

bool sqlite_store_moved(const char *state_dir, struct store_move *move)
{
    char path[PATH_BYTES];
    sqlite3 *db = NULL;
    off_t size;

    *move = (struct store_move){.state = MOVE_NONE};
    if (snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, state_dir) >= (int)sizeof(path) ||
        find_file(path, &size) <= 0)
        return false;
    bool gone =
        open_to_read(path, &db) == SQLITE_OK && sqlite_file_move(db, move) == 0 && move->state == MOVE_GONE;

    (void)sqlite3_close(db);
    return gone;
}
