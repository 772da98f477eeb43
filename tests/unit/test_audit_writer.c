/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_audit_writer.c - the audit writer with a disk that is good, full, slow, or gone.
 *
 * The disk is played: its calls go through here, where a test can make them fail or hold them. Time is a
 * clock that the test moves, so that nothing is waited for that does not come.
 */
#include "audit/audit_writer.h"
#include "audit_trail.h"
#include "check.h"
#include "loop/loop.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct audit_trail t;
static struct loop *loop;
static struct audit_writer *writer;
static struct audit_sink *sink;
static char why[320];

/* ---- the clock and the disk ---- */

static _Atomic uint64_t clock_ms;

static uint64_t fake_now(void *arg)
{
    (void)arg;
    return clock_ms;
}

static int64_t fake_wall(void *arg)
{
    (void)arg;
    return 1774000000000 + (int64_t)clock_ms;
}

static const struct clock fake = {.now_ms = fake_now, .wall_ms = fake_wall};

static _Atomic int write_error, reserve_error, writes, syncs;
static _Atomic bool hold; /* a sync waits for `go` */
static sem_t go, held;

static ssize_t disk_write(int fd, const void *bytes, size_t n)
{
    writes++;
    errno = write_error;
    return write_error ? -1 : write(fd, bytes, n);
}

static int disk_sync(int fd)
{
    syncs++;
    if (hold) {
        (void)sem_post(&held);
        while (sem_wait(&go))
            ;
    }
    return fdatasync(fd);
}

static int disk_reserve(int fd, off_t offset, off_t n)
{
    errno = reserve_error;
    return reserve_error ? -1 : audit_disk_system.reserve(fd, offset, n);
}

static const struct audit_disk disk = {.write = disk_write, .sync = disk_sync, .reserve = disk_reserve};

/* ---- the stage ---- */

static void open_writer(const char *syslog, size_t max_queued)
{
    struct audit_writer_opts opts = {.uv = loop_uv(loop),
                                     .clock = loop_clock(loop),
                                     .timers = loop_timers(loop),
                                     .file = t.file,
                                     .head = t.head,
                                     .syslog = syslog,
                                     .max_queued = max_queued,
                                     .deadline_ms = SECONDS(2),
                                     .unawaited_ms = 25,
                                     .retry_ms = 5,
                                     .disk = &disk};

    writer = audit_writer_open(&opts, why);
    assert_non_null(writer);
    sink = audit_writer_sink(writer);
}

static int setup(void **state)
{
    (void)state;
    audit_trail_make(&t);
    clock_ms = SECONDS(1);
    write_error = reserve_error = 0;
    writes = syncs = 0;
    hold = false;
    assert_int_equal(sem_init(&go, 0, 0), 0);
    assert_int_equal(sem_init(&held, 0, 0), 0);
    loop = loop_new_clock(&fake);
    assert_non_null(loop);
    writer = NULL;
    return 0;
}

static bool closed;
static void on_closed(void *arg)
{
    (void)arg;
    closed = true;
}

static void close_writer(void)
{
    closed = false;
    audit_writer_close(writer, on_closed, NULL);
    while (!closed)
        (void)loop_iterate(loop);
    writer = NULL;
}

static int teardown(void **state)
{
    (void)state;
    if (writer)
        close_writer();
    assert_int_equal(loop_free(loop), 0);
    audit_trail_remove(&t);
    return 0;
}

struct waiter {
    struct audit_wait wait; /* first */
    int err, calls;
};

static void on_done(struct audit_wait *wait, int err)
{
    struct waiter *w = (struct waiter *)wait;

    w->err = err;
    w->calls++;
}

static int put(const char *event, unsigned flags, struct waiter *w)
{
    char members[128];

    (void)snprintf(members, sizeof(members), "\"event\":\"%s\"", event);
    if (w)
        *w = (struct waiter){.wait.done = on_done, .err = 1};
    return sink->ops->put(sink, members, strlen(members), flags, w ? &w->wait : NULL);
}

