/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_operations.c - the nine operations: what the broker is asked, and the answers byte for byte.
 */
#include "check.h"

#include "fake_gateway.h"

#include "base/json.h"

#include <string.h>

static void refused(const char *path, const char *body, const char *detail)
{
    struct fake_req f;
    char wanted[256] = "\"detail\":\"";

    start_request(&f, path, body);
    strcat(wanted, detail);
    if (fake_answer.status != 400 || !strstr(fake_answer.body, wanted))
        fail_msg("%s: %d %s", body, fake_answer.status, fake_answer.body);
}

TEST(capabilities_are_listed)
{
    struct fake_req f;
    start_request(&f, "/v1/capabilities", NULL);
    assert_string_equal(fake_answer.type, "application/json");
    assert_string_equal(
        fake_answer.body,
        "{\"name\":\"jumpgate\",\"description\":\"Brokers BeyondTrust Password Safe credentials for "
        "Privileged "
        "Remote Access\",\"version\":\"" JG_VERSION "\",\"capabilities\":{\"credentials_used\":true,"
        "\"endpoint_search\":true,\"health_check\":true,\"session_complete\":true,\"session_started\":true,"
        "\"start_session\":false}}");
}

TEST(find_returns_rows)
{
    static const struct account local = {.kind = KIND_LOCAL, .system = "WEB01", .account = "root"};
    static const struct account linked = {.kind = KIND_DOMAIN_LINKED,
                                          .system = "WEB01",
                                          .account = "svc",
                                          .domain = "CORP",
                                          .description = "a\"b"};
    const struct credential rows[] = {
        {.credential_id = "c1", .display_value = "root", .account = &local, .secret_type = "password"},
        {.credential_id = "c2",
         .display_value = "CORP\\svc",
         .account = &linked,
         .secret_type = "unknown",
         .policy_asked = true,
         .policy = {.reason = true, .ticket = true, .approval = true}},
    };
    struct fake_req f;
    start_request(&f, "/v1/credentials/find", "{" GOOD_SESSION "}");
    assert_string_equal(fake_broker.asked, "L-1|ann|CORP|1|web01|");
    assert_string_equal(fake_broker.origin, "pra|r-1");
    assert_int_equal(fake_broker.timeout_ms, SECONDS(15));
    fake_broker.found(fake_broker.arg, &(struct find_answer){.credentials = rows, .n = 2, .age_ms = 17});
    assert_int_equal(fake_answer.status, 200);
    assert_string_equal(
        fake_answer.body,
        "{\"credentials\":[{\"credential_id\":\"c1\",\"display_value\":\"root\",\"kind\":\"local\","
        "\"account\":\"root\",\"domain\":null,\"system\":\"WEB01\",\"description\":null,"
        "\"secret_type\":\"password\"},{\"credential_id\":\"c2\",\"display_value\":\"CORP\\\\svc\","
        "\"kind\":\"domain_linked\",\"account\":\"svc\",\"domain\":\"CORP\",\"system\":\"WEB01\","
        "\"description\":\"a\\\"b\",\"secret_type\":\"unknown\",\"requires\":[\"reason\",\"ticket\","
        "\"approval\"]}],\"request_id\":\"r-1\",\"age_ms\":17,\"partial\":[]}");
    assert_null(fake_answer_header("Cache-Control"));
}

TEST(find_may_return_no_row)
{
    struct fake_req f;
    start_request(&f, "/v1/credentials/find", "{" GOOD_SESSION "}");
    fake_broker.found(fake_broker.arg, &(struct find_answer){.n = 0});
    assert_string_equal(fake_answer.body,
                        "{\"credentials\":[],\"request_id\":\"r-1\",\"age_ms\":0,\"partial\":[]}");
    refused("/v1/credentials/find", "{\"session\":{\"user\":{\"username\":\"a\"}}}",
            "session.jump_item: at least");
}

