/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_syslog.c - the appliance's log: lines, segments, times, and the archive it comes in.
 */
#include "archive_rig.h"
#include "check.h"
#include "reading_rig.h"

#include "reports/pra/syslog_archive.h"
#include "reports/pra/syslog_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW  INT64_C(1700000000) /* 2023-11-14 22:13:20 */
#define HEAD "Nov 14 10:00:00 pra1 BG[77]: 1234:"

static void give(void *ctx, struct report_batch *batch)
{
    reading_write(ctx, batch);
}

static uint64_t read_lines(const char *text, size_t n, size_t piece, struct buf *records)
{
    struct batch_out out = {.give = give, .ctx = records};
    struct syslog_lines *l = syslog_lines_new(NOW);

    assert_non_null(l);
    for (size_t at = 0; at < n; at += piece)
        assert_int_equal(syslog_lines_feed(l, text + at, n - at < piece ? n - at : piece, &out), 0);
    assert_int_equal(syslog_lines_end_file(l, &out), 0);
    batch_flush(&out);
    batch_free(&out);
    uint64_t left_out = syslog_lines_left_out(l);
    syslog_lines_free(l);
    (void)buf_cstr(records);
    return left_out;
}

static void check_lines(const char *text, const char *expected, uint64_t left_out)
{
    for (size_t piece = 1; piece < 5000; piece = piece * 7 + 1) {
        struct buf records = BUF_INIT(1 << 20);
        case_label("pieces of %zu: %.60s", piece, text);
        assert_int_equal(read_lines(text, strlen(text), piece, &records), left_out);
        assert_string_equal(buf_cstr(&records), expected);
        buf_free(&records);
    }
}

/* ---- lines ---- */

TEST(one_line)
{
    check_lines(HEAD "01:01:site=pra.example;who=Ann (ann) using password;who_ip=192.0.2.1;event=login;"
                     "target=web/login;status=success;when=1699999999\n",
                "syslog timestamp=1699999999 appliance=pra1 event=login target=web/login status=success "
                "who=Ann (ann) using password who_ip=192.0.2.1 #0 [site=pra.example] "
                "[who=Ann (ann) using password] [who_ip=192.0.2.1] [event=login] [target=web/login] "
                "[status=success] [when=1699999999]\n",
                0);
}

TEST(escapes_and_secrets)
{
    check_lines(
        HEAD "01:01:event=a\\;b\\=c\\\\;k\\=1=v=w;p=***;q=***NEW***;b=@@@YQ==;e=;bare;=x;z=\\",
        "syslog timestamp=1699956000 appliance=pra1 event=a;b=c\\ #0 [event=a;b=c\\] [k=1=v=w] [p=***] "
        "[q=***NEW***] [b=@@@YQ==] [e=] [=x] [z=\\]\n",
        0);
}

TEST(lines_of_others_and_malformed_ones)
{
    check_lines("Nov 14 10:00:00 pra1 sshd[1]: event=login\n"
                "\n"
                "nonsense\r\n"
                "Nov 14 10:00:00 pra1 BG: 1234:01:01:event=old\r\n"
                "Nov 14 10:00:00 pra1 BG[1]: 1234:02:01:event=x\n"
                "Nov 14 10:00:00 pra1 BG[1]: 1234:00:01:event=x\n"
                "Nov 14 10:00:00 pra1 BG[1]: event=x\n"
                "Nov 14 10:00:00 pra1 BG[1]: 1234:1:1:event=short\n"
                "Nov 14 10:00:00 pra1 BG[1]: 1234:01:01:no pair\n"
                "Xyz 14 10:00:00 pra1 BG[1]: 1234:01:01:event=x\n"
                "2023-11-14T10:00:01+00:00 pra1 BG[1]: 1234:01:01:event=iso\n",
                "syslog timestamp=1699956000 appliance=pra1 event=old #0 [event=old]\n"
                "syslog timestamp=1699956000 appliance=pra1 event=short #0 [event=short]\n"
                "syslog timestamp=1699956001 appliance=pra1 event=iso #0 [event=iso]\n",
                4);
}

