/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ps_answers.c - what is read from answers that went well: pages of accounts, policies, numbers,
 * secrets.
 */
#include "ps_rig.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"
#include "check.h"

#define USER "ACME\\mrivera"

static struct rig_ask ask;

static int setup(void **state)
{
    (void)state;
    rig_init();
    rig.conf.retries = 0;
    rig_start_signed_in(&ask, USER);
    return 0;
}

static const struct account_list *list(enum account_kind kind, const char *body)
{
    ask_again(&ask, USER);
    assert_int_equal(ask_list(&ask, kind, "ledger01"), 0);
    rig_answer(rig_call(0), 200, body);
    assert_int_equal(ask.done, 1);
    return ask.call.result == VAULT_OK ? ask.call.accounts : NULL;
}

#define ROW                                                                                                  \
    "{\"PlatformID\":2,\"SystemId\":17,\"SystemName\":\"ledger01\",\"InstanceName\":\"\",\"DomainName\":"    \
    "null,"                                                                                                  \
    "\"AccountId\":203,\"AccountName\":\"root\",\"UserPrincipalName\":null,\"ApplicationID\":null,"          \
    "\"ApplicationDisplayName\":null,\"DefaultReleaseDuration\":120,\"MaximumReleaseDuration\":525600,"      \
    "\"LastChangeDate\":\"2026-03-02T21:14:07.32\",\"ChangeState\":0,\"IsChanging\":false,\"IsISAAccess\":"  \
    "true,"                                                                                                  \
    "\"PreferredNodeID\":\"6f0d2f0c-1111-4a7e-8d55-0a1b2c3d4e5f\",\"AccountDescription\":\"the one\"}"

TEST(a_row)
{
    const struct account_list *rows = list(KIND_LOCAL, "[" ROW "]");

    assert_non_null(rows);
    assert_int_equal(rows->n, 1);
    assert_int_equal(rows->rows[0].kind, KIND_LOCAL);
    assert_int_equal(rows->rows[0].system_id, 17);
    assert_int_equal(rows->rows[0].account_id, 203);
    assert_int_equal(rows->rows[0].application_id, 0);
    assert_int_equal(rows->rows[0].platform_id, 2);
    assert_int_equal(rows->rows[0].default_minutes, 120);
    assert_int_equal(rows->rows[0].max_minutes, 525600);
    assert_true(rows->rows[0].isa);
    assert_string_equal(rows->rows[0].system, "ledger01");
    assert_string_equal(rows->rows[0].account, "root");
    assert_string_equal(rows->rows[0].description, "the one");
    assert_null(rows->rows[0].domain);
    assert_null(rows->rows[0].upn);
    assert_null(rows->rows[0].instance);
    assert_null(rows->rows[0].application);
}

static uint64_t counted(const char *metric)
{
    struct buf page = BUF_INIT(1U << 20);
    char name[128];
    const char *found;
    uint64_t n = UINT64_MAX;

    (void)snprintf(name, sizeof(name), "%s{vault=\"%s\"} ", metric, rig.conf.name);
    metrics_render(&page);
    found = strstr(buf_cstr(&page), name);
    if (found)
        n = strtoull(found + strlen(name), NULL, 10);
    buf_free(&page);
    return n;
}

TEST(shapes_of_a_list)
{
    assert_int_equal(list(KIND_LOCAL, ROW)->n, 1); /* the single form */
    assert_int_equal(list(KIND_LOCAL, "{\"TotalCount\":1,\"Data\":[" ROW "]}")->n, 1);
    assert_int_equal(list(KIND_LOCAL, " [ ] ")->n, 0);
    assert_int_equal(list(KIND_LOCAL, "[{\"SYSTEMID\":1,\"accountid\":2,\"ACCOUNTNAME\":\"a\"}]")->n, 1);
    assert_int_equal(list(KIND_LOCAL, "{\"TotalCount\":0,\"Data\":[]}")->n, 0);
    assert_int_equal(list(KIND_LOCAL, "[{\"SystemId\":1},7,null," ROW ",{\"AccountId\":3}]")->n, 1);
    assert_int_equal(counted("jumpgate_vault_rows_refused_total"), 4);
    assert_null(list(KIND_LOCAL, "[7]"));
    assert_null(list(KIND_LOCAL, "{}"));
    assert_null(list(KIND_LOCAL, "{\"error\":\"log in first\"}"));
    assert_null(list(KIND_LOCAL, "7"));
    assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
    assert_null(list(KIND_LOCAL, "<html>"));
    assert_null(list(KIND_LOCAL, ""));
    assert_null(list(KIND_LOCAL, "[" ROW));
}

