/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_pages.c - pages of the Configuration API turned into rows of the inventory; base64; what an
 * answer means.
 */
#include "check.h"
#include "reading_rig.h"

#include "base/json.h"
#include "base/text.h"
#include "reports/pra/base64.h"
#include "reports/pra/outcomes.h"
#include "reports/pra/read_pages.h"

#include <errno.h>
#include <stdlib.h>

struct page {
    struct page_outcome outcome;
    struct buf records;
};

static void give(void *ctx, struct report_batch *batch)
{
    reading_write(ctx, batch);
}

static void read_page(struct page *p, enum report_page_kind kind, const char *json)
{
    struct buf body = BUF_INIT(1 << 20), records = BUF_INIT(1 << 20);
    struct batch_out out = {.give = give, .ctx = &p->records};

    *p = (struct page){.records = records};
    assert_int_equal(buf_str(&body, json), 0);
    report_page_read(kind, &body, &out, &p->outcome);
    batch_flush(&out);
    batch_free(&out);
    buf_free(&body);
    (void)buf_cstr(&p->records);
}

static void check_page(enum report_page_kind kind, const char *json, const char *records)
{
    struct page p;

    read_page(&p, kind, json);
    assert_int_equal(p.outcome.err, 0);
    assert_string_equal(buf_cstr(&p.records), records);
    buf_free(&p.records);
}

TEST(rows_of_each_list)
{
    check_page(REPORT_PAGE_VAULT_ACCOUNT,
               "[{\"id\":7,\"type\":\"ssh\",\"name\":\"root\",\"username\":\"root\",\"description\":\"\","
               "\"account_group_id\":1,\"account_policy\":null,\"endpoint_id\":9,"
               "\"last_checkout_timestamp\":\"2023-11-14T22:13:20+00:00\",\"personal\":false},"
               "{\"id\":9007199254740993,\"last_checkout_timestamp\":1700000000},{\"id\":8,"
               "\"last_checkout_timestamp\":null}]",
               "account account_id=7 type=ssh name=root username=root account_group_id=1 endpoint_id=9 "
               "last_checkout=1700000000\n"
               "account account_id=9007199254740993 last_checkout=1700000000\n"
               "account account_id=8\n");
    check_page(REPORT_PAGE_SHELL_JUMP,
               "[{\"id\":1,\"name\":\"web\",\"hostname\":\"web.example\",\"jump_group_id\":2,"
               "\"jump_group_type\":\"shared\",\"jumpoint_id\":3,\"tag\":\"t\",\"port\":22}]",
               "item type=shell-jump item_id=1 name=web hostname=web.example jump_group_id=2 "
               "jump_group_type=shared jumpoint_id=3 tag=t\n");
    check_page(REPORT_PAGE_JUMP_CLIENT, "[{\"id\":1,\"name\":\"c\"}]",
               "item type=jump-client item_id=1 name=c\n");
    check_page(REPORT_PAGE_JUMPOINT,
               "[{\"id\":4,\"name\":\"J\",\"platform\":\"linux-x86\",\"connected\":true,\"enabled\":true,"
               "\"clustered\":false,\"external_jump_item_network_id\":\"net\"}]",
               "jumpoint jumpoint_id=4 name=J platform=linux-x86 network_id=net 110\n");
    check_page(REPORT_PAGE_JUMP_GROUP, "[{\"id\":5,\"name\":\"G\",\"code_name\":\"g\"}]",
               "group group_id=5 name=G code_name=g\n");
    check_page(REPORT_PAGE_JUMP_GROUP, "[]", "");
}

TEST(rows_without_an_id_are_left_out)
{
    struct page p;

    read_page(&p, REPORT_PAGE_JUMP_GROUP,
              "[{\"name\":\"a\"},{\"id\":\"x\",\"name\":\"b\"},{\"id\":3},{\"id\":null}]");
    assert_int_equal(p.outcome.err, 0);
    assert_int_equal(p.outcome.rows, 4);
    assert_int_equal(p.outcome.unusable, 3);
    assert_string_equal(buf_cstr(&p.records), "group group_id=3\n");
    buf_free(&p.records);
}

TEST(what_is_no_page)
{
    static const char *const bodies[] = {"",
                                         "{}",
                                         "[1]",
                                         "[{\"id\":1}",
                                         "[{\"id\":1}] x",
                                         "null",
                                         "<html/>",
                                         "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]"};

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct page p;
        case_label("%s", bodies[i]);
        read_page(&p, REPORT_PAGE_JUMPOINT, bodies[i]);
        assert_int_equal(p.outcome.err, -EINVAL);
        assert_non_null(p.outcome.why);
        buf_free(&p.records);
    }
}

TEST(each_list_has_a_route)
{
    for (int kind = 0; kind < REPORT_NPAGES; kind++) {
        const char *name = report_page_name((enum report_page_kind)kind);
        assert_true(name && *name && *name != '/');
        for (int other = 0; other < kind; other++)
            assert_string_not_equal(name, report_page_name((enum report_page_kind)other));
    }
}

/* ---- base64 ---- */

TEST(base64_into_text)
{
    static const struct {
        const char *base64, *text; /* NULL = it is none */
    } rows[] = {
        {"", ""},         {"YQ==", "a"}, {"YWI=", "ab"}, {"YWJj", "abc"},          {"YW\nJj", "abc"},
        {"YWJjZ", "abc"}, {"YQ", ""},    {"YQBi", "ab"}, {"/w==", "\xef\xbf\xbd"}, {"w6k=", "\xc3\xa9"},
        {"Y*Jj", NULL},   {"=", ""},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = BUF_INIT(100);
        case_label("%s", rows[i].base64);
        int err = base64_text(&out, rows[i].base64);
        assert_int_equal(err, rows[i].text ? 0 : -EINVAL);
        if (rows[i].text)
            assert_string_equal(buf_cstr(&out), rows[i].text);
        buf_free(&out);
    }
}

