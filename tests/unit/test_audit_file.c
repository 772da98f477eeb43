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
#include <stdarg.h>
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

/* Several lines are one write, of which a loss of power may leave any part; not of lines that were known to
 * be on the disk. */
TEST(a_torn_write_of_several_lines_heals)
{
    for (unsigned known = 0; known < 2; known++) {
        open_file();
        write_some(2);
        uint64_t before = f.size;
        write_some(known);
        audit_file_close(&f);
        assert_int_equal(truncate(t.file, (off_t)before), 0);
        put_text(t.file, "end of a line\"}\n{\"seq\":5,\"time", O_APPEND);
        open_file();
        write_some(1);
        assert_int_equal(f.breaks, 0);
        const char *text = audit_trail_text(t.file);
        assert_non_null(strstr(text, known ? "\"event\":\"audit_torn\",\"cause\":\"altered\""
                                           : "\"event\":\"audit_torn\",\"cause\":\"torn\""));
        assert_int_equal(strstr(text, "\"event\":\"audit_cut\"") != NULL, known);
        assert_int_equal(audit_trail_verify(&t, NULL) > 0, known);
        assert_int_equal(t.sum.notes > 0, !known);
        audit_file_close(&f);
        assert_int_equal(unlink(t.file), 0);
        assert_int_equal(unlink(t.head), 0);
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
/* The newest line is in a file that has another name now, and the head is older. */
TEST(the_newest_line_is_found_in_a_renamed_file)
{
    char head[AUDIT_HEAD_SIZE], old[128];

    for (int empty = 0; empty < 2; empty++) {
        open_file();
        write_some(1);
        audit_head_write(&f.head, head);
        write_some(3);
        uint64_t newest = f.head.last.seq;
        audit_file_close(&f);
        put_text(t.head, head, O_TRUNC);
        assert_int_equal(rename(t.file, audit_trail_path(&t, "audit.jsonl.1", old)), 0);
        if (empty)
            put_text(t.file, "", 0);
        open_file();
        assert_int_equal(f.head.last.seq, newest + 1); /* audit_continue follows it */
        write_some(1);
        assert_int_equal(audit_trail_verify(&t, old), 0);
        assert_int_equal(t.sum.notes, 0);
        audit_file_close(&f);
        assert_int_equal(unlink(old), 0);
        assert_int_equal(unlink(t.file), 0);
        assert_int_equal(unlink(t.head), 0);
    }
}

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

static const char *read_only; /* what the descriptor of the file becomes while a sync fails */

/* As where a disk fails altogether: the write cannot be undone either. */
static int sync_and_cut_fail(void)
{
    int fd = open(read_only, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0 && dup2(fd, f.fd) >= 0 && close(fd) == 0);
    return sync_fails();
}

static void give_descriptor_back(const char *path)
{
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);

    assert_true(fd >= 0 && dup2(fd, f.fd) >= 0 && close(fd) == 0);
}

static void fail_to_write_and_to_cut(void)
{
    static struct audit_disk disk;

    disk = audit_disk_system;
    disk.sync = fake_sync;
    assert_int_equal(audit_file_open(&f, t.file, t.head, &disk, why), 0);
    write_some(1);
    read_only = t.file;
    fake_sync_result = sync_and_cut_fail;
    assert_int_equal(append("again"), -EIO);
    fake_sync_result = NULL;
    assert_non_null(strstr(audit_trail_text(t.file), "again"));
    assert_int_not_equal(audit_file_check(&f), 0);
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

/* Its records are written once more, so what stands there of the first time goes first. */
TEST(a_failed_write_that_cannot_be_taken_back_is_cut_off_before_the_next)
{
    fail_to_write_and_to_cut();
    give_descriptor_back(t.file);
    assert_int_equal(audit_file_check(&f), 0);
    assert_int_equal(append("again"), 0);
    assert_int_equal(audit_trail_verify(&t, NULL), 0);
    assert_int_equal(count(audit_trail_text(t.file), "\"again\""), 1);
}

TEST(a_failed_write_is_cut_off_in_a_file_that_was_renamed)
{
    char older[sizeof(t.file) + 4];

    fail_to_write_and_to_cut();
    (void)snprintf(older, sizeof(older), "%s.1", t.file);
    assert_int_equal(rename(t.file, older), 0);
    give_descriptor_back(older);
    assert_int_equal(audit_file_rotate(&f), 0);
    assert_int_equal(append("again"), 0);
    assert_int_equal(count(audit_trail_text(older), "\"again\""), 0);
    assert_int_equal(unlink(older), 0);
}

/* A new file that could not be taken over has none of its lines when it is. */
TEST(a_new_file_that_failed_is_cut_off_before_it_is_taken)
{
    char older[sizeof(t.file) + 4];
    static struct audit_disk disk;

    disk = audit_disk_system;
    disk.sync = fake_sync;
    assert_int_equal(audit_file_open(&f, t.file, t.head, &disk, why), 0);
    write_some(1);
    (void)snprintf(older, sizeof(older), "%s.1", t.file);
    assert_int_equal(rename(t.file, older), 0);
    read_only = t.file;
    fake_sync_result = sync_and_cut_fail;
    assert_int_not_equal(audit_file_rotate(&f), 0);
    fake_sync_result = NULL;
    assert_non_null(strstr(audit_trail_text(t.file), "audit_continue"));
    write_some(1);
    assert_null(strstr(audit_trail_text(t.file), "audit_torn"));
    assert_int_equal(count(audit_trail_text(t.file), "\"audit_continue\""), 1);
    assert_int_equal(unlink(older), 0);
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

static ino_t looked_for;
static unsigned synced; /* so often was that file */

static int note_sync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    synced += st.st_ino == looked_for;
    return fdatasync(fd);
}

/* A process that was killed may have left its last lines visible and not durable, and the trail goes on
 * behind them. */
TEST(lines_of_a_file_that_was_renamed_meanwhile_are_made_durable)
{
    static struct audit_disk disk;
    char older[sizeof(t.file) + 4];
    struct stat st;

    open_file();
    write_some(2);
    audit_file_close(&f);
    (void)snprintf(older, sizeof(older), "%s.1", t.file);
    assert_int_equal(rename(t.file, older), 0);
    assert_int_equal(stat(older, &st), 0);
    looked_for = st.st_ino;
    synced = 0;
    disk = audit_disk_system;
    disk.sync = note_sync;
    assert_int_equal(audit_file_open(&f, t.file, t.head, &disk, why), 0);
    assert_int_equal(synced, 1);
    assert_non_null(strstr(audit_trail_text(t.file), "\"audit_continue\""));
    assert_int_equal(unlink(older), 0);
}

static const char *compressed; /* goes when it is opened to be made durable */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;

    va_end(args);
    if (compressed && strcmp(path, compressed) == 0 && flags & O_RDWR) {
        assert_int_equal(unlink(path), 0);
        compressed = NULL;
    }
    return __real_open(path, flags, mode);
}

/* Between the reading of its lines and their syncing. */
TEST(an_older_file_that_rotation_compresses_meanwhile_stops_no_start)
{
    char older[sizeof(t.file) + 4];

    open_file();
    write_some(2);
    uint64_t newest = f.head.last.seq;

    audit_file_close(&f);
    (void)snprintf(older, sizeof(older), "%s.1", t.file);
    assert_int_equal(rename(t.file, older), 0);
    compressed = older;
    open_file();
    assert_null(compressed);
    assert_int_equal(f.head.last.seq, newest + 1); /* audit_continue follows it */
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
        T(a_torn_write_of_several_lines_heals),
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
        T(the_newest_line_is_found_in_a_renamed_file),
        T(a_failed_write_is_taken_back),
        T(a_new_file_that_failed_is_cut_off_before_it_is_taken),
        T(lines_of_a_file_that_was_renamed_meanwhile_are_made_durable),
        T(an_older_file_that_rotation_compresses_meanwhile_stops_no_start),
        T(a_failed_write_that_cannot_be_taken_back_is_cut_off_before_the_next),
        T(a_failed_write_is_cut_off_in_a_file_that_was_renamed),
        T(a_size_limit_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
