/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_audit_file.c - the audit trail on disk: continued whatever happened to the file, and never silently.
 */
#include "audit/audit_file.h"
#include "audit_trail.h"
#include "base/text.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct audit_trail t;
static struct audit_file f;
static char why[320];

static int setup(void **state)
{
    (void)state;
    audit_trail_make(&t);
    f = (struct audit_file){.fd = -1, .head_fd = -1};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    audit_file_close(&f);
    audit_trail_remove(&t);
    return 0;
}

static void open_file(void)
{
    why[0] = '\0';
    assert_int_equal(audit_file_open(&f, t.file, t.head, &audit_disk_system, why), 0);
}

static int append(const char *event)
{
    struct buf b = BUF_INIT(65536);
    struct audit_link at = f.head.last;
    char members[128];

    (void)snprintf(members, sizeof(members), "\"event\":\"%s\"", event);
    assert_int_equal(audit_line_write(&b, &at, 1000, members, strlen(members)), 0);
    int err = audit_file_room(&f, b.len);
    if (!err)
        err = audit_file_append(&f, &b, &at);
    buf_free(&b);
    return err;
}

static void write_some(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(audit_file_check(&f), 0);
        assert_int_equal(append("checkout"), 0);
    }
}

static void put_text(const char *path, const char *text, int flags)
{
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

#define assert_said(text) assert_non_null(strstr(t.said, text))

TEST(a_trail_goes_on_over_restarts)
{
    struct stat st;

    open_file();
    write_some(3);
    audit_file_close(&f);
    open_file();
    write_some(2);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.lines, 6); /* audit_begin and five */
    assert_int_equal(t.sum.notes, 0);
    assert_int_equal(stat(t.file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, f.size);
}

TEST(a_torn_line_is_closed_off)
{
    char text[4096];

    open_file();
    write_some(3);
    audit_file_close(&f);
    (void)text_copy(text, sizeof(text), audit_trail_text(t.file));
    put_text(t.file, text, O_APPEND); /* more than one line: altered */
    assert_int_equal(truncate(t.file, (off_t)(strlen(text) + 40)), 0);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_said("cut off by a crash");
    assert_int_equal(t.sum.notes, 1);
    assert_non_null(strstr(audit_trail_text(t.file), "\"event\":\"audit_torn\",\"cause\":\"torn\""));
}

/* A crash at every byte of the last write: the trail goes on and is sound. */
TEST(every_torn_length_heals)
{
    open_file();
    write_some(2);
    uint64_t before = f.size;
    struct audit_head known = f.head;
    char head[AUDIT_HEAD_SIZE];
    write_some(1);
    uint64_t after = f.size;
    audit_file_close(&f);
    char whole[4096];
    (void)text_copy(whole, sizeof(whole), audit_trail_text(t.file));
    audit_head_write(&known, head);
    for (uint64_t n = before; n < after; n++) {
        put_text(t.file, whole, O_TRUNC);
        put_text(t.head, head, O_TRUNC);
        assert_int_equal(truncate(t.file, (off_t)n), 0);
        open_file();
        write_some(1);
        audit_file_close(&f);
        if (audit_trail_verify(&t, NULL) || t.sum.notes != (n > before))
            fail_msg("torn at %llu: %s", (unsigned long long)n, t.said);
    }
}

TEST(a_torn_first_line_heals)
{
    put_text(t.file, "{\"check\":\"0123", 0);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.notes, 1);
}

TEST(a_cut_while_stopped_is_reported)
{
    open_file();
    write_some(1);
    uint64_t before = f.size;
    write_some(3);
    audit_file_close(&f);
    assert_int_equal(truncate(t.file, (off_t)before), 0);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 1);
    assert_said("seq 3 to 5 missing before this line; the gateway noticed");
}

/* Another line stands where the last one was, and its place and chain are right. */
TEST(a_rewritten_last_line_is_reported)
{
    struct buf b = BUF_INIT(4096);

    open_file();
    write_some(2);
    uint64_t before = f.size;
    struct audit_link at = f.head.last;
    write_some(1);
    audit_file_close(&f);
    assert_int_equal(truncate(t.file, (off_t)before), 0);
    assert_int_equal(audit_line_write(&b, &at, 1000, "\"event\":\"other\"", 15), 0);
    assert_int_equal(buf_append(&b, "", 1), 0);
    put_text(t.file, b.data, O_APPEND);
    buf_free(&b);
    open_file();
    write_some(1);
    assert_non_null(strstr(audit_trail_text(t.file), "\"event\":\"audit_cut\""));
    assert_int_equal(audit_trail_verify(&t, NULL), 1);
}

