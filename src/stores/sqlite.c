/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite.c - the embedded lease store: group commit on a thread of its own.
 *
 * Lists of steps queue on the loop. One job at a time takes all that wait, applies them in one transaction
 * and commits with fsync; steps that come meanwhile are for the next job. So the loop never waits for the
 * disk. The journal decides how many steps share a commit.
 *
 *     steps() -> waiting --job--> batch -> BEGIN ask open close COMMIT -> done(APPLIED or OTHERWISE) for each
 *                                                \-- any failure --> ROLLBACK -> done(AWAY) for each
 *
 * After a failure the store reports it (writable = false) and probes once a second with a write of its own
 * until one succeeds. Only the running job touches the database; only the loop's thread touches the queues.
 *
 * One process per directory: an exclusive flock on the file `lock`. That file also records that a store has
 * been made here, which tells a store that has vanished from a first start.
 *
 * Not here: SQL (sqlite_rows.c) and the file itself (sqlite_schema.c).
 */
#include "stores/sqlite.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "loop/worker.h"
#include "stores/sqlite_schema.h"
#include "stores/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_EVERY_MS 1000
#define PATH_BYTES     4096
#define NEWER_HINT     "; install that version again, or restore a copy from before it (--rebuild does not help)"

struct sqlite_store {
    struct store store; /* first */
    struct loop *loop;
    struct sqlite_file file;
    int lock;
    struct worker worker;
    bool running;
    struct store_steps waiting, batch;
    enum store_outcome *outcomes; /* of the batch; NULL = no memory for them */
    struct deadline probe;
    bool probing; /* the running job is a probe */
    int err;      /* of the running job */
    uint64_t job_us;
    struct store_state state;
    char tag[ID_TAG_SIZE];
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void start_job(struct sqlite_store *);

/* ---- on the worker's thread ---- */

/* 0, or -errno and nothing of the batch has happened. */
static int apply_batch(struct sqlite_store *s)
{
    size_t n = 0;
    struct store_step *step;
    int err = sqlite_file_run(&s->file, SQL_BEGIN);

    STAILQ_FOREACH(step, &s->batch, link)
    if (err || (err = sqlite_file_step(&s->file, step, &s->outcomes[n++])))
        break;
    if (!err && s->probing)
        err = sqlite_file_run(&s->file, SQL_PROBE);
    crash_point("store.before_commit");
    if (!err)
        err = sqlite_file_run(&s->file, SQL_COMMIT);
    if (err) /* also what is left of the batch before, where this has failed */
        (void)sqlite_file_run(&s->file, SQL_ROLLBACK);
    crash_point("store.after_commit");
    return err;
}

static struct sqlite_store *store_of(struct worker *worker)
{
    return CONTAINER_OF(worker, struct sqlite_store, worker);
}

static void on_work(struct worker *worker)
{
    struct sqlite_store *s = store_of(worker);
    uint64_t from = clock_measure_us();

    s->err = s->outcomes ? apply_batch(s) : -ENOMEM;
    s->job_us = clock_measure_us() - from;
}

/* ---- on the loop ---- */

static void on_probe(struct deadline *d)
{
    struct sqlite_store *s = CONTAINER_OF(d, struct sqlite_store, probe);

    s->probing = true;
    if (!s->running)
        start_job(s);
}

static void note_outcome(struct sqlite_store *s, int err)
{
    if (err && s->state.writable)
        log_error("store_failed", "error=%s hint=%s", strerror(-err),
                  "no new check-outs until it can write again");
    if (!err && !s->state.writable)
        log_info("store_recovered", "commits=%" PRIu64, s->state.commits);
    s->state.writable = !err;
    (void)snprintf(s->state.why, sizeof(s->state.why), "%s", err ? strerror(-err) : "");
    if (err && !s->closing && timer_start(loop_timers(s->loop), &s->probe, PROBE_EVERY_MS, on_probe))
        log_error("store_probe", "error=%s", strerror(ENOMEM));
}

static void on_worker_closed(struct worker *worker)
{
    struct sqlite_store *s = store_of(worker);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;

    sqlite_file_close(&s->file);
    (void)close(s->lock);
    free(s);
    if (closed)
        closed(arg);
}

static void finish_close(struct sqlite_store *s)
{
    timer_stop(loop_timers(s->loop), &s->probe);
    worker_close(&s->worker, on_worker_closed);
}

/* Calls `done` of each step. It may give steps again: they join the waiting queue. */
static void finish_batch(struct sqlite_store *s, int err)
{
    struct store_steps batch = STAILQ_HEAD_INITIALIZER(batch);
    struct store_step *step;
    size_t n = 0;

    STAILQ_CONCAT(&batch, &s->batch);
    while ((step = STAILQ_FIRST(&batch))) {
        enum store_outcome outcome = err ? STORE_AWAY : s->outcomes[n++];
        struct request_row *now = step->now;

        STAILQ_REMOVE_HEAD(&batch, link);
        s->state.queued--;
        s->state.steps += !err;
        step->err = err;
        step->done(step, outcome);
        free(now);
    }
    free(s->outcomes);
    s->outcomes = NULL;
}

static void on_done(struct worker *worker)
{
    struct sqlite_store *s = store_of(worker);
    int err = s->err;

    s->probing = false;
    s->state.commits += !err;
    s->state.last_commit_us = s->job_us;
    note_outcome(s, err);
    finish_batch(s, err); /* `running` is still set, so no job starts meanwhile */
    s->running = false;
    if (!STAILQ_EMPTY(&s->waiting))
        start_job(s);
    else if (s->closing)
        finish_close(s);
}

static void start_job(struct sqlite_store *s)
{
    const struct store_step *step;
    size_t n = 1; /* a probe has none */

    STAILQ_CONCAT(&s->batch, &s->waiting);
    STAILQ_FOREACH(step, &s->batch, link)
    n++;
    s->outcomes = calloc(n, sizeof(*s->outcomes));
    s->running = true;
    s->err = -EAGAIN; /* unless there is a thread */
    worker_go(&s->worker);
}

static struct sqlite_store *sqlite_of(struct store *store)
{
    return CONTAINER_OF(store, struct sqlite_store, store);
}

static int sqlite_steps(struct store *store, struct store_steps *steps)
{
    struct sqlite_store *s = sqlite_of(store);
    struct store_step *step;

    if (s->closing)
        return -ESHUTDOWN;
    STAILQ_FOREACH(step, steps, link)
    {
        step->now = NULL;
        s->state.queued++;
    }
    STAILQ_CONCAT(&s->waiting, steps);
    if (!s->running)
        start_job(s);
    return 0;
}

static int sqlite_load(struct store *store, const struct store_reader *reader, void *arg)
{
    return sqlite_file_load(sqlite_of(store)->file.db, reader, arg);
}

static const char *sqlite_tag(const struct store *store)
{
    return ((const struct sqlite_store *)store)->tag;
}

static int sqlite_set_tag(struct store *store, const char tag[ID_TAG_SIZE])
{
    struct sqlite_store *s = sqlite_of(store);
    int err = sqlite_file_set_tag(s->file.db, tag);

    if (!err)
        (void)snprintf(s->tag, sizeof(s->tag), "%s", tag);
    return err;
}

static void sqlite_state(const struct store *store, struct store_state *state)
{
    *state = ((const struct sqlite_store *)store)->state;
}

static void sqlite_close(struct store *store, void (*closed)(void *arg), void *arg)
{
    struct sqlite_store *s = sqlite_of(store);

    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    if (!s->running)
        finish_close(s);
}

static const struct store_ops sqlite_ops = {
    .name = "sqlite",
    .load = sqlite_load,
    .tag = sqlite_tag,
    .set_tag = sqlite_set_tag,
    .steps = sqlite_steps,
    .state = sqlite_state,
    .close = sqlite_close,
};

/* ---- opening ---- */

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

static enum sqlite_verdict open_or_create(struct sqlite_store *s, const char *path, bool made, char why[256])
{
    bool here;
    int lost = is_lost(path, made, &here);