/* ---- outcomes ---- */

TEST(what_an_answer_means)
{
    static const struct {
        enum report_ask ask;
        struct pra_result result;
        enum report_end end;
        const char *reason, *permission;
    } rows[] = {
        {REPORT_ASK_SESSIONS, {.fault = PRA_OK, .status = 200}, REPORT_OK, NULL, "perm_reporting_support"},
        {REPORT_ASK_TEAM,
         {.fault = PRA_NO_ROWS, .status = 200},
         REPORT_NO_ROWS,
         NULL,
         "perm_reporting_support"},
        {REPORT_ASK_SESSIONS,
         {.fault = PRA_SITE_ERROR, .status = 200, .text = "Invalid lsid."},
         REPORT_INVALID_LSID,
         NULL,
         "perm_reporting_support"},
        {REPORT_ASK_LISTING,
         {.fault = PRA_SITE_ERROR, .status = 200, .text = "Invalid lsid."},
         REPORT_SITE_ERROR,
         NULL,
         "perm_reporting_support"},
        {REPORT_ASK_VAULT,
         {.fault = PRA_SITE_ERROR, .status = 200, .text = "You do not have Permission for this."},
         REPORT_DENIED,
         "permission",
         "perm_reporting_vault"},
        {REPORT_ASK_SYSLOG,
         {.fault = PRA_DENIED, .status = 403},
         REPORT_DENIED,
         "permission",
         "perm_reporting_syslog"},
        {REPORT_ASK_ATTRIBUTES,
         {.fault = PRA_SITE_ERROR, .status = 200, .text = "Session is not active."},
         REPORT_INVALID_LSID,
         NULL,
         "perm_command"},
        {REPORT_ASK_PAGE,
         {.fault = PRA_STATUS, .status = 404},
         REPORT_API_DISABLED,
         "api_disabled",
         "perm_configuration_vault_account"},
        {REPORT_ASK_INFO, {.fault = PRA_STATUS, .status = 500}, REPORT_SITE_ERROR, NULL, "perm_command"},
        {REPORT_ASK_INFO,
         {.fault = PRA_UNAVAILABLE, .status = 503, .retry_after_ms = 7000},
         REPORT_RATE_LIMITED,
         NULL,
         "perm_command"},
        {REPORT_ASK_INFO,
         {.fault = PRA_TOKEN_REFUSED, .status = 401},
         REPORT_CREDENTIALS,
         "credentials",
         "perm_command"},
        {REPORT_ASK_INFO, {.fault = PRA_TLS_NAME}, REPORT_TLS, "tls", "perm_command"},
        {REPORT_ASK_INFO, {.fault = PRA_NAME_UNKNOWN}, REPORT_UNREACHABLE, "unreachable", "perm_command"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct report_outcome out = {0};
        case_label("row %zu", i);
        outcome_take(&out, rows[i].ask, REPORT_PAGE_VAULT_ACCOUNT, &rows[i].result);
        assert_string_equal(report_end_name(out.end), report_end_name(rows[i].end));
        assert_string_equal(out.permission, rows[i].permission);
        assert_int_equal(out.status, rows[i].result.status);
        assert_int_equal(out.retry_after_ms, rows[i].result.retry_after_ms);
        const char *reason = report_end_reason(out.end);
        assert_string_equal(reason ? reason : "-", rows[i].reason ? rows[i].reason : "-");
    }
}

TEST(every_fault_has_an_end_and_every_end_a_name)
{
    for (int fault = PRA_OK + 1; fault < PRA_NFAULTS; fault++) {
        struct report_outcome out = {0};
        struct pra_result result = {.fault = (enum pra_fault)fault};
        outcome_take(&out, REPORT_ASK_LISTING, REPORT_PAGE_JUMPOINT, &result);
        assert_int_not_equal(out.end, REPORT_OK);
        assert_int_equal(report_end_is_whole(out.end), fault == PRA_NO_ROWS);
    }
    for (int end = 0; end < REPORT_NENDS; end++)
        assert_non_null(report_end_name((enum report_end)end));
}

TEST(grants_of_the_account)
{
    struct pra_info info = {
        .npermissions = 3,
        .permissions = {{"perm_command", "read_only"}, {"perm_reporting", "1"}, {"perm_configuration", "0"}}};
    enum report_grant grants[REPORT_NASKS];

    outcome_grants(grants, &info);
    assert_int_equal(grants[REPORT_ASK_LISTING], REPORT_GRANT_YES);
    assert_int_equal(grants[REPORT_ASK_ATTRIBUTES], REPORT_GRANT_YES);
    assert_int_equal(grants[REPORT_ASK_PAGE], REPORT_GRANT_NO);
    assert_int_equal(grants[REPORT_ASK_VAULT], REPORT_GRANT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_each_list),
        cmocka_unit_test(rows_without_an_id_are_left_out),
        cmocka_unit_test(what_is_no_page),
        cmocka_unit_test(each_list_has_a_route),
        cmocka_unit_test(base64_into_text),
        cmocka_unit_test(what_an_answer_means),
        cmocka_unit_test(every_fault_has_an_end_and_every_end_a_name),
        cmocka_unit_test(grants_of_the_account),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