TEST(a_cut_while_running_is_reported)
{
    open_file();
    write_some(1);
    uint64_t before = f.size;
    write_some(3);
    assert_int_equal(truncate(t.file, (off_t)before), 0);
    write_some(2);
    assert_int_equal(f.breaks, 1);
    assert_string_equal(f.last_break, "truncated");
    assert_int_equal(audit_trail_verify(&t, NULL), 1);
    assert_said("seq 3 to 5 missing before this line; the gateway noticed");
    assert_int_equal(truncate(t.file, 0), 0);
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 1);
    assert_said("found the file before this one truncated");
}

TEST(foreign_bytes_are_reported)
{
    open_file();
    write_some(2);
    put_text(t.file, "hello\nworld", O_APPEND);
    write_some(2);
    assert_string_equal(f.last_break, "altered");
    assert_true(audit_trail_verify(&t, NULL) > 0);
    assert_said("this is no audit line; the gateway noticed");
    assert_int_equal(t.sum.lines, 6);
}

TEST(deleted_is_noticed)
{
    struct stat st;

    open_file();
    write_some(2);
    assert_int_equal(unlink(t.file), 0);
    write_some(2);
    assert_string_equal(f.last_break, "deleted");
    assert_int_equal(stat(t.file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(audit_trail_verify(&t, NULL), 1);
    assert_said("seq 1 to 3 missing: the gateway found the file before this one deleted");
}

TEST(replaced_is_noticed)
{
    char old[128], text[8192];

    open_file();
    write_some(1);
    (void)text_copy(text, sizeof(text), audit_trail_text(t.file));
    write_some(2);
    assert_int_equal(rename(t.file, audit_trail_path(&t, "old", old)), 0);
    put_text(t.file, text, 0); /* an older copy is put back */
    write_some(1);
    assert_string_equal(f.last_break, "replaced");
    assert_int_equal(audit_trail_verify(&t, NULL), 1);
    assert_said("seq 3 to 4 missing before this line; the gateway noticed");
}

/* The end is read in pieces, and further back when there is no sound line in what was read at first. */
TEST(a_long_end_is_read)
{
    enum { LONG = 400 * 1024 };
    char *junk = malloc(LONG + 1);

    assert_non_null(junk);
    for (size_t i = 0; i < LONG; i++)
        junk[i] = (char)('a' + i % 23);
    junk[LONG] = '\0';
    open_file();
    write_some(1000); /* more than one piece */
    assert_true(f.size > 2 * 65536);
    audit_file_close(&f);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.notes, 0);
    audit_file_close(&f);
    put_text(t.file, junk, O_APPEND);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_said("cut off by a crash");
    assert_int_equal(t.sum.notes, 1);
    free(junk);
}

TEST(a_file_of_something_else_is_refused)
{
    put_text(t.file, "root:x:0:0\n", 0);
    assert_int_equal(audit_file_open(&f, t.file, t.head, &audit_disk_system, why), -EMEDIUMTYPE);
    assert_non_null(strstr(why, "is no audit file of jumpgate"));
    assert_string_equal(audit_trail_text(t.file), "root:x:0:0\n");
    assert_int_equal(unlink(t.file), 0);
    assert_int_equal(symlink("/dev/null", t.file), 0);
    assert_true(audit_file_open(&f, t.file, t.head, &audit_disk_system, why) < 0);
    /* also while running */
    assert_int_equal(unlink(t.file), 0);
    open_file();
    assert_int_equal(unlink(t.file), 0);
    put_text(t.file, "something else\n", 0);
    assert_int_equal(audit_file_check(&f), -EMEDIUMTYPE);
    assert_int_equal(unlink(t.file), 0);
    write_some(1);
    assert_string_equal(f.last_break, "deleted");
}

TEST(two_gateways_do_not_share)
{
    struct audit_file other;

    open_file();
    assert_true(audit_file_open(&other, t.file, t.head, &audit_disk_system, why) < 0);
    assert_non_null(strstr(why, "in use by another jumpgate"));
}

TEST(rotation_goes_on)
{
    char old[128];

    open_file();
    write_some(2);
    assert_int_equal(audit_file_rotate(&f), 0); /* nothing was moved: nothing happens */
    assert_int_equal(rename(t.file, audit_trail_path(&t, "audit.jsonl.1", old)), 0);
    assert_int_equal(audit_file_rotate(&f), 0);
    write_some(2);
    assert_int_equal(f.breaks, 0);
    assert_int_equal(audit_trail_verify(&t, old), 0);
    assert_int_equal(t.sum.notes, 0);
    assert_int_equal(t.sum.lines, 6);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.notes, 1);
    /* moved without a word, an empty file in its place */
    assert_int_equal(rename(t.file, audit_trail_path(&t, "audit.jsonl.1", old)), 0);
    put_text(t.file, "", 0);
    write_some(1);
    assert_int_equal(f.breaks, 0);
    assert_int_equal(audit_trail_verify(&t, old), 0);
    /* and moved while no gateway was running */
    audit_file_close(&f);
    assert_int_equal(rename(t.file, audit_trail_path(&t, "audit.jsonl.1", old)), 0);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, old), 0);
}