TEST(segments_are_joined_wherever_they_are_split)
{
    static const char whole[] = "event=user_changed;old_name=\xc3\xa9t\xc3\xa9;new_name=a\\;b;who=Ann";
    const size_t len = sizeof(whole) - 1;

    for (size_t cut = 1; cut + 1 < len; cut++) {
        struct buf text = BUF_INIT(4096), records = BUF_INIT(4096);
        case_label("cut at %zu", cut);
        /* The second comes first, and another process writes between them. */
        (void)buf_printf(&text, HEAD "02:02:%s\n", whole + cut);
        (void)buf_str(&text, "Nov 14 10:00:00 pra1 BG[78]: 1234:01:01:event=other\n");
        (void)buf_printf(&text, HEAD "01:02:%.*s\n", (int)cut, whole);
        assert_int_equal(read_lines(text.data, text.len, text.len, &records), 0);
        assert_string_equal(buf_cstr(&records),
                            "syslog timestamp=1699956000 appliance=pra1 event=other #0 [event=other]\n"
                            "syslog timestamp=1699956000 appliance=pra1 event=user_changed who=Ann #0 "
                            "[event=user_changed] [old_name=\xc3\xa9t\xc3\xa9] [new_name=a;b] [who=Ann]\n");
        buf_free(&text);
        buf_free(&records);
    }
}

TEST(segments_that_are_missing_or_there_twice)
{
    check_lines(HEAD "01:03:event=lost;\n" HEAD "02:03:a=b;\n" HEAD "01:02:event=second;\n" HEAD
                     "02:02:a=c\n",
                "syslog timestamp=1699956000 appliance=pra1 event=second #0 [event=second] [a=c]\n", 1);
    check_lines(HEAD "01:02:event=once;\n" HEAD "01:02:event=twice;\n" HEAD "02:02:a=c\n",
                "syslog timestamp=1699956000 appliance=pra1 event=twice #0 [event=twice] [a=c]\n", 1);
    check_lines(HEAD "01:02:event=open;\n", "", 1);
    check_lines("Nov 14 10:00:00 pra1 BG[1]: 0001:01:02:event=a\n"
                "Nov 14 10:00:00 pra2 BG[1]: 0001:02:02:;x=2\n"
                "Nov 14 10:00:00 pra1 BG[2]: 0001:02:02:;x=3\n"
                "Nov 14 10:00:00 pra1 BG[1]: 0002:02:02:;x=4\n"
                "Nov 14 10:00:00 pra1 BG[1]: 0001:02:02:;x=5\n",
                "syslog timestamp=1699956000 appliance=pra1 event=a #0 [event=a] [x=5]\n", 3);
}

TEST(equal_messages_are_numbered)
{
    check_lines(HEAD "01:01:event=a\n" HEAD "01:01:event=b\n" HEAD "01:01:event=a\n" HEAD
                     "01:02:event=\n" HEAD "02:02:a\n",
                "syslog timestamp=1699956000 appliance=pra1 event=a #0 [event=a]\n"
                "syslog timestamp=1699956000 appliance=pra1 event=b #0 [event=b]\n"
                "syslog timestamp=1699956000 appliance=pra1 event=a #1 [event=a]\n"
                "syslog timestamp=1699956000 appliance=pra1 event=a #2 [event=a]\n",
                0);
}

static void count_ones(void *ctx, struct report_batch *batch)
{
    size_t *ones = ctx;

    for (size_t i = 0; i < batch->n; i++)
        *ones += batch->syslog[i].ordinal == 1;
}

/* Far more messages than one generation holds, each there twice, half a generation apart. */
TEST(equal_messages_are_found_among_many)
{
    size_t ones = 0;
    struct batch_out out = {.give = count_ones, .ctx = &ones};
    struct syslog_lines *l = syslog_lines_new(NOW);
    char line[64];

    assert_non_null(l);
    for (int i = 0; i < 6 * 60000; i++) {
        (void)snprintf(line, sizeof(line), HEAD "01:01:event=%d\n", i / 60000 * 30000 + i % 30000);
        assert_int_equal(syslog_lines_feed(l, line, strlen(line), &out), 0);
        if (batch_is_full(&out))
            batch_flush(&out);
    }
    batch_flush(&out);
    batch_free(&out);
    assert_int_equal(ones, 6 * 30000);
    syslog_lines_free(l);
}