TEST(a_fault_of_the_vault_is_answered_as_problem)
{
    struct fake_req f;
    struct fault fault;
    fault_set(&fault, FAULT_NOT_ENTITLED, "no role");
    fault.vault_status = 403;
    fault.vault_code = 4031;
    start_request(&f, "/v1/credentials/find", "{" GOOD_SESSION "}");
    fake_broker.found(fake_broker.arg, &(struct find_answer){.fault = &fault});
    assert_int_equal(fake_answer.status, 403);
    assert_string_equal(
        fake_answer.body,
        "{\"type\":\"urn:jumpgate:error:not_entitled\",\"title\":\"The vault does not entitle this user to "
        "the "
        "account\",\"status\":403,\"detail\":\"no role\",\"code\":\"not_entitled\",\"request_id\":\"r-1\","
        "\"vault\":{\"status\":403,\"code\":4031}}");
    fault_set(&fault, FAULT_VAULT_UNAVAILABLE, "down");
    fault.vault_status = 503;
    fault.retry_after_s = 9;
    start_request(&f, "/v1/credentials/find", "{" GOOD_SESSION "}");
    fake_broker.found(fake_broker.arg, &(struct find_answer){.fault = &fault});
    assert_non_null(strstr(fake_answer.body, "\"vault\":{\"status\":503,\"code\":null}}"));
    assert_string_equal(fake_answer_header("Retry-After"), "9");
}

static const struct secret *secret_of(struct secret *s, char *text)
{
    *s = (struct secret){text, strlen(text)};
    return s;
}

TEST(checkout_passes_its_arguments)
{
    struct fake_req f;
    start_request(&f, "/v1/credentials/checkout",
                  "{" GOOD_SESSION
                  ",\"credential_id\":\"c1\",\"duration_minutes\":30.0,\"reason\":\"two\\nlines\","
                  "\"ticket_system_id\":4,\"ticket_number\":\"T-9\",\"prefer\":\"ssh_key\"}");
    assert_string_equal(fake_broker.asked, "L-1|ann|CORP|1|web01|c1|30|two\nlines|4|T-9|1");
    cancel_request(&f);
    start_request(&f, "/v1/credentials/checkout",
                  "{" GOOD_SESSION ",\"credential_id\":\"c1\",\"duration_minutes\":null,\"reason\":null,"
                  "\"ticket_system_id\":null,\"ticket_number\":null,\"prefer\":null}");
    assert_string_equal(fake_broker.asked, "L-1|ann|CORP|1|web01|c1|0|-|0|-|0");
    cancel_request(&f);
}

TEST(checkout_refuses_bad_members)
{
    static const char path[] = "/v1/credentials/checkout";
    refused(path, "{" GOOD_SESSION "}", "credential_id: is required");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"\"}", "credential_id: must be a string of 1 to 256");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"a\\nb\"}",
            "credential_id: must not contain control");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"a\",\"duration_minutes\":0}",
            "duration_minutes: must be");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"a\",\"duration_minutes\":525601}",
            "duration_minutes: must");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"a\",\"duration_minutes\":\"5\"}",
            "duration_minutes: must");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"a\",\"reason\":1}", "reason: must be a string");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"a\",\"ticket_number\":1}", "ticket_number: must be");
    refused(path, "{" GOOD_SESSION ",\"credential_id\":\"a\",\"prefer\":\"key\"}", "prefer: must be one of:");
    refused(path, "{\"session\":{\"user\":{\"username\":\"a\"}},\"credential_id\":\"a\"}",
            "session.id: is required");
    assert_int_equal(fake_broker.calls, 0);
}

TEST(checkout_returns_a_password)
{
    char text[] = "p\"w\\ \xC3\xA4";
    struct secret s;
    const struct checkout_answer answer = {.credential_id = "c1",
                                           .username = "CORP\\svc",
                                           .account = "svc",
                                           .domain = "CORP",
                                           .password = secret_of(&s, text),
                                           .lease_id = "L1",
                                           .request_id = 42,
                                           .request_key = "42",
                                           .expires_wall_ms = 1773138612345};
    struct fake_req f;
    start_request(&f, "/v1/credentials/checkout", "{" GOOD_SESSION ",\"credential_id\":\"c1\"}");
    fake_broker.checked_out(fake_broker.arg, &answer);
    assert_string_equal(fake_answer.body,
                        "{\"credential_id\":\"c1\",\"kind\":\"password\",\"username\":\"CORP\\\\svc\","
                        "\"account\":\"svc\",\"domain\":\"CORP\",\"password\":\"p\\\"w\\\\ \xC3\xA4\","
                        "\"lease\":{\"id\":\"L1\",\"request_id\":42,\"request_key\":\"42\",\"expires_at\":"
                        "\"2026-03-10T10:30:12Z\"}}");
    assert_string_equal(fake_answer_header("Cache-Control"), "no-store");
}

