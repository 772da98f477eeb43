/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_failing_trail.c - each allocation, each call of OpenSSL and of the system fails once where lines of
 * the audit trail are written, verified, continued after a crash, and read by the reports.
 *
 * A sound line is never taken for a damaged one, nor a damaged one for sound, because it could not be hashed:
 * a verdict is right or there is none, a trail is continued behind its last line or not at all, and reports
 * leave out no line. The next call of the same kind succeeds.
 */
#include "audit/audit_file.h"
#include "audit/audit_tail.h"
#include "audit/audit_verify.h"
#include "audit_trail.h"
#include "base/clock.h"
#include "base/log.h"
#include "check.h"
#include "failing_calls.h"
#include "reports/collect/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TORN "{\"check\":\"" /* a line whose writer has ended */

/* ---- verified ---- */

static void on_remark(void *arg, const struct audit_remark *remark)
{
    (void)arg;
    assert_non_null(remark->text);
}

static void write_line(struct buf *to, struct audit_link *at, const char *members)
{
    struct audit_link before = *at;
    size_t len = to->len;

    if (audit_line_write(to, at, 1000, members, strlen(members))) {
        assert_int_equal(to->len, len);
        assert_memory_equal(at, &before, sizeof before);
        failing_calls_stop();
        assert_int_equal(audit_line_write(to, at, 1000, members, strlen(members)), 0);
        failing_calls_start();
    }
}

/* Defects of the trail as it is read; -1 = there is no verdict for want of memory. */
static int verify(const struct buf *trail, uint64_t *notes)
{
    struct audit_verify *v = audit_verify_new(NULL, on_remark, NULL);
    struct audit_summary sum;

    if (!v)
        return -1;
    audit_verify_file(v, "trail");
    for (size_t at = 0; at < trail->len;) {
        const char *line = trail->data + at, *end = memchr(line, '\n', trail->len - at);
        size_t n = end ? (size_t)(end - line) + 1 : trail->len - at;

        audit_verify_line(v, line, n);
        at += n;
    }
    int err = audit_verify_end(v, &sum);
    audit_verify_free(v);
    *notes = sum.notes;
    return err ? -1 : (int)sum.defects;
}

/* One note is that there is no head. */
static void verify_both(const struct buf *trail, int defects, uint64_t notes)
{
    uint64_t noted;
    int found = verify(trail, &noted);

    failing_calls_stop();
    if (found >= 0) {
        assert_int_equal(found, defects);
        assert_int_equal(noted, notes);
    }
    assert_int_equal(verify(trail, &noted), defects);
    assert_int_equal(noted, notes);
    failing_calls_start();
}

/* A whole trail, one with an altered line, and one whose torn line was closed off. */
static void verified(void)
{
    struct buf whole = BUF_INIT(65536), altered = BUF_INIT(65536), closed = BUF_INIT(65536);
    struct audit_link at;

    audit_link_none(&at);
    failing_calls_start();
    write_line(&whole, &at, "\"event\":\"audit_begin\"");
    write_line(&whole, &at, "\"event\":\"one\"");
    write_line(&whole, &at, "\"event\":\"two\"");
    verify_both(&whole, 0, 1);
    failing_calls_stop();
    assert_int_equal(buf_append(&altered, whole.data, whole.len), 0);
    char *of_one = strstr(altered.data, "\"one\"");
    assert_non_null(of_one);
    of_one[1] = 'O';
    assert_int_equal(buf_append(&closed, whole.data, whole.len), 0);
    assert_int_equal(buf_append(&closed, TORN, strlen(TORN)), 0);
    assert_int_equal(buf_append(&closed, "\n", 1), 0);
    failing_calls_start();
    verify_both(&altered, 1, 1);
    write_line(&closed, &at,
               "\"event\":\"audit_torn\",\"cause\":\"torn\",\"junk_bytes\":11,\"junk_sha256\":"
               "\"35f7322fe6c00fa19ad277f84a64d56953335554bbd161eecf9a95bb867ee7a3\"");
    verify_both(&closed, 0, 2);
    failing_calls_stop();
    buf_free(&whole);
    buf_free(&altered);
    buf_free(&closed);
    ERR_clear_error();
}

/* ---- on disk ---- */

static struct audit_trail t;
static struct audit_file f;