TEST(the_year_of_a_line)
{
    static const struct {
        const char *date;
        int64_t time;
    } rows[] = {
        {"Nov 14 22:13:20", NOW},
        {"Nov 15 22:13:20", NOW + 86400},
        {"Nov 15 22:13:21", INT64_C(1668550401)}, /* over a day ahead: the year before */
        {"Jan  1 00:00:00", INT64_C(1672531200)},
        {"Dec 31 00:00:00", INT64_C(1672444800)},
        {"Feb 29 00:00:00", INT64_C(1582934400)}, /* 2020 was the last year with such a day */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char line[128], want[128];
        (void)snprintf(line, sizeof(line), "%s pra1 BG[1]: 1:01:01:event=x\n", rows[i].date);
        (void)snprintf(want, sizeof(want), "syslog timestamp=%lld appliance=pra1 event=x #0 [event=x]\n",
                       (long long)rows[i].time);
        check_lines(line, want, 0);
    }
    check_lines("Feb 30 00:00:00 pra1 BG[1]: 1:01:01:event=x\n", "", 1);
}

TEST(bytes_that_are_no_text)
{
    check_lines("Nov 14 10:00:00 pr\xff BG[1]: 1:01:01:event=a\x01\xc3;k=\xe2\x82\n",
                "syslog timestamp=1699956000 appliance=pr\xef\xbf\xbd event=a\x01\xef\xbf\xbd #0 "
                "[event=a\x01\xef\xbf\xbd] [k=\xef\xbf\xbd\xef\xbf\xbd]\n",
                0);
}

TEST(a_line_without_end)
{
    struct buf text = BUF_INIT(1 << 20), records = BUF_INIT(4096);

    (void)buf_str(&text, HEAD "01:01:event=");
    for (int i = 0; i < 20000; i++)
        (void)buf_str(&text, "12345678");
    (void)buf_str(&text, "\n" HEAD "01:01:event=x\n");
    assert_int_equal(read_lines(text.data, text.len, 999, &records), 1);
    assert_string_equal(buf_cstr(&records),
                        "syslog timestamp=1699956000 appliance=pra1 event=x #0 [event=x]\n");
    buf_free(&text);
    buf_free(&records);
}

TEST(messages_that_are_never_whole_take_little_memory)
{
    struct buf text = BUF_INIT(64 << 20), records = BUF_INIT(4096);

    for (int i = 0; i < 3000; i++)
        (void)buf_printf(&text, "Nov 14 10:00:00 pra1 BG[%d]: 1:01:02:event=%01000d\n", i, i);
    assert_int_equal(read_lines(text.data, text.len, 65536, &records), 3000);
    assert_int_equal(records.len, 0);
    buf_free(&text);
    buf_free(&records);
}

/* ---- archives ---- */

#define LINE(event) "Nov 14 10:00:00 pra1 BG[77]: 1234:01:01:event=" event "\n"
#define READ(event) "syslog timestamp=1699956000 appliance=pra1 event=" event " #0 [event=" event "]\n"

static int read_bytes(const void *bytes, size_t n, struct buf *records, uint64_t *left_out, const char **why)
{
    int fd = archive_file(bytes, n);
    int state = archive_read(fd, NOW, records, left_out, why);

    (void)close(fd);
    return state;
}

TEST(an_archive_with_rotations)
{
    static const struct archive_member members[] = {
        {"logs/messages", LINE("newest"), 0, false},    {"logs/", "", 0, false},
        {"logs/messages.1", LINE("newer"), 0, false},   {"logs/messages.10.gz", LINE("oldest"), 0, true},
        {"logs/messages.2.gz", LINE("older"), 0, true}, {"../../etc/cron.d/x", LINE("path"), 0, false},
    };
    struct buf zip = BUF_INIT(1 << 20), records = BUF_INIT(1 << 20);
    uint64_t left_out;
    const char *why;

    archive_make(&zip, members, sizeof(members) / sizeof(members[0]));
    assert_int_equal(read_bytes(zip.data, zip.len, &records, &left_out, &why), 0);
    assert_string_equal(buf_cstr(&records),
                        READ("oldest") READ("older") READ("newer") READ("path") READ("newest"));
    assert_int_equal(left_out, 0);
    buf_free(&zip);
    buf_free(&records);
}