TEST(checkout_returns_a_key)
{
    char key[] = "-----BEGIN\n", phrase[] = "";
    struct secret k, p;
    struct checkout_answer answer = {.credential_id = "c1",
                                     .ssh_key = true,
                                     .username = "git",
                                     .account = "git",
                                     .private_key = secret_of(&k, key),
                                     .passphrase = secret_of(&p, phrase),
                                     .lease_id = "L1",
                                     .request_key = "s.7f", /* no number: the vault is of another type */
                                     .adopted = true,
                                     .expires_wall_ms = 1773138612345};
    struct fake_req f;
    start_request(&f, "/v1/credentials/checkout", "{" GOOD_SESSION ",\"credential_id\":\"c1\"}");
    fake_broker.checked_out(fake_broker.arg, &answer);
    assert_string_equal(
        fake_answer.body,
        "{\"credential_id\":\"c1\",\"kind\":\"ssh_key\",\"username\":\"git\",\"account\":\"git\","
        "\"domain\":null,\"private_key\":\"-----BEGIN\\n\",\"passphrase\":\"\",\"lease\":{"
        "\"id\":\"L1\",\"request_id\":null,\"request_key\":\"s.7f\",\"expires_at\":\"2026-03-10T10:30:12Z\","
        "\"adopted\":true}}");
    answer.passphrase = NULL;
    start_request(&f, "/v1/credentials/checkout", "{" GOOD_SESSION ",\"credential_id\":\"c1\"}");
    fake_broker.checked_out(fake_broker.arg, &answer);
    assert_null(strstr(fake_answer.body, "passphrase"));
}

TEST(release_returns_its_counts)
{
    struct fake_req f;
    start_request(&f, "/v1/credentials/release",
                  "{" GOOD_SESSION ",\"credential_id\":\"c1\",\"session_ended_at\":1773138612}");
    assert_string_equal(fake_broker.asked, "L-1|ann|CORP|1|web01|c1");
    fake_broker.released(fake_broker.arg, &(struct release_answer){.released = 1, .remaining_holders = 2});
    assert_string_equal(fake_answer.body, "{\"released\":1,\"remaining_holders\":2}");
    start_request(&f, "/v1/credentials/release",
                  "{" GOOD_SESSION ",\"credential_id\":\"c1\",\"session_ended_at\":null}");
    fake_broker.released(fake_broker.arg, &(struct release_answer){.released = 1, .pending = true});
    assert_string_equal(fake_answer.body, "{\"released\":1,\"remaining_holders\":0,\"pending\":true}");
    refused("/v1/credentials/release", "{" GOOD_SESSION "}", "credential_id: is required");
    refused("/v1/credentials/release",
            "{" GOOD_SESSION ",\"credential_id\":\"c\",\"session_ended_at\":\"now\"}",
            "session_ended_at: must be an integer");
}

TEST(endpoints_are_returned)
{
    const struct endpoint rows[] = {
        {.endpoint_id = "e1",
         .name = "WEB01",
         .hostname = "web01.corp",
         .ip_address = "10.0.0.1",
         .port = 3389,
         .method = METHOD_RDP,
         .comments = "front",
         .network_id = "DMZ"},
        {.endpoint_id = "e2", .name = "db", .hostname = "db", .port = 22, .method = METHOD_SHELL},
    };
    struct fake_req f;
    start_request(&f, "/v1/endpoints/find",
                  "{" GOOD_SESSION ",\"types\":[\"rdp\",\"web\"],\"query\":\"web\",\"recent\":5}");
    assert_string_equal(fake_broker.asked, "L-1|ann|CORP|1|web01|10|web|5");
    fake_broker.endpoints(fake_broker.arg, &(struct endpoints_answer){
                                               .endpoints = rows, .n = 2, .truncated = true, .age_ms = 3});
    assert_string_equal(
        fake_answer.body,
        "{\"endpoints\":[{\"endpoint_id\":\"e1\",\"name\":\"WEB01\",\"hostname\":\"web01.corp\","
        "\"ip_address\":\"10.0.0.1\",\"port\":3389,\"method\":\"rdp\",\"comments\":\"front\","
        "\"network_id\":\"DMZ\"},{\"endpoint_id\":\"e2\",\"name\":\"db\",\"hostname\":\"db\","
        "\"ip_address\":null,\"port\":22,\"method\":\"shell\",\"comments\":\"\",\"network_id\":null}],"
        "\"truncated\":true,\"age_ms\":3,\"partial\":[]}");
}

