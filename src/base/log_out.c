/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_out.c - lines to a descriptor, by a thread of their own; see log_out.h.
 *
 * A thread rather than O_NONBLOCK: that flag belongs to the open file, which a shell and other programs may
 * share, and for a file on a stalled disk it means nothing.
 *
 * A write to anything but a regular file comes after poll() has reported space and has PIPE_BUF bytes at
 * most, so a write to a pipe does not block. The thread polls again every LOOK_MS. When the output is
 * replaced while a line waits for a reader, the whole line is written to the new output. For a regular file
 * all queued lines are one write.
 *
 * The journal takes one record at a time, as a datagram; poll() reports space there too.
 *
 * Locking: the lock protects `out`; `batch` belongs to the thread. The thread closes a descriptor that it has
 * taken; use_fd() closes any other that it replaces.
 */
#include "base/log_out.h"

#include "base/log.h"
#include "base/log_journal.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX (1024 * 1024) /* bytes of queued lines */
#define KEPT_MAX  (64 * 1024)   /* memory that an empty buffer keeps */
#define NOTE_MAX  512
#define SYNC_MS   2000 /* longest wait of a line for a reader without the thread */
#define CLOSE_MS  2000 /* longest wait for the thread at the end */
#define SWITCH_MS 1000 /* longest wait of a new output for earlier lines, unless the thread is blocked */
#define LOOK_MS   250  /* interval at which a blocked thread checks for a new output */
#define NAP_MS    20   /* pause when poll(2) reports space and write(2) takes nothing */

struct output {
    int fd;
    bool regular;
    bool journal; /* takes whole records */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    pthread_t thread;
    struct output in_force;
    int taken; /* the descriptor that the thread uses; -1 = none */
    char *file;
    struct buf queue;
    uint64_t missing; /* lines left out and not yet written about */
    uint64_t noted;   /* the same, while the line about them is being written */
    bool made, running, stop, idle, writing, ended;
    bool blocked; /* the thread waits for a reader */
    bool broken;  /* the last write of the thread failed: it waits for the next line before it tries again */
    bool stuck;   /* no reader when a line was last written without the thread */
    void (*note)(struct buf *, uint64_t);
} out = {.lock = PTHREAD_MUTEX_INITIALIZER,
         .wake = PTHREAD_COND_INITIALIZER,
         .done = PTHREAD_COND_INITIALIZER,
         .in_force = {.fd = STDERR_FILENO},
         .taken = -1,
         .queue = {.max = QUEUE_MAX}};

/* The journal's socket is made once, and stays: the sandbox allows no later one. */
static struct {
    bool looked, is_stderr;
    int fd;
    char path[108];
} journal = {.fd = -1};

static _Atomic enum log_sink sink;

static struct buf batch = {.max = QUEUE_MAX + NOTE_MAX};
static atomic_uint_fast64_t left_out;

static void empty_buffer(struct buf *b)
{
    if (b->cap > KEPT_MAX)
        buf_free(b);
    else
        buf_clear(b);
}

static void lock_out(void)
{
    (void)pthread_mutex_lock(&out.lock);
}

static void unlock_out(void)
{
    (void)pthread_mutex_unlock(&out.lock);
}

uint64_t log_left_out(void)
{
    return atomic_load_explicit(&left_out, memory_order_relaxed);
}

/* Under the lock. */
static void leave_out(size_t lines)
{
    out.missing += lines;
    atomic_fetch_add_explicit(&left_out, lines, memory_order_relaxed);
}

