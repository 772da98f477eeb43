/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_audit_witness.c - what the end of a trail says is still checked out, over its files and within its
 * limit.
 */
#include "audit/audit_tail.h"
#include "audit/audit_witness.h"
#include "audit_trail.h"
#include "base/json.h"
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT(id, more)                                                                                        \
    "\"event\":\"checkout\",\"outcome\":\"ok\",\"user\":\"ann\",\"domain\":\"CORP\",\"session\":\"S\\\"1\"," \
    "\"run_as\":\"CORP\\\\ann\",\"vault\":\"main\",\"lease_id\":\"L" id "\",\"vault_request_id\":" id        \
    ",\"kind\":"                                                                                             \
    "\"password\"" more
#define IN(id) "\"event\":\"checkin\",\"outcome\":\"checked_in\",\"vault\":\"main\",\"vault_request_id\":" id
/* It waits for its approver. */
#define KEPT(id)                                                                                             \
    "\"event\":\"checkout\",\"outcome\":\"refused\",\"code\":\"approval_pending\",\"user\":\"ann\","         \
    "\"domain\":\"CORP\",\"session\":\"S\\\"1\",\"run_as\":\"CORP\\\\ann\",\"vault\":\"main\","              \
    "\"lease_id\":\"L" id "\",\"vault_request_id\":" id

static struct audit_trail t;
static struct audit_link at;
static char claims[4096]; /* "17 18 " */
static struct audit_tail past;

static int setup(void **state)
{
    (void)state;
    audit_trail_make(&t);
    audit_link_none(&at);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    audit_trail_remove(&t);
    return 0;
}

static void on_claim(void *arg, const struct audit_claim *c)
{
    size_t n = strlen(claims);

    (void)arg;
    assert_string_equal(c->user, "ann");
    assert_string_equal(c->domain, "CORP");
    assert_string_equal(c->session, "S\"1");
    assert_string_equal(c->run_as, "CORP\\ann");
    assert_string_equal(c->vault, "main");
    assert_int_equal(c->created_wall_ms, 1000);
    assert_int_equal(strtol(c->lease_id + 1, NULL, 10), strtol(c->request_name, NULL, 10));
    assert_in_range(snprintf(claims + n, sizeof(claims) - n, "%s ", c->request_name), 2,
                    (int)(sizeof(claims) - n) - 1);
}

static int on_line(void *arg, const char *line, size_t n)
{
    return audit_witness_line(arg, line, n);
}

static const char *heard(uint64_t max_bytes)
{
    struct audit_witness *w = audit_witness_new(on_claim, NULL);

    assert_non_null(w);
    claims[0] = '\0';
    assert_int_equal(audit_tail_read(t.file, max_bytes, on_line, w, &past), 0);
    audit_witness_free(w);
    return claims;
}

static void put(const char *path, const char *const *members, size_t n)
{
    struct buf b = BUF_INIT(1 << 22);
    FILE *f = fopen(path, "ae");

    assert_non_null(f);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(audit_line_write(&b, &at, 1000, members[i], strlen(members[i])), 0);
    assert_int_equal(fwrite(b.data, 1, b.len, f), b.len);
    assert_int_equal(fclose(f), 0);
    buf_free(&b);
}

#define PUT(path, ...)                                                                                       \
    put(path, (const char *const[]){__VA_ARGS__}, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *))

TEST(what_has_no_end_is_claimed)
{
    PUT(t.file, OUT("17", ""), OUT("18", ""), OUT("19", ",\"adopted\":\"yes\""), OUT("20", ""), IN("18"),
        OUT("21", ""), "\"event\":\"checkin_failed\",\"vault\":\"main\",\"vault_request_id\":17",
        "\"event\":\"checkin\",\"outcome\":\"checked_in\",\"vault\":\"other\",\"vault_request_id\":17",
        "\"event\":\"lease_end\",\"lease_id\":\"L17\",\"vault\":\"main\",\"vault_request_id\":17",
        "\"event\":\"reconcile\",\"found\":\"never_happened\",\"lease_id\":\"L20\"",
        "\"event\":\"reconcile\",\"found\":\"stray_request\",\"lease_id\":\"L21\"",
        "\"event\":\"checkout\",\"outcome\":\"refused\",\"vault\":\"main\",\"vault_request_id\":22",
        KEPT("23"), KEPT("24"), IN("24"));
    assert_string_equal(heard(1 << 20), "23 21 17 ");
    assert_true(past.whole);
}

