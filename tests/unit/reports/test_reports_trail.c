/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_trail.c - the audit trail of a gateway over its files: read once, in order, whatever log
 * rotation does; breaks of its chain are counted, and reading goes on. And what the collector makes of it.
 */
#include "check.h"
#include "collect_rig.h"
#include "reports/collect/trail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    char dir[64], file[96], pattern[96];
    struct audit_link end; /* of what was written */
    int64_t begins_ms;
    struct trail *trail;
    struct audit_link at;
    struct trail_progress progress;
    uint64_t seen[4096];
    unsigned nseen;
} t;

static int setup(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    strcpy(t.dir, "/tmp/jumpgate-trail-XXXXXX");
    assert_non_null(mkdtemp(t.dir));
    (void)snprintf(t.file, sizeof(t.file), "%s/audit.jsonl", t.dir);
    (void)snprintf(t.pattern, sizeof(t.pattern), "%s/audit.jsonl*", t.dir);
    audit_link_none(&t.end);
    audit_link_none(&t.at);
    t.begins_ms = 1767225600000;
    t.trail = trail_new(t.pattern);
    assert_non_null(t.trail);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    trail_free(t.trail);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", t.dir);
    assert_int_equal(system(command), 0);
    return 0;
}

static void append(const char *text, size_t n)
{
    FILE *f = fopen(t.file, "a");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_event(const char *members)
{
    struct buf line = BUF_INIT(AUDIT_LINE_MAX);

    assert_int_equal(
        audit_line_write(&line, &t.end, t.begins_ms + (int64_t)t.end.seq * 1000, members, strlen(members)),
        0);
    append(line.data, line.len);
    buf_free(&line);
}

static void write_lines(unsigned n)
{
    while (n--)
        write_event("\"event\":\"reloaded\"");
}

static int on_line(void *arg, const struct audit_line *line, const char *text, size_t n)
{
    (void)arg;
    assert_int_equal(text[n - 1], '\n');
    assert_true(t.nseen < sizeof(t.seen) / sizeof(*t.seen));
    t.seen[t.nseen++] = line->link.seq;
    return 0;
}

static int read_some(unsigned most)
{
    return trail_read(t.trail, &t.at, most, on_line, NULL, &t.progress);
}

/* Everything that is there; returns the breaks. */
static uint64_t read_all(void)
{
    uint64_t broken = 0;

    do {
        assert_int_equal(read_some(7), 0);
        broken += t.progress.broken;
    } while (t.progress.more);
    return broken;
}

static void saw(uint64_t from, uint64_t to)
{
    assert_int_equal(t.nseen, to - from + 1);
    for (uint64_t i = 0; i <= to - from; i++)
        assert_int_equal(t.seen[i], from + i);
    t.nseen = 0;
}

static void shell(const char *fmt)
{
    char command[512];

    (void)snprintf(command, sizeof(command), "cd '%s' && %s", t.dir, fmt);
    assert_int_equal(system(command), 0);
}

static void start_again(void)
{
    trail_free(t.trail);
    t.trail = trail_new(t.pattern);
    assert_non_null(t.trail);
}

/* ---- reading ---- */

TEST(lines_come_once_as_they_are_written)
{
    assert_int_equal(read_some(10), -ENOENT);
    write_lines(20);
    assert_int_equal(read_all(), 0);
    saw(1, 20);
    assert_int_equal(read_all(), 0);
    assert_int_equal(t.nseen, 0);
    write_lines(3);
    assert_int_equal(read_all(), 0);
    saw(21, 23);
    start_again();
    write_lines(2);
    assert_int_equal(read_all(), 0);
    saw(24, 25);
    assert_string_equal(t.at.hash, t.end.hash);
}

TEST(half_a_line_waits_for_its_rest)
{
    struct buf line = BUF_INIT(AUDIT_LINE_MAX);

    write_lines(2);
    assert_int_equal(audit_line_write(&line, &t.end, 0, "\"event\":\"x\"", 11), 0);
    append(line.data, 30);
    assert_int_equal(read_all(), 0);
    saw(1, 2);
    append(line.data + 30, line.len - 30);
    assert_int_equal(read_all(), 0);
    saw(3, 3);
    buf_free(&line);
}

TEST(rotation_by_renaming_and_compressing)
{
    write_lines(10);
    assert_int_equal(read_all(), 0);
    saw(1, 10);
    write_lines(5); /* not read before the file is renamed */
    shell("mv audit.jsonl audit.jsonl.1");
    write_lines(5);
    assert_int_equal(read_all(), 0);
    saw(11, 20);
    shell("gzip audit.jsonl.1 && mv audit.jsonl audit.jsonl.0");
    write_lines(5);
    start_again();
    assert_int_equal(read_all(), 0);
    saw(21, 25);
    audit_link_none(&t.at); /* from the beginning: the packed one too */
    start_again();
    assert_int_equal(read_all(), 0);
    saw(1, 25);
}

TEST(a_position_inside_a_packed_file)
{
    write_lines(20);
    assert_int_equal(read_some(8), 0);
    shell("mv audit.jsonl audit.jsonl.1 && gzip audit.jsonl.1");
    write_lines(1);
    start_again();
    assert_int_equal(read_all(), 0);
    saw(1, 21);
}

TEST(copytruncate)
{
    write_lines(10);
    assert_int_equal(read_all(), 0);
    write_lines(4);
    shell("cp audit.jsonl audit.jsonl.1 && : > audit.jsonl");
    write_lines(3);
    assert_int_equal(read_all(), 0);
    saw(1, 17);
}

TEST(older_files_that_are_gone_are_no_break)
{
    write_lines(10);
    shell("rm audit.jsonl");
    write_lines(5);
    assert_int_equal(read_all(), 0);
    saw(11, 15);
}

TEST(a_transaction_that_is_rolled_back_reads_the_same_again)
{
    write_lines(10);
    struct audit_link before = t.at;
    assert_int_equal(read_some(5), 0);
    saw(1, 5);
    t.at = before;
    assert_int_equal(read_all(), 0);
    saw(1, 10);
}

/* ---- breaks ---- */

TEST(a_line_that_is_missing_is_one_break)
{
    write_lines(10);
    shell("sed -i 5d audit.jsonl");
    assert_int_equal(read_all(), 1);
    assert_int_equal(t.nseen, 9);
    assert_int_equal(t.seen[8], 10);
}

TEST(a_line_that_was_changed_is_one_break)
{
    write_lines(10);
    shell("sed -i '5s/reloaded/reloadad/' audit.jsonl");
    assert_int_equal(read_all(), 1);
    assert_int_equal(t.nseen, 9);
}

TEST(a_torn_line_that_the_gateway_closed_off_is_none)
{
    write_lines(3);
    append("{\"check\":\"0123\n", 15);
    write_event("\"event\":\"audit_torn\"");
    write_lines(2);
    assert_int_equal(read_all(), 0);
    saw(1, 6);
}

TEST(a_file_that_is_missing_is_one_break)
{
    write_lines(5);
    assert_int_equal(read_all(), 0);
    shell("mv audit.jsonl audit.jsonl.2");
    write_lines(5);
    shell("rm audit.jsonl");
    write_lines(5);
    assert_int_equal(read_all(), 1);
    assert_int_equal(t.nseen, 10);
}

TEST(another_trail_is_read_from_its_beginning)
{
    write_lines(10);
    assert_int_equal(read_all(), 0);
    t.nseen = 0;
    shell("rm audit.jsonl");
    audit_link_none(&t.end);
    write_event("\"event\":\"audit_begin\"");
    write_lines(2);
    start_again();
    assert_int_equal(read_all(), 1);
    saw(1, 3);
}

/* A gateway whose state was lost begins a new one; the files of the old one are still there. */
TEST(a_new_trail_beside_the_old_one)
{
    write_lines(7);
    shell("gzip -k audit.jsonl && mv audit.jsonl.gz audit.jsonl.2.gz && rm audit.jsonl");
    assert_int_equal(read_all(), 0);
    saw(1, 7);
    audit_link_none(&t.end);
    t.begins_ms += 60000;
    write_lines(9);
    shell("mv audit.jsonl audit.jsonl.1");
    write_lines(3);
    assert_int_equal(read_all(), 1);
    saw(1, 12);
    start_again();
    assert_int_equal(read_all(), 0);
    assert_int_equal(t.nseen, 0);
}

/* ---- what becomes of it ---- */

static struct collect_rig rig;

static void collect_for(int64_t seconds)
{
    rig.gateway = (struct collect_gateway_params){.name = "east", .audit = t.pattern};
    rig.params.ngateways = 1;
    rig.params.nsites = 0;
    collect_rig_start(&rig);
    collect_rig_run(&rig, seconds);
}

TEST(leases_become_rows)
{
    collect_rig_init(&rig);
    write_event("\"event\":\"gateway_started\"");
    write_event(
        "\"event\":\"checkout\",\"outcome\":\"ok\",\"user\":\"ann\",\"session\":\"S-1\",\"lsid\":"
        "\"00000000000000000000000000000001\",\"credential_id\":\"c1\",\"vault\":\"v\",\"system\":\"web01\","
        "\"account\":\"root\",\"lease_id\":\"l1\",\"kind\":\"password\",\"expires_at\":\"2026-01-02T00:00:"
        "00Z\"");
    write_event("\"event\":\"checkout\",\"outcome\":\"refused\",\"code\":\"not_entitled\",\"user\":\"ann\","
                "\"lease_id\":\"l2\"");
    write_event("\"event\":\"lease_end\",\"reason\":\"released\",\"user\":\"ann\",\"lease_id\":\"l1\"");
    collect_for(10);
    assert_int_equal(rig_int(&rig.store, "SELECT count(*) FROM \"jg_credential_use\""), 1);
    assert_string_equal(rig_text(&rig.store,
                                 "SELECT \"gateway\" || ' ' || \"account\" || ' ' || \"reason\" || ' ' || "
                                 "(\"released_unix\" - \"checkout_unix\") FROM \"jg_credential_use\""),
                        "east root released 2");
    write_event("\"event\":\"checkin\",\"outcome\":\"checked_in\",\"lease_id\":\"l1\"");
    collect_rig_run(&rig, 10);
    assert_string_equal(rig_text(&rig.store, "SELECT \"checkin_outcome\" FROM \"jg_credential_use\""),
                        "checked_in");
    assert_int_equal(collect_state(rig.collector)->gateways[0].seq, 5);
    assert_null(collect_state(rig.collector)->gateways[0].error);
    collect_rig_crash(&rig);
    write_event("\"event\":\"checkout\",\"outcome\":\"ok\",\"user\":\"bob\",\"lease_id\":\"l3\"");
    write_event("\"event\":\"checkout\",\"outcome\":\"refused\",\"undone\":\"yes\",\"user\":\"bob\",\"lease_"
                "id\":\"l3\"");
    collect_for(10);
    assert_int_equal(rig_int(&rig.store, "SELECT count(*) FROM \"jg_credential_use\""), 2);
    assert_string_equal(
        rig_text(&rig.store, "SELECT \"reason\" FROM \"jg_credential_use\" WHERE \"lease_id\" = 'l3'"),
        "undone");
    shell("sed -i 1d audit.jsonl && rm -f audit.jsonl");
    audit_link_none(&t.end);
    write_lines(2);
    collect_rig_stop(&rig);
    collect_for(10);
    assert_non_null(collect_state(rig.collector)->gateways[0].error);
    assert_int_equal(collect_state(rig.collector)->gateways[0].broken, 1);
    collect_rig_stop(&rig);
    collect_rig_end(&rig);
}

#define WITH_TRAIL(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TRAIL(lines_come_once_as_they_are_written),
        WITH_TRAIL(half_a_line_waits_for_its_rest),
        WITH_TRAIL(rotation_by_renaming_and_compressing),
        WITH_TRAIL(a_position_inside_a_packed_file),
        WITH_TRAIL(copytruncate),
        WITH_TRAIL(older_files_that_are_gone_are_no_break),
        WITH_TRAIL(a_transaction_that_is_rolled_back_reads_the_same_again),
        WITH_TRAIL(a_line_that_is_missing_is_one_break),
        WITH_TRAIL(a_line_that_was_changed_is_one_break),
        WITH_TRAIL(a_torn_line_that_the_gateway_closed_off_is_none),
        WITH_TRAIL(a_file_that_is_missing_is_one_break),
        WITH_TRAIL(another_trail_is_read_from_its_beginning),
        WITH_TRAIL(a_new_trail_beside_the_old_one),
        WITH_TRAIL(leases_become_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