TEST(an_archive_with_dated_rotations)
{
    static const struct archive_member members[] = {
        {"messages", LINE("newest"), 0, false},
        {"messages-20231114.gz", LINE("newer"), 0, true},
        {"messages-20231101.gz", LINE("oldest"), 0, true},
        {"messages-20231113.gz", LINE("older"), 0, true},
    };
    struct buf zip = BUF_INIT(1 << 20), records = BUF_INIT(1 << 20);
    uint64_t left_out;
    const char *why;

    archive_make(&zip, members, sizeof(members) / sizeof(members[0]));
    assert_int_equal(read_bytes(zip.data, zip.len, &records, &left_out, &why), 0);
    assert_string_equal(buf_cstr(&records), READ("oldest") READ("older") READ("newer") READ("newest"));
    buf_free(&zip);
    buf_free(&records);
}

TEST(a_segment_in_the_next_rotation)
{
    static const struct archive_member members[] = {
        {"messages", HEAD "02:02:;a=b\n", 0, false},
        {"messages.1", HEAD "01:02:event=x\n", 0, false},
    };
    struct buf zip = BUF_INIT(1 << 20), records = BUF_INIT(1 << 20);
    uint64_t left_out;
    const char *why;

    archive_make(&zip, members, 2);
    assert_int_equal(read_bytes(zip.data, zip.len, &records, &left_out, &why), 0);
    assert_string_equal(buf_cstr(&records),
                        "syslog timestamp=1699956000 appliance=pra1 event=x #0 [event=x] [a=b]\n");
    buf_free(&zip);
    buf_free(&records);
}

TEST(what_is_no_archive)
{
    static const struct archive_member members[] = {{"messages", LINE("a"), 0, false},
                                                    {"messages.1.gz", LINE("b"), 0, true}};
    struct buf zip = BUF_INIT(1 << 20);
    uint64_t left_out;
    const char *why;

    archive_make(&zip, members, 2);
    for (size_t n = 0; n < zip.len; n++) {
        struct buf records = BUF_INIT(1 << 20);
        case_label("the first %zu bytes", n);
        assert_int_equal(read_bytes(zip.data, n, &records, &left_out, &why), -EINVAL);
        assert_true(*why);
        buf_free(&records);
    }
    buf_free(&zip);
}

TEST(an_archive_with_any_byte_changed)
{
    static const struct archive_member members[] = {{"messages", LINE("a"), 0, false},
                                                    {"messages.1.gz", LINE("b"), 0, true}};
    struct buf zip = BUF_INIT(1 << 20);
    size_t bad = 0;

    archive_make(&zip, members, 2);
    for (size_t i = 0; i < zip.len; i++) {
        struct buf records = BUF_INIT(1 << 20);
        uint64_t left_out;
        const char *why;
        zip.data[i] ^= 0x55;
        int outcome = read_bytes(zip.data, zip.len, &records, &left_out, &why);
        assert_true(outcome <= 0);
        bad += outcome != 0;
        zip.data[i] ^= 0x55;
        buf_free(&records);
    }
    assert_true(bad > 20);
    buf_free(&zip);
}

static void check_limit(const struct archive_member *members, size_t n, const char *word)
{
    struct buf zip = BUF_INIT(64 << 20), records = BUF_INIT(1 << 20);
    uint64_t left_out;
    const char *why;

    archive_make(&zip, members, n);
    assert_int_equal(read_bytes(zip.data, zip.len, &records, &left_out, &why), -EMSGSIZE);
    assert_non_null(strstr(why, word));
    buf_free(&zip);
    buf_free(&records);
}

TEST(limits_of_an_archive)
{
    static char names[1001][16];
    static struct archive_member many[1001];
    size_t len = 32 << 20;
    char *zeroes = calloc(1, len);

    assert_non_null(zeroes);
    memset(zeroes, '\n', len);
    check_limit(&(struct archive_member){"messages", zeroes, len, false}, 1, "compressed too much");
    check_limit(&(struct archive_member){"messages.gz", zeroes, len, true}, 1, "compressed too much");
    free(zeroes);
    for (size_t i = 0; i < 1001; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "m.%zu", i);
        many[i] = (struct archive_member){names[i], LINE("a"), 0, false};
    }
    check_limit(many, 1001, "too many members");
}