/* ---- what cannot stand as it is ---- */

#define FFFD "\xef\xbf\xbd"

TEST(one_bad_text_spoils_no_list)
{
    static const char *const bad[] = {"\\u0000", "\\ud800", "\xe9", "\x01"};
    char body[512];

    assert_int_equal(counted("jumpgate_vault_texts_mended_total"), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct account_list *rows;

        (void)snprintf(
            body, sizeof(body),
            "[{\"SystemId\":1,\"SystemName\":\"s\",\"AccountId\":2,\"AccountName\":\"a\","
            "\"AccountDescription\":\"x%sy\"},{\"SystemId\":1,\"AccountId\":3,\"AccountName\":\"b\"}]",
            bad[i]);
        rows = list(KIND_LOCAL, body);
        assert_non_null(rows);
        assert_int_equal(rows->n, 2);
        assert_string_equal(rows->rows[0].description, "x" FFFD "y");
        assert_string_equal(rows->rows[0].account, "a");
        assert_int_equal(counted("jumpgate_vault_texts_mended_total"), i + 1);
    }
    assert_non_null(list(KIND_LOCAL, "[" ROW "]"));
    assert_int_equal(counted("jumpgate_vault_texts_mended_total"), 4);
    assert_int_equal(counted("jumpgate_vault_rows_refused_total"), 0);
}

TEST(ids_are_exact_or_their_row_is_left_out)
{
    static const char *const odd[] = {
        "\"SystemId\":1e16,\"AccountId\":2",
        "\"SystemId\":1,\"AccountId\":9223372036854775808",
        "\"SystemId\":1,\"AccountId\":2.5",
        "\"SystemId\":1,\"AccountId\":2,\"ApplicationID\":99999999999999999999", /* would be another account
                                                                                  */
        "\"SystemId\":1,\"AccountId\":2,\"AliasId\":1e300",
    };
    const struct account_list *rows;
    char body[1024];

    rows = list(KIND_LOCAL,
                "[{\"SystemId\":9007199254740993,\"AccountId\":\"9007199254740995\",\"AccountName\":\"a\"}]");
    assert_int_equal(rows->n, 1);
    assert_true(rows->rows[0].system_id == INT64_C(9007199254740993));
    assert_true(rows->rows[0].account_id == INT64_C(9007199254740995));
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        (void)snprintf(body, sizeof(body), "[{%s,\"AccountName\":\"a\"}," ROW "]", odd[i]);
        rows = list(KIND_LOCAL, body);
        assert_non_null(rows);
        assert_int_equal(rows->n, 1);
        assert_int_equal(rows->rows[0].account_id, 203);
        assert_int_equal(counted("jumpgate_vault_rows_refused_total"), i + 1);
    }
    assert_int_equal(counted("jumpgate_vault_texts_mended_total"), 0);
}

/* 204 has no body: it is no list that is empty, and no secret that is absent. */
TEST(nothing_is_no_answer)
{
    for (int op = 0; op < 6; op++) {
        struct checkout_want direct = {.account_key = "l.1.2.0", .minutes = 60, .direct = true};
        int err = -1;

        ask_again(&ask, USER);
        switch (op) {
        case 0: err = ask_list(&ask, KIND_LOCAL, "x"); break;
        case 1: err = ask_list(&ask, KIND_ALIAS, "x"); break;
        case 2: err = ask_credential(&ask); break;
        case 3: err = rig.vault->ops->checkout(rig.vault, &direct, &ask.call); break;
        case 4: err = rig.vault->ops->requests(rig.vault, &ask.call); break;
        default: err = rig.vault->ops->directory(rig.vault, DIRECTORY_PLATFORMS, &ask.call); break;
        }
        assert_int_equal(err, 0);
        rig_answer(rig_call(0), 204, "");
        assert_int_equal(ask.done, 1);
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
        assert_null(ask.call.accounts);
        assert_null(ask.call.secret.p);
    }
}

static enum account_kind kind_of(enum account_kind asked, const char *more)
{
    char body[256];

    (void)snprintf(body, sizeof(body), "[{\"SystemId\":1,\"AccountId\":2,\"AccountName\":\"a\"%s}]", more);
    return list(asked, body)->rows[0].kind;
}