static size_t count_lines(struct output o, const char *p, size_t n)
{
    size_t lines = 0;

    for (const char *end = p + n; o.journal && p < end; p = log_journal_next(p, (size_t)(end - p)))
        lines++;
    if (o.journal)
        return lines;

    for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

/* ---- descriptors ---- */

static bool is_null_device(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* Opening a pipe without a reader would block the start, and a link may lead to a file of another user. */
static int open_file(const char *file)
{
    struct stat st;

    if (strcmp(file, "-") == 0)
        return STDERR_FILENO;
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0)
        return errno == ENXIO ? -EMEDIUMTYPE : -errno;
    int err = fstat(fd, &st) != 0 ? -errno : 0;
    if (!err && !S_ISREG(st.st_mode) && !is_null_device(&st))
        err = -EMEDIUMTYPE;
    if (err)
        (void)close(fd);
    return err ? err : fd;
}

static bool is_regular(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void close_own(int fd)
{
    if (fd >= 0 && fd != STDERR_FILENO && fd != journal.fd)
        (void)close(fd);
}

/* Once, before the sandbox. */
static void find_journal(const char *path)
{
    if (journal.looked)
        return;
    journal.looked = true;
    journal.is_stderr = log_journal_is_stderr();
    if (!journal.is_stderr || !text_copy(journal.path, sizeof(journal.path), path))
        return;
    int fd = log_journal_open(path);
    journal.fd = fd >= 0 ? fd : -1;
}

static enum log_sink stderr_sink(void)
{
    return journal.is_stderr ? LOG_SINK_PREFIX : LOG_SINK_PLAIN;
}

enum log_sink log_out_sink(void)
{
    return atomic_load_explicit(&sink, memory_order_relaxed);
}

bool log_out_stderr_is_journal(void)
{
    return journal.is_stderr;
}

bool log_out_is_one_stream(void)
{
    struct stat one, two;

    return fstat(STDOUT_FILENO, &one) == 0 && fstat(STDERR_FILENO, &two) == 0 && one.st_dev == two.st_dev &&
           one.st_ino == two.st_ino;
}

static bool is_on_stderr(void)
{
    lock_out();
    bool same = out.in_force.fd == STDERR_FILENO || out.in_force.journal;
    unlock_out();
    return same;
}

enum log_sink log_out_stderr_sink(void)
{
    return is_on_stderr() ? log_out_sink() : stderr_sink();
}

static void use_fd(int fd)
{
    bool to_journal = fd == STDERR_FILENO && journal.fd >= 0;
    struct output next = {
        .fd = to_journal ? journal.fd : fd, .regular = is_regular(fd), .journal = to_journal};

    atomic_store(&sink, to_journal ? LOG_SINK_JOURNAL : fd == STDERR_FILENO ? stderr_sink() : LOG_SINK_PLAIN);
    lock_out();
    if (out.in_force.fd != out.taken)
        close_own(out.in_force.fd);
    out.in_force = next;
    out.stuck = false;
    unlock_out();
}

/* True = there is space, or an error that write() reports. */
static bool has_room(struct output o, int ms)
{
    struct pollfd p = {.fd = o.fd, .events = POLLOUT};

    return o.regular || poll(&p, 1, ms) > 0;
}

/* Bytes written, 0 = none now, -1 = the write failed. */
static ssize_t write_some(struct output o, const char *p, size_t n)
{
    if (o.journal)
        return log_journal_send(o.fd, journal.path, p, n);
    ssize_t done = write(o.fd, p, o.regular || n < PIPE_BUF ? n : PIPE_BUF);

    if (done < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    return done > 0 ? done : -1;
}

/* ---- without the thread ---- */

static bool put_now(struct output o, const char *p, size_t n)
{
    while (n) {
        out.stuck = !has_room(o, out.stuck ? 0 : SYNC_MS);
        ssize_t done = out.stuck ? -1 : write_some(o, p, n);
        if (done < 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static void put_past(int fd, const char *line, size_t n)
{
    if (put_now((struct output){.fd = fd, .regular = is_regular(fd)}, line, n))
        return;
    lock_out();
    leave_out(1);
    unlock_out();
}

/* ---- the thread ---- */

/* The output in force; one that was taken before is closed. */
static struct output take_output(bool *given_up)
{
    lock_out();
    struct output now = out.in_force;
    if (out.taken != now.fd)
        close_own(out.taken);
    out.taken = now.fd;
    *given_up = out.ended;
    unlock_out();
    return now;
}

/* Waits LOOK_MS for a reader, with `blocked` set meanwhile. True = there is a reader. */
static bool wait_for_room(struct output o)
{
    if (has_room(o, 0))
        return true;
    lock_out();
    out.blocked = true;
    (void)pthread_cond_broadcast(&out.done);
    unlock_out();
    bool room = has_room(o, LOOK_MS);
    lock_out();
    out.blocked = !room;
    unlock_out();
    return room;
}

/* False = the last *left bytes are not written. */
static bool write_whole(const char *p, size_t n, size_t *left)
{
    bool given_up;
    struct output o = take_output(&given_up);

    for (*left = n; *left && !given_up;) {
        if (!wait_for_room(o)) {
            struct output now = take_output(&given_up);

            *left = now.fd == o.fd ? *left : n;
            o = now;
            continue;
        }
        ssize_t done = write_some(o, p + n - *left, *left);
        if (done < 0)
            return false;
        if (done == 0)
            (void)poll(NULL, 0, NAP_MS);
        *left -= (size_t)done;
    }
    return !*left;
}

/* The line about left-out lines is not counted as left out: it is written later. */
static void note_outcome(bool ok, size_t lines)
{
    lock_out();
    out.broken = !ok;
    if (!ok) {
        out.missing += out.noted;
        leave_out(lines - (out.noted && lines));
    }
    out.noted = 0;
    unlock_out();
}

static void put_lines(const char *p, size_t n)
{
    for (size_t left, length; n; p += length, n -= length) {
        bool given_up;
        struct output o = take_output(&given_up);
        const char *end = memchr(p, '\n', n);

        if (o.journal)
            length = (size_t)(log_journal_next(p, n) - p);
        else
            length = o.regular || !end ? n : (size_t)(end - p) + 1;
        bool ok = write_whole(p, length, &left);
        if (!ok || out.noted || out.broken)
            note_outcome(ok, ok ? 0 : count_lines(o, p + length - left, left));
    }
}

/* Under the lock. */
static bool has_work(void)
{
    return out.queue.len || (out.missing && !out.broken);
}

/* Under the lock. Moves the queued lines into `batch`; false = the end. */
static bool next_batch(void)
{
    while (!has_work() && !out.stop) {
        out.idle = true;
        (void)pthread_cond_wait(&out.wake, &out.lock);
        out.idle = false;
    }
    if (!has_work())
        return false;
    if (out.missing && out.broken == (out.queue.len > 0)) {
        out.noted = out.missing;
        out.missing = 0;
        out.note(&batch, out.noted);
    }
    if (!batch.len) {
        struct buf full = out.queue;

        out.queue = batch;
        batch = full;
        out.queue.max = QUEUE_MAX;
        batch.max = QUEUE_MAX + NOTE_MAX;
    } else if (out.queue.len) {
        if (buf_append(&batch, out.queue.data, out.queue.len))
            leave_out(count_lines(out.in_force, out.queue.data, out.queue.len));
        empty_buffer(&out.queue);
    }
    batch.failed = false;
    return true;
}

static void *on_thread(void *unused)
{
    lock_out();
    while (!out.ended && next_batch()) {
        out.writing = true;
        unlock_out();
        put_lines(batch.data, batch.len);
        empty_buffer(&batch);
        lock_out();
        out.writing = false;
        (void)pthread_cond_broadcast(&out.done);
    }
    if (out.taken != out.in_force.fd)
        close_own(out.taken);
    out.taken = -1;
    out.running = false;
    (void)pthread_cond_broadcast(&out.done);
    unlock_out();
    return unused;
}

/* Waits for the thread use the monotonic clock. */
static int make_condition(void)
{
    pthread_condattr_t attributes;
    int err = out.made ? 0 : pthread_condattr_init(&attributes);

    if (err || out.made)
        return -err;
    err = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    err = err ? err : pthread_cond_init(&out.done, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    out.made = !err;
    return -err;
}

int log_out_start(void (*note)(struct buf *, uint64_t lines))
{
    sigset_t all, before;

    lock_out();
    int err = out.running ? -EBUSY : make_condition();
    if (!err) {
        out.running = true;
        out.stop = out.ended = false;
        out.note = note;
    }
    unlock_out();
    if (err)
        return err;
    (void)sigfillset(&all); /* the loop handles signals */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = -pthread_create(&out.thread, NULL, on_thread, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        lock_out();
        out.running = false;
        unlock_out();
    }
    return err;
}

static bool work_is_left(void)
{
    return out.running && (has_work() || out.writing);
}

static bool work_goes_on(void)
{
    return work_is_left() && !out.blocked;
}

/* Under the lock. True = the condition ended in time. */
static bool wait_while(bool (*so)(void), unsigned ms)
{
    struct timespec until;
    int err = clock_gettime(CLOCK_MONOTONIC, &until);

    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (so() && !err)
        err = pthread_cond_timedwait(&out.done, &out.lock, &until);
    return !so();
}

void log_out_flush(unsigned ms)
{
    lock_out();
    (void)wait_while(work_is_left, ms);
    unlock_out();
}

static bool is_running(void)
{
    return out.running;
}

/* A thread that does not end within CLOSE_MS is detached and ends with the process. */
static void end_thread(void)
{
    lock_out();
    bool was = out.running;
    out.stop = true;
    (void)pthread_cond_signal(&out.wake);
    bool ended = !was || wait_while(is_running, CLOSE_MS);
    out.ended = true;
    unlock_out();
    if (was && ended)
        (void)pthread_join(out.thread, NULL);
    else if (was)
        (void)pthread_detach(out.thread);
}

/* ---- from outside ---- */

int log_out_open(const char *file, const char *journal_path)
{
    char *copy = strdup(file);
    int fd = copy ? open_file(copy) : -ENOMEM;

    find_journal(journal_path ? journal_path : LOG_JOURNAL_SOCKET);
    if (fd < 0) {
        free(copy);
        return fd;
    }
    lock_out();
    (void)wait_while(work_goes_on, SWITCH_MS); /* queued lines may have another format */
    unlock_out();
    use_fd(fd);
    free(out.file);
    out.file = copy;
    return 0;
}

int log_reopen(void)
{
    int fd = out.file ? open_file(out.file) : STDERR_FILENO;

    if (fd < 0)
        return fd;
    use_fd(fd);
    return 0;
}

/* The socket of the journal as well, unless a thread that does not end still uses it. */
void log_out_close(void)
{
    int fd = journal.fd;

    end_thread();
    lock_out();
    bool ended = !out.running, in_force = out.in_force.journal;
    unlock_out();
    journal.fd = -1;
    journal.looked = journal.is_stderr = false;
    use_fd(STDERR_FILENO);
    if (fd >= 0 && ended && !in_force)
        (void)close(fd);
    free(out.file);
    out.file = NULL;
    lock_out();
    if (ended) {
        buf_free(&out.queue);
        buf_free(&batch);
    }
    unlock_out();
}

void log_out_line(const char *line, size_t n)
{
    lock_out();
    bool queued = out.running && !out.stop;
    bool shut = out.missing && !out.broken;
    if (queued && (shut || out.queue.len + n > QUEUE_MAX || buf_append(&out.queue, line, n))) {
        out.queue.failed = false;
        leave_out(1);
    }
    if (queued && out.idle)
        (void)pthread_cond_signal(&out.wake);
    struct output o = out.in_force;
    unlock_out();
    if (queued || put_now(o, line, n))
        return;
    lock_out();
    leave_out(1);
    unlock_out();
}

void log_out_stderr(const char *line, size_t n)
{
    if (is_on_stderr())
        log_out_line(line, n);
    else
        put_past(STDERR_FILENO, line, n);
}

void log_out_stdout(const char *line, size_t n)
{
    put_past(STDOUT_FILENO, line, n);
}