static void until_done(const struct waiter *w)
{
    for (unsigned turns = 0; !w->calls; turns++) {
        clock_ms += turns % 1000 == 0; /* what gathers goes after a while; slower than any deadline */
        (void)loop_iterate(loop);
    }
    assert_int_equal(w->calls, 1);
}

static struct audit_state now(void)
{
    struct audit_state s;

    clock_ms++;
    (void)loop_iterate(loop);
    sink->ops->state(sink, &s);
    return s;
}

static unsigned count(const char *word)
{
    unsigned n = 0;

    for (const char *p = audit_trail_text(t.file); (p = strstr(p, word)); p += strlen(word))
        n++;
    return n;
}

/* ---- tests ---- */

TEST(records_are_written_in_order)
{
    struct waiter w[300];

    open_writer(NULL, 1000);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(put(i % 2 ? "release" : "checkout", AUDIT_KEEP, &w[i]), 0);
    assert_int_equal(w[0].calls, 0); /* never before put has returned */
    for (unsigned i = 0; i < 300; i++) {
        until_done(&w[i]);
        assert_int_equal(w[i].err, 0);
    }
    assert_true(syncs < 150); /* one for many */
    assert_int_equal(now().records, 300);
    close_writer();
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.lines, 301);
}

/* One check-out alone, its release, the next check-out: the records of the release are in that one's flush.
 */
TEST(a_release_has_no_flush_of_its_own)
{
    struct waiter w;

    open_writer(NULL, 1000);
    assert_int_equal(put("checkout", 0, &w), 0);
    until_done(&w);
    int before = syncs;
    assert_int_equal(put("release", AUDIT_KEEP, NULL), 0);
    assert_int_equal(put("lease_end", AUDIT_KEEP, NULL), 0);
    for (unsigned ms = 0; ms < 20; ms++)
        (void)now();
    assert_int_equal(syncs, before);
    assert_int_equal(put("checkout", 0, &w), 0);
    until_done(&w);
    assert_int_equal(syncs, before + 1);
    assert_int_equal(count("\"lease_end\""), 1);
    assert_int_equal(put("release", AUDIT_KEEP, NULL), 0); /* no check-out follows */
    while (now().queued)
        ;
    assert_int_equal(syncs, before + 2);
}

/* What is not to be kept, and is given up, is passed over; nothing passes what is kept. */
TEST(a_record_is_settled_when_it_is_on_disk)
{
    struct waiter strict;

    open_writer(NULL, 1000);
    assert_int_equal(now().taken, 0);
    assert_int_equal(put("release", AUDIT_KEEP, NULL), 0);
    assert_int_equal(now().taken, 1);
    while (now().queued)
        ;
    assert_int_equal(now().settled, 1);
    write_error = EIO;
    assert_int_equal(put("lease_end", AUDIT_KEEP, NULL), 0);
    assert_int_equal(put("strict", 0, &strict), 0);
    until_done(&strict);
    assert_int_equal(strict.err, -EIO);
    assert_int_equal(now().taken, 3);
    assert_int_equal(now().settled, 1);
    write_error = 0;
    while (now().queued)
        ;
    assert_int_equal(now().settled, 2);
    assert_int_equal(put("release", AUDIT_KEEP, NULL), 0);
    while (now().queued)
        ;
    assert_int_equal(now().taken, 4);
    assert_int_equal(now().settled, 4);
    close_writer();
}

TEST(closing_writes_what_is_queued)
{
    open_writer(NULL, 1000);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(put("release", AUDIT_KEEP, NULL), 0);
    close_writer();
    assert_int_equal(count("release"), 100);
}