TEST(kinds)
{
    assert_int_equal(kind_of(KIND_NKINDS, ""), KIND_LOCAL);
    assert_int_equal(kind_of(KIND_NKINDS, ",\"DomainName\":\"\""), KIND_LOCAL);
    assert_int_equal(kind_of(KIND_NKINDS, ",\"DomainName\":\"acme.test\""), KIND_DOMAIN_LINKED);
    assert_int_equal(kind_of(KIND_NKINDS, ",\"InstanceName\":\"ORCL\""), KIND_DATABASE);
    assert_int_equal(kind_of(KIND_NKINDS, ",\"ApplicationID\":7"), KIND_APPLICATION);
    assert_int_equal(kind_of(KIND_NKINDS, ",\"ApplicationID\":0"), KIND_LOCAL);
    assert_int_equal(kind_of(KIND_NKINDS, ",\"AliasId\":7"), KIND_ALIAS);
    assert_int_equal(kind_of(KIND_CLOUD, ""), KIND_CLOUD);
    assert_int_equal(kind_of(KIND_LOCAL, ",\"DomainName\":\"acme.test\""), KIND_LOCAL);
}

/* ---- the directory ---- */

static const struct directory_list *directory(enum directory_part part, int status, const char *body)
{
    ask_again(&ask, USER);
    assert_int_equal(rig.vault->ops->directory(rig.vault, part, &ask.call), 0);
    rig_answer(rig_call(0), status, body);
    return ask.call.result == VAULT_OK ? ask.call.directory : NULL;
}

TEST(directory_rows)
{
    const struct directory_list *rows;

    rows = directory(
        DIRECTORY_SYSTEMS, 200,
        "{\"TotalCount\":3,\"Data\":[{\"ManagedSystemID\":5,\"WorkgroupID\":3,\"HostName\":\"h\",\"DNSName\":"
        "\"h.x\",\"IPAddress\":\"10.0.0.1\",\"SystemName\":\"s\",\"PlatformID\":2,\"Port\":null,"
        "\"Description\":\"d\"},{\"ManagedSystemID\":6,\"HostName\":\"only\"},{\"HostName\":\"no id\"},7]}");
    assert_non_null(rows);
    assert_int_equal(rows->n, 2);
    assert_int_equal(rows->rows[0].id, 5);
    assert_int_equal(rows->rows[0].workgroup_id, 3);
    assert_int_equal(rows->rows[0].port, 0);
    assert_string_equal(rows->rows[0].dns, "h.x");
    assert_string_equal(rows->rows[0].name, "s");
    assert_string_equal(rows->rows[1].name, "only");
    assert_null(rows->rows[1].dns);
    rows =
        directory(DIRECTORY_PLATFORMS, 200,
                  "[{\"platformid\":2,\"name\":\"Linux\",\"DefaultPort\":22,\"DefaultSessionType\":\"SSH\","
                  "\"DSSFlag\":true},{\"PlatformID\":3,\"Name\":\"x\",\"DefaultSessionType\":null}]");
    assert_int_equal(rows->n, 2);
    assert_true(rows->rows[0].ssh_keys);
    assert_string_equal(rows->rows[0].session_type, "SSH");
    assert_null(rows->rows[1].session_type);
    rows = directory(DIRECTORY_WORKGROUPS, 200, "[{\"ID\":3,\"Name\":\"Berlin\"}]");
    assert_string_equal(rows->rows[0].name, "Berlin");
    assert_null(directory(DIRECTORY_WORKGROUPS, 404, "\"no such call\""));
    assert_int_equal(ask.call.result, VAULT_ABSENT);
    assert_null(directory(DIRECTORY_SYSTEMS, 403, "4031"));
    assert_int_equal(ask.call.result, VAULT_DENIED);
    assert_null(directory(DIRECTORY_SYSTEMS, 200, "7"));
    assert_int_equal(directory(DIRECTORY_SYSTEMS, 200, "[]")->n, 0);
}

static char *systems_page(size_t from, size_t n)
{
    struct buf body = BUF_INIT(1U << 20);
    char *text;

    (void)buf_str(&body, "{\"TotalCount\":1500,\"Data\":[");
    for (size_t i = 0; i < n; i++)
        (void)buf_printf(&body, "%s{\"ManagedSystemID\":%zu,\"SystemName\":\"s%zu\"}", i ? "," : "", from + i,
                         from + i);
    (void)buf_str(&body, "]}");
    text = strdup(buf_cstr(&body));
    buf_free(&body);
    return text;
}