static const char *asked_endpoints(const char *body)
{
    struct fake_req f;
    start_request(&f, "/v1/endpoints/find", body);
    cancel_request(&f);
    return strchr(strstr(fake_broker.asked, "web01"), '|') + 1;
}

TEST(endpoints_pass_their_arguments)
{
    static const char path[] = "/v1/endpoints/find";
    struct fake_req f;
    assert_string_equal(asked_endpoints("{" GOOD_SESSION "}"), "11||0");
    assert_string_equal(asked_endpoints("{" GOOD_SESSION ",\"types\":[],\"query\":null}"), "11||0");
    assert_string_equal(asked_endpoints("{" GOOD_SESSION ",\"types\":[\"shell\"]}"), "01||0");
    refused(path, "{" GOOD_SESSION ",\"types\":[\"vnc\"]}", "types: each must be one of:");
    refused(path, "{" GOOD_SESSION ",\"types\":[1]}", "types: each must be one of:");
    refused(path, "{" GOOD_SESSION ",\"types\":\"rdp\"}", "types: must be an array");
    refused(path, "{" GOOD_SESSION ",\"recent\":0}", "recent: must be an integer from 1");
    refused(path, "{" GOOD_SESSION ",\"query\":5}", "query: must be a string");
    unsigned calls = fake_broker.calls;
    start_request(&f, path, "{" GOOD_SESSION ",\"types\":[\"web\"]}"); /* no vault need be asked */
    assert_string_equal(fake_answer.body,
                        "{\"endpoints\":[],\"truncated\":false,\"age_ms\":0,\"partial\":[]}");
    assert_int_equal(fake_broker.calls, calls);
}

TEST(sessions_start_started_and_complete)
{
    struct fake_req f;
    start_request(&f, "/v1/sessions/start", "{" GOOD_SESSION "}");
    assert_int_equal(fake_answer.status, 501);
    assert_non_null(strstr(fake_answer.body, "\"code\":\"unsupported\""));
    start_request(&f, "/v1/sessions/started",
                  "{" GOOD_SESSION ",\"history_url\":\"https://pra/x\",\"history_url_expiry_seconds\":60}");
    assert_string_equal(fake_broker.asked, "L-1|ann|CORP|1|web01|https://pra/x");
    fake_broker.told(fake_broker.arg); /* written: now it is answered */
    assert_int_equal(fake_answer.status, 204);
    assert_null(fake_answer.type);
    assert_string_equal(fake_answer.body, "");
    assert_string_equal(fake_answer_header("X-Request-Id"), "r-1");
    refused("/v1/sessions/started", "{" GOOD_SESSION ",\"history_url\":1}", "history_url: must be a string");
    refused("/v1/sessions/started", "{\"session\":{\"user\":{\"username\":\"a\"}}}",
            "session.id: is required");
    start_request(&f, "/v1/sessions/complete", "{" GOOD_SESSION ",\"credential_id\":\"ignored\"}");
    assert_string_equal(fake_broker.asked, "L-1|ann|CORP|1|web01|-");
    fake_broker.released(fake_broker.arg, &(struct release_answer){.released = 3});
    assert_string_equal(fake_answer.body, "{\"released\":3}");
}

TEST(bodies_are_strict_json)
{
    static const char path[] = "/v1/credentials/find";
    refused(path, "{\"session\":1,\"session\":2}", "the body is not acceptable JSON");
    refused(path, "\xEF\xBB\xBF{}", "the body is not acceptable JSON");
    refused(path, "{} x", "the body is not acceptable JSON");
    refused(path, "\"text\"", "the body must be a JSON object");
    refused(path, "{\"session\":{\"user\":{\"username\":\"a\\ud800\"}}}", "the body is not acceptable JSON");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fake_gateway_setup, fake_gateway_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(capabilities_are_listed),        T(find_returns_rows),
        T(find_may_return_no_row),         T(a_fault_of_the_vault_is_answered_as_problem),
        T(checkout_passes_its_arguments),  T(checkout_refuses_bad_members),
        T(checkout_returns_a_password),    T(checkout_returns_a_key),
        T(release_returns_its_counts),     T(endpoints_are_returned),
        T(endpoints_pass_their_arguments), T(sessions_start_started_and_complete),
        T(bodies_are_strict_json),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