/* Its list is read as a whole, whatever number of members it names. */
TEST(a_list_of_members_that_is_too_long)
{
    static const unsigned char counts[][2] = {{1, 0}, {0xff, 0xff}};
    const uint32_t bytes = (4 << 20) + 1;
    struct buf zip = BUF_INIT(16 << 20), records = BUF_INIT(1 << 20);
    uint64_t left_out;
    const char *why;
    char *list = calloc(1, bytes);

    assert_non_null(list);
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&zip);
        assert_int_equal(buf_append(&zip, list, bytes), 0);
        assert_int_equal(buf_append(&zip, "PK\5\6\0\0\0\0", 8), 0);
        for (int twice = 0; twice < 2; twice++)
            assert_int_equal(buf_append(&zip, (const char *)counts[i], 2), 0);
        for (int shift = 0; shift < 32; shift += 8)
            assert_int_equal(buf_char(&zip, (char)(bytes >> shift)), 0);
        assert_int_equal(buf_append(&zip, "\0\0\0\0\0\0", 6), 0);
        assert_int_equal(read_bytes(zip.data, zip.len, &records, &left_out, &why), -EMSGSIZE);
        assert_non_null(strstr(why, "list of members is too long"));
    }
    free(list);
    buf_free(&zip);
    buf_free(&records);
}

static int read_within(const struct syslog_archive_limits *limits, const struct buf *zip)
{
    struct buf records = BUF_INIT(1 << 20);
    struct batch_out out = {.give = give, .ctx = &records};
    int fd = archive_file(zip->data, zip->len), outcome;
    struct syslog_archive *a = syslog_archive_new(fd, NOW, limits);

    do
        outcome = syslog_archive_step(a, &out);
    while (outcome == 1);
    syslog_archive_free(a);
    batch_free(&out);
    buf_free(&records);
    (void)close(fd);
    return outcome;
}

TEST(limits_of_what_is_in_it)
{
    static const struct archive_member members[] = {{"messages", LINE("aaaaaaaaaaaa"), 0, false},
                                                    {"messages.1", LINE("bbbbbbbbbbbb"), 0, false}};
    const size_t len = sizeof(LINE("aaaaaaaaaaaa")) - 1;
    struct buf zip = BUF_INIT(1 << 20);

    archive_make(&zip, members, 2);
    assert_int_equal(read_within(&(struct syslog_archive_limits){2, len, 2 * len, 200}, &zip), 0);
    assert_int_equal(read_within(&(struct syslog_archive_limits){1, len, 2 * len, 200}, &zip), -EMSGSIZE);
    assert_int_equal(read_within(&(struct syslog_archive_limits){2, len - 1, 2 * len, 200}, &zip), -EMSGSIZE);
    assert_int_equal(read_within(&(struct syslog_archive_limits){2, len, 2 * len - 1, 200}, &zip), -EMSGSIZE);
    buf_free(&zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line),
        cmocka_unit_test(escapes_and_secrets),
        cmocka_unit_test(lines_of_others_and_malformed_ones),
        cmocka_unit_test(segments_are_joined_wherever_they_are_split),
        cmocka_unit_test(segments_that_are_missing_or_there_twice),
        cmocka_unit_test(equal_messages_are_numbered),
        cmocka_unit_test(equal_messages_are_found_among_many),
        cmocka_unit_test(the_year_of_a_line),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(a_line_without_end),
        cmocka_unit_test(messages_that_are_never_whole_take_little_memory),
        cmocka_unit_test(an_archive_with_rotations),
        cmocka_unit_test(an_archive_with_dated_rotations),
        cmocka_unit_test(a_segment_in_the_next_rotation),
        cmocka_unit_test(what_is_no_archive),
        cmocka_unit_test(an_archive_with_any_byte_changed),
        cmocka_unit_test(limits_of_an_archive),
        cmocka_unit_test(a_list_of_members_that_is_too_long),
        cmocka_unit_test(limits_of_what_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