TEST(directory_pages)
{
    char *first = systems_page(1, 1000), *second = systems_page(1001, 500);

    ask_again(&ask, USER);
    assert_int_equal(rig.vault->ops->directory(rig.vault, DIRECTORY_SYSTEMS, &ask.call), 0);
    rig_answer(rig_call(0), 200, first);
    assert_int_equal(ask.done, 0);
    (void)rig_call(0);
    assert_string_equal(rig.last_target, RIG_BASE "/ManagedSystems?limit=1000&offset=1000");
    rig_answer(rig_call(0), 200, second);
    assert_int_equal(ask.call.directory->n, 1500);
    ask_again(&ask, USER); /* a server that does not know offset */
    assert_int_equal(rig.vault->ops->directory(rig.vault, DIRECTORY_SYSTEMS, &ask.call), 0);
    rig_answer(rig_call(0), 200, first);
    rig_answer(rig_call(0), 200, first);
    assert_int_equal(ask.done, 1);
    assert_int_equal(ask.call.directory->n, 1000);
    free(first);
    free(second);
}

TEST(a_directory_is_cut)
{
    enum { PAGE = 1000, MOST = 100000 };

    ask_again(&ask, USER);
    assert_int_equal(rig.vault->ops->directory(rig.vault, DIRECTORY_SYSTEMS, &ask.call), 0);
    for (size_t n = 0; n < MOST; n += PAGE) {
        char *page = systems_page(n + 1, PAGE);

        assert_int_equal(ask.done, 0);
        rig_answer(rig_call(0), 200, page);
        free(page);
    }
    assert_int_equal(ask.done, 1);
    assert_int_equal(ask.call.directory->n, MOST);
}

/* ---- pages ---- */

static char *page(size_t from, size_t n)
{
    size_t size = n * 80 + 8, len = 0;
    char *text = malloc(size);

    assert_non_null(text);
    text[len++] = '[';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, size - len,
                                "%s{\"SystemId\":1,\"AccountId\":%zu,\"AccountName\":\"a%zu\"}", i ? "," : "",
                                from + i + 1, from + i + 1);
    (void)snprintf(text + len, size - len, "]");
    return text;
}

/* Serves `total` rows; `shift` = how many rows of a page before come again on the next. */
static void pages(size_t total, size_t shift, size_t calls)
{
    size_t offset = 0, n = 0;
    char target[128];

    ask_again(&ask, USER);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    for (; !ask.done; n++) {
        size_t from = offset - (offset ? shift : 0), left = total - from;
        char *body = page(from, left < 1000 ? left : 1000);

        assert_non_null(rig_call(0));
        (void)snprintf(target, sizeof(target),
                       RIG_BASE "/ManagedAccounts?systemName=x&type=system&limit=1000&offset=%zu", offset);
        assert_string_equal(rig.last_target, target);
        assert_contains(rig.last_headers, "Cookie: s=1");
        rig_answer(rig_call(0), 200, body);
        free(body);
        offset += 1000;
    }
    assert_int_equal(n, calls);
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_int_equal(ask.call.accounts->n, total);
    for (size_t i = 0; i < total; i++)
        assert_int_equal(ask.call.accounts->rows[i].account_id, i + 1);
}

TEST(paging)
{
    pages(0, 0, 1);
    pages(1, 0, 1);
    pages(999, 0, 1);
    pages(1000, 0, 2);
    pages(1001, 0, 2);
    pages(2000, 0, 3);
    pages(1200, 7, 2); /* rows that come twice are dropped */
}

TEST(a_server_that_knows_no_offset)
{
    char *body = page(0, 1000);

    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 200, body);
    assert_int_equal(ask.done, 0);
    rig_answer(rig_call(0), 200, body);
    assert_int_equal(ask.done, 1);
    assert_int_equal(ask.call.accounts->n, 1000);
    free(body);
}