static void open_file(void)
{
    char why[320] = "";

    f = (struct audit_file){.fd = -1, .head_fd = -1};
    if (audit_file_open(&f, t.file, t.head, &audit_disk_system, why)) {
        assert_true(*why);
        failing_calls_stop();
        assert_int_equal(audit_file_open(&f, t.file, t.head, &audit_disk_system, why), 0);
        failing_calls_start();
    }
}

static int append(const char *event)
{
    struct buf b = BUF_INIT(65536);
    struct audit_link at = f.head.last;
    char members[128];
    int err;

    (void)snprintf(members, sizeof(members), "\"event\":\"%s\"", event);
    err = audit_line_write(&b, &at, clock_wall(&clock_system), members, strlen(members));
    if (!err)
        err = audit_file_room(&f, b.len);
    if (!err)
        err = audit_file_append(&f, &b, &at);
    buf_free(&b);
    return err;
}

static void write_some(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (audit_file_check(&f) || append("checkout")) {
            failing_calls_stop();
            assert_int_equal(audit_file_check(&f), 0);
            assert_int_equal(append("checkout"), 0);
            failing_calls_start();
        }
}

static void begin_trail(void)
{
    audit_trail_make(&t);
    open_file();
    write_some(3);
    audit_file_close(&f);
}

static int count_line(void *arg, const char *line, size_t n)
{
    (void)line;
    (void)n;
    ++*(unsigned *)arg;
    return 0;
}

/* The process ended within a line; the next one goes on behind the line before. */
static void continued(void)
{
    struct audit_tail past;
    unsigned lines = 0, again = 0;

    begin_trail();
    int fd = open(t.file, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, TORN, strlen(TORN)), strlen(TORN));
    assert_int_equal(close(fd), 0);
    failing_calls_start();
    open_file();
    write_some(2);
    int err = audit_tail_read(t.file, 1 << 20, count_line, &lines, &past);
    failing_calls_stop();
    assert_int_equal(audit_tail_read(t.file, 1 << 20, count_line, &again, &past), 0);
    if (!err)
        assert_int_equal(lines, again);
    audit_file_close(&f);
    if (audit_trail_verify(&t, NULL))
        fail_msg("%s", t.said);
    audit_trail_remove(&t);
    ERR_clear_error();
}

/* ---- read by the reports ---- */

static uint64_t read_to; /* number of the last line */

static int on_line(void *arg, const struct audit_line *line, const char *text, size_t n)
{
    (void)arg;
    (void)text;
    (void)n;
    assert_int_equal(line->link.seq, read_to + 1);
    read_to = line->link.seq;
    return 0;
}

static void read_some(const char *pattern, struct audit_link *at, unsigned most)
{
    struct trail *trail = trail_new(pattern);
    struct trail_progress p;

    if (!trail)
        return;
    (void)trail_read(trail, at, most, on_line, NULL, &p);
    assert_int_equal(p.broken, 0);
    (void)trail_read(trail, at, most, on_line, NULL, &p);
    assert_int_equal(p.broken, 0);
    assert_int_equal(at->seq, read_to);
    trail_free(trail);
}

/* Two files; in the middle of the first one the reader ends, and another goes on. */
static void collected(void)
{
    char older[128], pattern[128];
    struct audit_link at;

    begin_trail();
    assert_int_equal(rename(t.file, audit_trail_path(&t, "audit.jsonl.1", older)), 0);
    open_file();
    write_some(2);
    audit_file_close(&f);
    (void)audit_trail_path(&t, "audit.jsonl*", pattern);
    audit_link_none(&at);
    read_to = 0;
    failing_calls_start();
    read_some(pattern, &at, 1);
    read_some(pattern, &at, 100);
    failing_calls_stop();
    read_some(pattern, &at, 100);
    assert_int_equal(read_to, f.head.last.seq);
    audit_trail_remove(&t);
    ERR_clear_error();
}

#define EACH(scenario)                                                                                       \
    TEST(each_call_of_##scenario)                                                                            \
    {                                                                                                        \
        failing_calls_each(#scenario, scenario);                                                             \
    }

EACH(verified)
EACH(continued)
EACH(collected)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_verified),
        cmocka_unit_test(each_call_of_continued),
        cmocka_unit_test(each_call_of_collected),
    };

    (void)log_open(&(struct log_opts){.level = LOG_ERROR, .file = "/dev/null"});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