/* A request may be had again after its end, and its number stands in no text but its own. */
TEST(an_end_is_of_what_came_before)
{
    PUT(t.file, OUT("17", ""), IN("17"), OUT("17", ""), IN("170"),
        "\"event\":\"checkin\",\"note\":\"\\\"vault_request_id\\\":17\"");
    assert_string_equal(heard(1 << 20), "17 ");
}

TEST(older_files_are_read_in_their_order)
{
    char a[128], b[128], other[128], packed[128];
    FILE *f;

    PUT(audit_trail_path(&t, "audit.jsonl-1", a), OUT("1", ""), OUT("2", ""));
    PUT(audit_trail_path(&t, "audit.jsonl.0", b), OUT("3", ""), IN("1"));
    f = fopen(audit_trail_path(&t, "audit.notes", other), "we");
    assert_non_null(f);
    assert_true(fputs("{\"check\":\"no line of a trail\n" OUT("9", ""), f) >= 0);
    assert_int_equal(fclose(f), 0);
    f = fopen(audit_trail_path(&t, "audit.jsonl.7.gz", packed), "we");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(heard(1 << 20), "3 2 "); /* also where the newest file is not there yet */
    PUT(t.file, OUT("4", ""), IN("3"));
    assert_string_equal(heard(1 << 20), "4 2 ");
    assert_int_equal(past.files, 3);
    assert_true(past.packed);
    assert_int_equal(remove(a) + remove(b) + remove(other) + remove(packed), 0);
}

/* Lines lie across the pieces that are read; what is beyond the limit is not read. */
TEST(no_more_than_the_limit)
{
    char line[256], id[16];
    const char *members = line;

    PUT(t.file, OUT("5", ""));
    for (int i = 0; i < 6000; i++) {
        (void)snprintf(id, sizeof(id), "%d", i + 100);
        (void)snprintf(line, sizeof(line), "\"event\":\"checkin\",\"vault\":\"main\",\"vault_request_id\":%s",
                       id);
        put(t.file, &members, 1);
    }
    PUT(t.file, OUT("6", ""), OUT("6099", ""), IN("6099"));
    assert_string_equal(heard(16 << 20), "6 5 ");
    assert_true(past.whole);
    assert_string_equal(heard(700000), "6 ");
    assert_false(past.whole);
    assert_int_equal(past.bytes, 700000);
    assert_string_equal(heard(100), "");
}

/* Whatever stands in the file, the rest is read: a line too long, bytes, half a line. */
TEST(junk_is_passed_over)
{
    FILE *f;

    PUT(t.file, OUT("5", ""));
    f = fopen(t.file, "ae");
    assert_non_null(f);
    for (int i = 0; i < 2 * AUDIT_LINE_MAX; i++)
        assert_true(fputc(i % 256 == '\n' ? 0 : i % 256, f) != EOF);
    assert_true(
        fputs("\n\n{\"check\":\"0\",\"event\":\"checkout\",\"outcome\":\"ok\",\"vault_request_id\":7\n", f) >=
        0);
    assert_int_equal(fclose(f), 0);
    PUT(t.file, OUT("6", ""));
    f = fopen(t.file, "ae");
    assert_non_null(f);
    assert_true(fputs("{\"check\":\"half", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_string_equal(heard(1 << 20), "6 5 ");
}

TEST(no_trail_is_no_fault)
{
    assert_string_equal(heard(1 << 20), "");
    assert_true(past.whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_has_no_end_is_claimed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_is_of_what_came_before, setup, teardown),
        cmocka_unit_test_setup_teardown(older_files_are_read_in_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_than_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(junk_is_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(no_trail_is_no_fault, setup, teardown),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