TEST(a_page_that_fails)
{
    char *body = page(0, 1000);

    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 200, body);
    rig_answer(rig_call(0), 500, "");
    assert_int_equal(ask.call.result, VAULT_FAILED);
    assert_null(ask.call.accounts); /* no half list */
    ask_again(&ask, USER);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 200, body);
    rig_answer(rig_call(0), 401, ""); /* lost mid-way: the page is asked again */
    rig_sign_in(USER, "s=2\n");
    rig_call(0);
    assert_contains(rig.last_target, "offset=1000");
    rig_answer(rig_call(0), 404, "\"nothing more\"");
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_int_equal(ask.call.accounts->n, 1000);
    ask_again(&ask, USER);
    assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
    rig_answer(rig_call(0), 200, body);
    rig.vault->ops->cancel(rig.vault, &ask.call);
    assert_null(ask.call.accounts);
    free(body);
}

TEST(empty_lists)
{
    static const int status[] = {404, 403};

    for (size_t i = 0; i < 2; i++) {
        ask_again(&ask, USER);
        assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
        rig_answer(rig_call(0), status[i], i ? "4031" : "\"Managed Account not found\"");
        assert_int_equal(ask.call.result, VAULT_OK);
        assert_int_equal(ask.call.accounts->n, 0);
        assert_int_equal(ask.call.fault.code, FAULT_NONE);
    }
}

/* ---- policy ---- */

#define SCHEDULE(reason, ticket, type, min)                                                                  \
    "{\"ScheduleID\":1,\"RequireReason\":" reason ",\"RequireTicketSystem\":" ticket                         \
    ",\"AccessTypes\":[{\"AccessType\":\"" type "\",\"MinApprovers\":" min "}]}"
#define POLICY(schedules) "[{\"AccessPolicyID\":1,\"Schedules\":[" schedules "]}]"

static void policy(const char *body, bool available, bool reason, bool ticket, bool approval)
{
    ask_again(&ask, USER);
    assert_int_equal(rig.vault->ops->policy(rig.vault, "l.17.203.0", 60, &ask.call), 0);
    rig_answer(rig_call(0), 200, body);
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_int_equal(ask.call.policy.available, available);
    assert_int_equal(ask.call.policy.reason, reason);
    assert_int_equal(ask.call.policy.ticket, ticket);
    assert_int_equal(ask.call.policy.approval, approval);
}

TEST(policies)
{
    policy("[]", false, false, false, false);
    policy(POLICY(""), false, false, false, false);
    policy(POLICY(SCHEDULE("false", "false", "View", "0")), true, false, false, false);
    policy(POLICY(SCHEDULE("true", "false", "View", "0")), true, true, false, false);
    policy(POLICY(SCHEDULE("false", "true", "view", "2")), true, false, true, true);
    policy(POLICY(SCHEDULE("true", "true", "RDP", "1")), false, false, false, false);
    policy(POLICY(SCHEDULE("true", "true", "View", "1") "," SCHEDULE("false", "true", "View", "0")), true,
           false, true, false);
    policy(POLICY(SCHEDULE("false", "true", "View", "0") "," SCHEDULE("true", "true", "View", "1")), true,
           false, true, false);
    policy("[{\"Schedules\":[{\"RequireReason\":true}]}]", true, true, false, false);
    policy("[{\"AccessPolicyID\":1}]", true, false, false, false);
}

/* ---- request, credential, check-in, requests ---- */