TEST(a_full_disk_refuses_and_records_the_ends)
{
    struct waiter w;

    open_writer(NULL, 1000);
    assert_int_equal(put("release", AUDIT_KEEP, &w), 0); /* allocates the reserve */
    until_done(&w);
    reserve_error = ENOSPC;
    while (now().writable) /* fill what was allocated beyond it */
        for (unsigned i = 0; i < 50 && now().queued < 900; i++)
            (void)put("filler_filler_filler_filler_filler", AUDIT_KEEP, NULL);
    assert_string_equal(now().why, strerror(ENOSPC));
    assert_int_equal(put("checkout", 0, &w), -EBUSY);
    assert_int_equal(put("lease_ended", AUDIT_KEEP, NULL), 0); /* goes into the reserve */
    while (now().queued)
        ;
    assert_int_equal(count("lease_ended"), 1);
    assert_int_equal(count("audit_failing"), 1);
    reserve_error = 0;
    while (!now().writable)
        ;
    assert_int_equal(put("checkout", 0, &w), 0);
    until_done(&w);
    assert_int_equal(w.err, 0);
    assert_int_equal(count("audit_gap"), 1);
    close_writer();
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
}

/* Full from the first record on: who meets it first is refused, and what must be kept is written in the
 * reserve. */
TEST(the_first_to_meet_a_full_disk_is_refused)
{
    struct waiter strict, kept;

    reserve_error = ENOSPC;
    open_writer(NULL, 1000);
    assert_int_equal(put("strict", 0, &strict), 0);
    assert_int_equal(put("kept", AUDIT_KEEP, &kept), 0);
    until_done(&strict);
    assert_int_equal(strict.err, -ENOSPC);
    until_done(&kept);
    close_writer();
    assert_int_equal(count("strict"), 0);
    assert_int_equal(count("kept"), 1);
    assert_int_equal(count("audit_failing"), 1);
}

/* The first to meet the failure is told; kept records come later, with a gap in front of them. */
TEST(a_broken_disk_delays_what_is_kept)
{
    struct waiter strict, kept;

    open_writer(NULL, 1000);
    write_error = EIO;
    assert_int_equal(put("strict", 0, &strict), 0);
    until_done(&strict);
    assert_int_equal(strict.err, -EIO);
    assert_false(now().writable);
    assert_int_equal(put("kept", AUDIT_KEEP, &kept), -EBUSY);
    assert_int_equal(put("kept", AUDIT_KEEP, NULL), 0);
    assert_true(now().failures > 0);
    write_error = 0;
    while (now().queued)
        ;
    assert_int_equal(count("strict"), 0);
    assert_int_equal(count("kept"), 1);
    assert_non_null(strstr(audit_trail_text(t.file),
                           "\"event\":\"audit_gap\",\"error\":\"Input/output error\","
                           "\"lost\":0,\"delayed\":1"));
    close_writer();
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
}