    if (lost) {
        (void)snprintf(why, 256, "%s", lost < 0 ? strerror(-lost) : LOST_WORDS);
        s->file.error = lost < 0 ? lost : 0;
        return lost < 0 ? SQLITE_FILE_FAILED : SQLITE_FILE_DAMAGED;
    }
    s->file.error = here ? sqlite_file_settle(path, why) : sqlite_file_create(path, why);
    if (!s->file.error && !made) /* also where the process that made the store has ended before this */
        s->file.error = state_lock_mark(s->lock);
    if (s->file.error)
        return SQLITE_FILE_FAILED;
    return sqlite_file_open(&s->file, path, why);
}

static int open_file(struct sqlite_store *s, const char *path, bool made, bool rebuild, bool *rebuilt,
                     char why[320])
{
    char cause[256] = "";
    enum sqlite_verdict verdict = open_or_create(s, path, made, cause);

    if (verdict == SQLITE_FILE_DAMAGED && rebuild && move_aside(path) == 0) {
        *rebuilt = true;
        verdict = open_or_create(s, path, false, cause);
    }
    if (verdict == SQLITE_FILE_GOOD)
        return 0;
    int err = verdict == SQLITE_FILE_FAILED && s->file.error ? s->file.error : -EBADMSG;
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

static int open_worker(struct sqlite_store *s, char why[320])
{
    s->worker.work = on_work;
    s->worker.done = on_done;
    int err = worker_open(s->loop, &s->worker);

    if (!err)
        return 0;
    (void)snprintf(why, 320, "cannot start the lease store's thread: %.80s", strerror(-err));
    sqlite_file_close(&s->file);
    return err;
}

struct store *sqlite_store_open(struct loop *loop, const char *state_dir, bool rebuild, bool *rebuilt,
                                char why[320])
{
    char path[PATH_BYTES];
    bool made = false;
    struct sqlite_store *s = calloc(1, sizeof(*s));

    *rebuilt = false;
    if (!s) {
        (void)snprintf(why, 320, "out of memory");
        return NULL;
    }
    s->store.ops = &sqlite_ops;
    s->loop = loop;
    s->state.writable = true;
    STAILQ_INIT(&s->waiting);
    STAILQ_INIT(&s->batch);
    s->lock = state_lock(state_dir, &made, why);
    if (s->lock < 0) {
        errno = -s->lock;
        free(s);
        return NULL;
    }
    int err = store_path(state_dir, path, why);
    if (!err)
        err = open_file(s, path, made, rebuild, rebuilt, why);
    if (!err && (err = sqlite_file_tag(s->file.db, s->tag))) {
        (void)snprintf(why, 320, "cannot read the tag in %.200s: %.80s", path, strerror(-err));
        sqlite_file_close(&s->file);
    }
    if (!err)
        err = open_worker(s, why);
    if (err) {
        (void)close(s->lock);
        free(s);
        errno = -err;
        return NULL;
    }
    return &s->store;
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

/* Rows of a file that is not whole would be those that are left of it: it is judged first. */
static enum sqlite_verdict read_rows(sqlite3 **db, const struct store_reader *reader, void *arg,
                                     char cause[256])
{
    enum sqlite_verdict verdict = sqlite_file_judge(*db, cause);
    int err = verdict == SQLITE_FILE_GOOD ? sqlite_file_make_readable(db) : 0;

    if (verdict == SQLITE_FILE_GOOD && !err)
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
    enum sqlite_verdict verdict = SQLITE_FILE_FAILED;

    (void)snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, state_dir);
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db, 2000);
    if (rc == SQLITE_OK)
        verdict = read_rows(&db, reader, arg, cause);
    else
        (void)snprintf(cause, sizeof(cause), "%s", db ? sqlite3_errmsg(db) : "out of memory");
    (void)sqlite3_close(db);
    if (verdict == SQLITE_FILE_GOOD)
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
    enum sqlite_verdict verdict = SQLITE_FILE_FAILED;
    int rc = open_to_read(path, &db);

    if (rc == SQLITE_OK)
        verdict = read_rows(&db, &counting, requests, cause);
    else
        (void)snprintf(cause, 256, "%s", db ? sqlite3_errmsg(db) : "out of memory");
    (void)sqlite3_close(db);
    return verdict == SQLITE_FILE_GOOD     ? SQLITE_CHECK_WHOLE
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