TEST(request_numbers)
{
    static const struct {
        int status;
        const char *body;
        int64_t id;
    } rows[] = {
        {201, "9114", 9114},
        {200, "9114", 9114},
        {201, " \"9114\"\r\n", 9114},
        {201, "2147483648", 2147483648},
        {201, "", 0},
        {201, "0", 0},
        {201, "-1", 0},
        {201, "91a", 0},
        {201, "{\"RequestID\":1}", 0},
        {201, "[1]", 0},
        {201, "null", 0},
        {201, "\"", 0},
        {204, "", 0},
        {202, "9114", 0},
        {201, "12345678901234567890", 0},
        {201, "9223372036854775807", INT64_MAX},
        {201, "9223372036854775808", 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%d %s", rows[i].status, rows[i].body);
        ask_again(&ask, USER);
        assert_int_equal(ask_request(&ask, "r"), 0);
        rig_answer(rig_call(0), rows[i].status, rows[i].body);
        assert_int_equal(ask.done, 1);
        assert_int_equal(ask.call.result, rows[i].id ? VAULT_OK : VAULT_FAILED);
        assert_int_equal(request_key_number(ask.call.request_key), rows[i].id);
        assert_int_equal(ask.call.unknown, !rows[i].id);
        assert_int_equal(ask.call.origin == CHECKOUT_REUSED, rows[i].id && rows[i].status == 200);
    }
}

TEST(secrets)
{
    static const struct {
        const char *body, *secret; /* NULL = not understood, "" = absent */
    } rows[] = {
        {"\"Tr0ut\\\\lamp\\\"42&co\"", "Tr0ut\\lamp\"42&co"},
        {"\"Tr0ut\\\\lamp\\u002242\\u0026co\"", "Tr0ut\\lamp\"42&co"},
        {"\"\\u003Ca\\u003E\\u0027\\u002B\\/\"", "<a>'+/"},
        {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91"},
        {"\"\\u00E9\\u20ac\\uD83D\\uDD11\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91"},
        {"\"-----BEGIN-----\\r\\nTUFE\\r\\n-----END-----\\r\\n\"",
         "-----BEGIN-----\r\nTUFE\r\n-----END-----\r\n"},
        {"\" blanks stay \"", " blanks stay "},
        {"\"{\\\"a\\\":1}\"", "{\"a\":1}"},
        {"\r\n\"x\" \n", "x"},
        {"{\"Credentials\":\"p\\\"w\"}", "p\"w"},
        {"{\"password\":\"pw\"}", "pw"},
        {"{\"AliasId\":1,\"PrivateKey\":\"k\"}", "k"},
        {"\"\"", ""},
        {"null", ""},
        {"{\"Password\":\"\"}", ""},
        {"plain", NULL},
        {"", NULL},
        {"\"cut", NULL},
        {"\"a\"b", NULL},
        {"\"a\\u0000b\"", NULL},
        {"\"\\uD83D\"", NULL},
        {"\"\\x\"", NULL},
        {"[\"x\"]", NULL},
        {"{\"other\":\"x\"}", NULL},
        {"\"\xff\"", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].body);
        const char *want = rows[i].secret;

        ask_again(&ask, USER);
        assert_int_equal(ask_credential(&ask), 0);
        rig_answer(rig_call(0), 200, rows[i].body);
        assert_int_equal(ask.done, 1);
        assert_int_equal(ask.call.result, !want ? VAULT_FAILED : *want ? VAULT_OK : VAULT_ABSENT);
        if (want && *want)
            assert_true(secret_equal(&ask.call.secret, want, strlen(want)));
        else
            assert_null(ask.call.secret.p);
        if (!want)
            assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
        assert_lacks(ask.call.fault.detail, "cut");
    }
}

TEST(a_credential_is_never_changed)
{
    static const char *const bad[] = {
        "\"a\\u0000b\"",           "\"\\uD83D\"", "\"\xff\"", "\"a\nb\"", "{\"Credentials\":\"a\\u0000b\"}",
        "{\"Password\":\"\xff\"}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ask_again(&ask, USER);
        assert_int_equal(ask_credential(&ask), 0);
        rig_answer(rig_call(0), 200, bad[i]);
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
        assert_contains(ask.call.fault.detail, "not handed out changed");
        assert_null(ask.call.secret.p);
    }
    assert_int_equal(counted("jumpgate_vault_texts_mended_total"), 0);
}

/* json.c's calls for memory pass here: of every answer that may hold a secret, also one that refuses. */
void __real_json_memory_begin(size_t text_len, bool secret);
void __wrap_json_memory_begin(size_t text_len, bool secret);
static unsigned trees, secret_trees;

void __wrap_json_memory_begin(size_t text_len, bool secret)
{
    trees++;
    secret_trees += secret;
    __real_json_memory_begin(text_len, secret);
}

TEST(answers_with_secrets_are_read_in_secret_memory)
{
    static const struct {
        int status;
        const char *body;
    } rows[] = {
        {200, "{\"Credentials\":\"s3cret\"}"},
        {200, "{\"AliasId\":1,\"PrivateKey\":\"k\"}"},
        {200, "{\"other\":\"s3cret\"}"},
        {200, "null"},
        {201, "[\"s3cret\"]"},
        {400, "{\"Message\":\"s3cret\"}"},
        {404, "{\"Credentials\":\"s3cret\"}"},
    };
    struct checkout_want direct = {.account_key = "l.1.2.0", .minutes = 60, .direct = true};

    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s of %d %s", i % 2 ? "direct access" : "credential", rows[i / 2].status,
                   rows[i / 2].body);
        ask_again(&ask, USER);
        if (i % 2)
            assert_int_equal(rig.vault->ops->checkout(rig.vault, &direct, &ask.call), 0);
        else
            assert_int_equal(ask_credential(&ask), 0);
        trees = secret_trees = 0;
        rig_answer(rig_call(0), rows[i / 2].status, rows[i / 2].body);
        assert_true(trees > 0);
        assert_int_equal(secret_trees, trees);
    }
    trees = secret_trees = 0;
    assert_non_null(list(KIND_LOCAL, "[" ROW "]"));
    assert_int_equal(trees, 1);
    assert_int_equal(secret_trees, 0);
}