TEST(too_many_are_counted_as_lost)
{
    open_writer(NULL, 10);
    write_error = EIO;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(put("release", AUDIT_KEEP, NULL), 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(put("release", AUDIT_KEEP, NULL), -ENOBUFS);
    assert_int_equal(now().lost, 5);
    while (!now().failures)
        ;
    write_error = 0;
    while (now().queued)
        ;
    assert_int_equal(count("\"event\":\"release\""), 10);
    assert_int_equal(count("\"lost\":5,\"delayed\":10"), 1);
}

/* A disk that does not answer: the deadline ends the wait, and delays no other. */
TEST(a_slow_disk_meets_the_deadline)
{
    struct waiter first, second, third;

    open_writer(NULL, 1000);
    hold = true;
    assert_int_equal(put("first", 0, &first), 0);
    assert_int_equal(sem_wait(&held), 0); /* the thread is in its sync */
    assert_int_equal(put("second", 0, &second), 0);
    clock_ms += 1999;
    (void)loop_iterate(loop);
    assert_int_equal(first.calls + second.calls, 0);
    clock_ms += 1;
    until_done(&first);
    until_done(&second);
    assert_int_equal(first.err, -ETIMEDOUT);
    assert_int_equal(second.err, -ETIMEDOUT);
    assert_false(now().writable);
    assert_string_equal(now().why, "the disk does not answer");
    assert_int_equal(put("third", 0, &third), -EBUSY);
    hold = false;
    assert_int_equal(sem_post(&go), 0);
    while (!now().writable)
        ;
    assert_int_equal(put("third", 0, &third), 0);
    until_done(&third);
    assert_int_equal(third.err, 0);
    assert_int_equal(first.calls + second.calls, 2);
    assert_int_equal(count("first"), 1);  /* it was on its way */
    assert_int_equal(count("second"), 0); /* it was not, and is void */
}

TEST(a_forgotten_wait_is_not_answered)
{
    struct waiter w, other;

    open_writer(NULL, 1000);
    hold = true;
    assert_int_equal(put("forgotten", AUDIT_KEEP, &w), 0);
    assert_int_equal(sem_wait(&held), 0);
    sink->ops->forget(sink, &w.wait);
    sink->ops->forget(sink, &w.wait);
    hold = false;
    assert_int_equal(sem_post(&go), 0);
    assert_int_equal(put("other", AUDIT_KEEP, &other), 0);
    until_done(&other);
    assert_int_equal(w.calls, 0);
    assert_int_equal(count("forgotten"), 1);
}

/* The end does not wait for a disk that does not answer. */
TEST(a_disk_that_hangs_does_not_delay_the_end)
{
    struct waiter w;

    open_writer(NULL, 1000);
    hold = true;
    assert_int_equal(put("hung", AUDIT_KEEP, &w), 0);
    assert_int_equal(sem_wait(&held), 0);
    closed = false;
    audit_writer_close(writer, on_closed, NULL);
    writer = NULL;
    (void)loop_iterate(loop);
    assert_false(closed);
    clock_ms += SECONDS(2);
    while (!closed)
        (void)loop_iterate(loop);
    assert_int_equal(w.calls, 1);
    assert_true(w.err < 0);
    hold = false; /* the thread is let go only when the test program ends */
}

TEST(rotation_and_loss_while_running)
{
    char old[128];
    struct waiter w;

    open_writer(NULL, 1000);
    assert_int_equal(put("before", AUDIT_KEEP, &w), 0);
    until_done(&w);
    assert_int_equal(rename(t.file, audit_trail_path(&t, "audit.jsonl.1", old)), 0);
    audit_writer_rotate(writer);
    while (access(t.file, F_OK))
        (void)loop_iterate(loop);
    assert_int_equal(put("after", AUDIT_KEEP, &w), 0);
    until_done(&w);
    assert_int_equal(audit_trail_verify(&t, old), 0);
    assert_int_equal(unlink(t.file), 0);
    assert_int_equal(put("again", AUDIT_KEEP, &w), 0);
    until_done(&w);
    assert_int_equal(w.err, 0);
    assert_int_equal(now().breaks, 1);
    assert_true(audit_trail_verify(&t, old) > 0);
}

TEST(the_second_sink_gets_each_line)
{
    char path[128], message[4096];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct waiter w;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", audit_trail_path(&t, "log", path));
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    open_writer(path, 1000);
    assert_int_equal(put("checkout", AUDIT_KEEP, &w), 0);
    until_done(&w);
    ssize_t n = recv(fd, message, sizeof(message) - 1, 0);
    assert_true(n > 0);
    message[n] = '\0';
    assert_int_equal(strncmp(message, "<109>1 2026-", 12), 0);
    assert_non_null(strstr(message, " checkout [meta sequenceId=\"2\"][origin software=\"jumpgate\" "));
    assert_int_equal(message[n - 1], '}');
    assert_int_equal(now().sink_sent, 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(put("checkout", AUDIT_KEEP, &w), 0); /* the listener is gone */
    until_done(&w);
    assert_int_equal(w.err, 0);
    assert_int_equal(now().sink_dropped, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        T(records_are_written_in_order),
        T(a_release_has_no_flush_of_its_own),
        T(a_record_is_settled_when_it_is_on_disk),
        T(closing_writes_what_is_queued),
        T(a_full_disk_refuses_and_records_the_ends),
        T(the_first_to_meet_a_full_disk_is_refused),
        T(a_broken_disk_delays_what_is_kept),
        T(too_many_are_counted_as_lost),
        T(a_slow_disk_meets_the_deadline),
        T(a_forgotten_wait_is_not_answered),
        T(rotation_and_loss_while_running),
        T(the_second_sink_gets_each_line),
        T(a_disk_that_hangs_does_not_delay_the_end), /* last: its thread stays */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