TEST(a_lost_head_is_no_obstacle)
{
    open_file();
    write_some(2);
    audit_file_close(&f);
    assert_int_equal(unlink(t.head), 0);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.lines, 4);
}

TEST(a_lagging_head_is_no_defect)
{
    char head[AUDIT_HEAD_SIZE];

    open_file();
    write_some(1);
    audit_head_write(&f.head, head);
    write_some(3);
    audit_file_close(&f);
    put_text(t.head, head, O_TRUNC);
    open_file();
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.lines, 6);
}

static int (*fake_sync_result)(void);
static int sync_fails(void)
{
    errno = EIO;
    return -1;
}
static int fake_sync(int fd)
{
    return fake_sync_result ? fake_sync_result() : fdatasync(fd);
}

/* What was not made durable is not there afterwards. */
TEST(a_failed_write_is_taken_back)
{
    struct audit_disk disk = audit_disk_system;

    disk.sync = fake_sync;
    assert_int_equal(audit_file_open(&f, t.file, t.head, &disk, why), 0);
    write_some(1);
    fake_sync_result = sync_fails;
    assert_int_equal(append("lost"), -EIO);
    fake_sync_result = NULL;
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.lines, 3);
    assert_null(strstr(audit_trail_text(t.file), "lost"));
}

/* The file reaches the size limit of the process: an error, and what fits is not left half. */
TEST(a_size_limit_is_an_error)
{
    struct rlimit old, limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    open_file();
    write_some(1);
    limit = old;
    limit.rlim_cur = f.size + 100;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int err = append("checkout");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(err, -EFBIG);
    write_some(1);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(t.sum.lines, 3);
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

TEST(a_group_may_read_trail_and_head)
{
    assert_int_equal(audit_file_open_group(&f, t.file, t.head, getegid(), &audit_disk_system, why), 0);
    assert_int_equal(append("one"), 0);
    assert_int_equal(mode_of(t.file), 0640);
    assert_int_equal(mode_of(t.head), 0640);
    audit_file_close(&f);
    open_file(); /* without the group its right ends */
    assert_int_equal(mode_of(t.file), 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_group_may_read_trail_and_head, setup, teardown),
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        T(a_trail_goes_on_over_restarts),
        T(a_torn_line_is_closed_off),
        T(every_torn_length_heals),
        T(a_torn_first_line_heals),
        T(a_cut_while_stopped_is_reported),
        T(a_cut_while_running_is_reported),
        T(a_rewritten_last_line_is_reported),
        T(foreign_bytes_are_reported),
        T(deleted_is_noticed),
        T(replaced_is_noticed),
        T(a_long_end_is_read),
        T(a_file_of_something_else_is_refused),
        T(two_gateways_do_not_share),
        T(rotation_goes_on),
        T(a_lost_head_is_no_obstacle),
        T(a_lagging_head_is_no_defect),
        T(a_failed_write_is_taken_back),
        T(a_size_limit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