TEST(checkins)
{
    for (int status = 200; status <= 204; status += 4) {
        ask_again(&ask, USER);
        assert_int_equal(ask_checkin(&ask), 0);
        rig_answer(rig_call(0), status, "");
        assert_int_equal(ask.call.result, VAULT_OK);
    }
}

TEST(active_requests)
{
    const struct active_request *rows;

    assert_int_equal(rig.vault->ops->requests(rig.vault, &ask.call), 0);
    rig_answer(
        rig_call(0), 200,
        "[{\"RequestID\":9120,\"SystemID\":22,\"AccountID\":310,\"ExpiresDate\":\"2026-03-10T09:30:12.5\","
        "\"Status\":\"Pending\",\"Reason\":\"CHG-5521\"},"
        "{\"RequestId\":9121,\"systemid\":1,\"accountid\":2,\"Status\":\"Active\",\"Reason\":null}]");
    assert_int_equal(ask.call.result, VAULT_OK);
    assert_int_equal(ask.call.active.n, 2);
    rows = ask.call.active.rows;
    assert_string_equal(rows[0].name, "9120");
    assert_string_equal(rows[0].account_key, "r.22.310.0");
    assert_string_equal(rows[0].reason, "CHG-5521");
    assert_true(rows[0].waits);
    assert_false(rows[1].waits);
    assert_true(rows[0].expires_wall_ms == 1773135012500);
    assert_string_equal(rows[1].name, "9121");
    assert_null(rows[1].reason);
    ask_again(&ask, USER);
    assert_int_equal(rig.vault->ops->requests(rig.vault, &ask.call), 0);
    rig_answer(rig_call(0), 200, "{}");
    assert_int_equal(ask.call.result, VAULT_FAILED);
}

TEST(an_impossible_end_is_left_out)
{
    static const struct {
        const char *date;
        int64_t ms;
    } rows[] = {
        {"\"0001-01-01T00:00:00\"", 0},
        {"\"1753-01-01T00:00:00\"", 0},
        {"\"2026-02-30T00:00:00\"", 0},
        {"\"2026-13-01T00:00:00\"", 0},
        {"\"tomorrow\"", 0},
        {"\"\"", 0},
        {"1773135012", 0},
        {"null", 0},
        {"\"2026-03-10T09:30:12Z\"", INT64_C(1773135012000)},
        {"\"9999-12-31T23:59:59.9999999\"", INT64_C(253402300799999)},
    };
    char body[160];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        case_label("%s", rows[i].date);
        (void)snprintf(body, sizeof(body), "[{\"RequestID\":9007199254740993,\"ExpiresDate\":%s}]",
                       rows[i].date);
        ask_again(&ask, USER);
        assert_int_equal(rig.vault->ops->requests(rig.vault, &ask.call), 0);
        rig_answer(rig_call(0), 200, body);
        assert_int_equal(ask.call.active.n, 1);
        assert_string_equal(ask.call.active.rows[0].name, "9007199254740993");
        assert_true(ask.call.active.rows[0].expires_wall_ms == rows[i].ms);
    }
}

/* Rows that hold nothing of what is asked for are no empty list, and no list that lacks a request. */
TEST(rows_that_are_none)
{
    static const char *const bodies[] = {
        "[{\"error\":\"x\"}]",
        "{\"TotalCount\":1,\"Data\":[{\"error\":\"x\"}]}",
        "{\"TotalCount\":3,\"Data\":[]}",
        "[{\"Name\":\"no id\",\"AccountName\":\"a\"},7]",
        "[{\"ID\":1e30,\"RequestID\":1e30,\"SystemId\":1e30,\"AliasId\":1e30,\"Name\":\"n\"}]",
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        for (int op = 0; op < 7; op++) {
            bool policy = op == 6;
            int err = -1;

            if (policy && i > 1 && i != 3)
                continue; /* a policy has no pages and no id that counts */
            ask_again(&ask, USER);
            switch (op) {
            case 0: err = ask_list(&ask, KIND_LOCAL, "x"); break;
            case 1: err = ask_list(&ask, KIND_ALIAS, "x"); break;
            case 2: err = rig.vault->ops->requests(rig.vault, &ask.call); break;
            case 3: err = rig.vault->ops->directory(rig.vault, DIRECTORY_SYSTEMS, &ask.call); break;
            case 4: err = rig.vault->ops->directory(rig.vault, DIRECTORY_PLATFORMS, &ask.call); break;
            case 5: err = rig.vault->ops->directory(rig.vault, DIRECTORY_WORKGROUPS, &ask.call); break;
            default: err = rig.vault->ops->policy(rig.vault, "l.17.203.0", 60, &ask.call); break;
            }
            assert_int_equal(err, 0);
            uint64_t before = counted("jumpgate_vault_rows_refused_total");

            rig_answer(rig_call(0), 200, bodies[i]);
            assert_int_equal(ask.done, 1);
            assert_int_equal(ask.call.result, VAULT_FAILED);
            assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
            assert_null(ask.call.accounts);
            assert_null(ask.call.directory);
            assert_int_equal(ask.call.active.n, 0);
            assert_false(ask.call.policy.available);
            assert_true((counted("jumpgate_vault_rows_refused_total") > before) == (i != 2));
        }
}

/* What is missing in it is taken for ended: one row that cannot be read spoils the list of requests. */
TEST(a_list_of_requests_is_believed_as_a_whole)
{
    static const char *const bodies[] = {
        "[{\"RequestID\":1},{}]",
        "[{\"RequestID\":1},7]",
        "[{\"RequestID\":1},{\"RequestID\":1e30}]",
        "[{\"RequestID\":1},{\"RequestID\":0}]",
        "{\"TotalCount\":2,\"Data\":[{\"RequestID\":1}]}",
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        ask_again(&ask, USER);
        assert_int_equal(rig.vault->ops->requests(rig.vault, &ask.call), 0);
        rig_answer(rig_call(0), 200, bodies[i]);
        assert_int_equal(ask.call.result, VAULT_FAILED);
        assert_int_equal(ask.call.fault.code, FAULT_VAULT_ERROR);
        assert_int_equal(ask.call.active.n, 0);
    }
    ask_again(&ask, USER);
    assert_int_equal(rig.vault->ops->requests(rig.vault, &ask.call), 0);
    rig_answer(rig_call(0), 200, "{\"TotalCount\":1,\"Data\":[{\"RequestID\":1}]}");
    assert_int_equal(ask.call.active.n, 1);
}

/* A later page that is none ends nothing, and an alias without an account is an alias. */
TEST(rows_of_a_later_page_and_idle_aliases)
{
    char *body = page(0, 1000);

    for (int i = 0; i < 2; i++) {
        ask_again(&ask, USER);
        assert_int_equal(ask_list(&ask, KIND_LOCAL, "x"), 0);
        rig_answer(rig_call(0), 200, body);
        rig_answer(rig_call(0), 200, i ? "[{\"error\":\"x\"}]" : "{\"TotalCount\":1500,\"Data\":[]}");
        assert_int_equal(ask.call.result, VAULT_FAILED);
    }
    free(body);
    assert_int_equal(list(KIND_ALIAS, "[{\"AliasId\":5,\"AliasName\":\"a\",\"AccountName\":null}]")->n, 0);
    assert_int_equal(counted("jumpgate_vault_rows_refused_total"), 1);
}

static int teardown(void **state)
{
    ask_free(&ask);
    return rig_teardown(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_row),
        T(shapes_of_a_list),
        T(kinds),
        T(directory_rows),
        T(directory_pages),
        T(a_directory_is_cut),
        T(paging),
        T(a_server_that_knows_no_offset),
        T(a_page_that_fails),
        T(empty_lists),
        T(policies),
        T(request_numbers),
        T(secrets),
        T(one_bad_text_spoils_no_list),
        T(ids_are_exact_or_their_row_is_left_out),
        T(nothing_is_no_answer),
        T(a_credential_is_never_changed),
        T(answers_with_secrets_are_read_in_secret_memory),
        T(rows_that_are_none),
        T(a_list_of_requests_is_believed_as_a_whole),
        T(rows_of_a_later_page_and_idle_aliases),
        T(an_impossible_end_is_left_out),
        T(checkins),
        T(active_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
