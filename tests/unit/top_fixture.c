/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top_fixture.c - see top_fixture.h.
 */
#include "check.h"

#include "top_fixture.h"

#include <string.h>

const char top_fixture_status[] =
    "{\"name\":\"jumpgate\",\"version\":\"0.1.0\",\"started_at\":\"2026-03-07T05:00:00Z\",\"uptime_seconds\":"
    "275412,"
    "\"draining\":false,\"connections\":12,\"loop_lag_ms\":1.5,\"dependencies\":["
    "{\"name\":\"main\",\"type\":\"password_safe\",\"state\":\"reachable\",\"detail\":\"\",\"connections\":8,"
    "\"calls_queued\":1,\"calls_in_flight\":3,\"wait_ms\":4,\"sessions\":5},"
    "{\"name\":\"second\",\"type\":\"password_safe\",\"state\":\"unreachable\","
    "\"detail\":\"connection refused by 10.0.0.7:443\",\"connections\":0,\"calls_queued\":0,"
    "\"calls_in_flight\":0,\"wait_ms\":0,\"sessions\":0},"
    "{\"name\":\"store\",\"type\":\"sqlite\",\"state\":\"writable\",\"writable\":true},"
    "{\"name\":\"site\",\"type\":\"pra\",\"state\":\"up\",\"detail\":\"\",\"last_success_age_ms\":2100,"
    "\"clock_skew_ms\":40,\"jumpoints\":[{\"name\":\"dc1\",\"connected\":true},"
    "{\"name\":\"dc2\",\"connected\":false}],\"last_poll_age_ms\":9000}],"
    "\"leases\":{\"active\":5,\"releasing\":1,\"retrying\":1,\"lapsed\":0,\"oldest_overdue_seconds\":754},"
    "\"operations\":{\"in_flight\":4},\"last_errors\":["
    "{\"at\":\"2026-03-10T09:30:11.500Z\",\"request_id\":\"r-9\",\"operation\":\"checkout\",\"client\":"
    "\"pra\","
    "\"status\":409,\"code\":\"approval_pending\",\"count\":3,\"user\":\"CORP\\\\bob\",\"endpoint\":\"db01\","
    "\"detail\":\"the request waits for an approver\"},"
    "{\"at\":\"2026-03-10T09:29:58Z\",\"request_id\":\"r-8\",\"operation\":\"find\",\"client\":\"pra\","
    "\"status\":502,\"code\":\"vault_refused_user\",\"count\":1,\"user\":\"CORP\\\\outsider\","
    "\"endpoint\":\"web\\u202e01\",\"detail\":\"sign-in refused (401)\\n\\u001b[31m\"},"
    "{\"at\":\"2026-03-10T08:01:02Z\",\"request_id\":\"r-1\",\"operation\":\"leases\",\"client\":null,"
    "\"status\":401,\"code\":\"unauthenticated\",\"count\":120,\"user\":null,\"endpoint\":null,\"detail\":"
    "null}]}";

#define LEASE(id, user, system, account, state, expires)                                                     \
    "{\"id\":\"" id "\",\"request_id\":1,\"user\":\"" user "\",\"sessions\":[\"S-" id "\"],\"lsid\":null,"   \
    "\"credential_id\":\"j1.main.l.7." id ".0\",\"system\":" system ",\"account\":" account                  \
    ",\"state\":\"" state "\",\"created_at\":\"2026-03-10T09:00:00Z\",\"expires_at\":" expires               \
    ",\"attempts\":0,\"last_error\":null}"

const char top_fixture_leases[] =
    "{\"leases\":[" LEASE("A1", "CORP\\\\ann", "\"web01\"", "\"root\"", "open", "\"2026-03-10T10:30:12Z\"") "," LEASE("B2", "CORP\\\\bob", "\"db01\"", "\"CORP\\\\svc-\xd0\xb1\xd0\xb0\xd0\xb7\xd0\xb0\"", "open", "\"2026-03-10T09:42:46Z\"") "," LEASE(
        "C3", "\xe5\xb1\xb1\xe7\x94\xb0\xe5\xa4\xaa\xe9\x83\x8e", "\"\xe3\x82\xb5\xe3\x83\xbc\xe3\x83\x90\"",
        "\"\xe7\xae\xa1\xe7\x90\x86\xe8\x80\x85\"", "open",
        "\"2026-03-12T12:30:12Z\"") "," LEASE("D4", "CORP\\\\zoe\\u0308", "\"web02\"",
                                              "\"evil\\u202egpj.exe\"", "open",
                                              "\"2026-03-10T09:30:"
                                              "45Z\"") "," LEASE("E5",
                                                                 "CORP"
                                                                 "\\\\c"
                                                                 "arol",
                                                                 "\"mai"
                                                                 "l."
                                                                 "examp"
                                                                 "le."
                                                                 "com"
                                                                 "\"",
                                                                 "\"ora"
                                                                 "cle"
                                                                 "\"",
                                                                 "relea"
                                                                 "sing",
                                                                 "\"202"
                                                                 "6-03-"
                                                                 "10T09"
                                                                 ":17:"
                                                                 "38Z"
                                                                 "\"") "," LEASE("F6", "CORP\\\\ann", "null",
                                                                                 "null", "open",
                                                                                 "\"2026-03-10T10:00:"
                                                                                 "00Z\"") "," LEASE("G7",
                                                                                                    "CORP"
                                                                                                    "\\\\"
                                                                                                    "a-"
                                                                                                    "pers"
                                                                                                    "on-"
                                                                                                    "with"
                                                                                                    "-a-"
                                                                                                    "very"
                                                                                                    "-lon"
                                                                                                    "g-"
                                                                                                    "nam"
                                                                                                    "e",
                                                                                                    "\"a-"
                                                                                                    "syst"
                                                                                                    "em-"
                                                                                                    "with"
                                                                                                    "-a-"
                                                                                                    "very"
                                                                                                    "-lon"
                                                                                                    "g-"
                                                                                                    "name"
                                                                                                    ".exa"
                                                                                                    "mple"
                                                                                                    ".com"
                                                                                                    "\"",
                                                                                                    "\"an"
                                                                                                    "-acc"
                                                                                                    "ount"
                                                                                                    "-wit"
                                                                                                    "h-a-"
                                                                                                    "very"
                                                                                                    "-lon"
                                                                                                    "g-"
                                                                                                    "name"
                                                                                                    "\"",
                                                                                                    "inte"
                                                                                                    "nt",
                                                                                                    "nul"
                                                                                                    "l") "],"
                                                                                                         "\"n"
                                                                                                         "ext"
                                                                                                         "\":"
                                                                                                         "nul"
                                                                                                         "l}";

static const char first_page[] =
    "# HELP jumpgate_requests_total Requests.\n# TYPE jumpgate_requests_total counter\n"
    "jumpgate_requests_total{operation=\"find\",status=\"200\"} 1000\n"
    "jumpgate_requests_total{operation=\"find\",status=\"502\"} 10\n"
    "jumpgate_requests_total{operation=\"status\",status=\"200\"} 500\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"find\",le=\"0.01\"} 900\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"find\",le=\"0.1\"} 1000\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"find\",le=\"+Inf\"} 1010\n"
    "jumpgate_request_duration_seconds_sum{operation=\"find\"} 12.5\n"
    "jumpgate_request_duration_seconds_count{operation=\"find\"} 1010\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"checkout\",le=\"0.01\"} 10\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"checkout\",le=\"0.1\"} 20\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"checkout\",le=\"+Inf\"} 20\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"explain\",le=\"0.01\"} 0\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"explain\",le=\"0.1\"} 0\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"explain\",le=\"+Inf\"} 0\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"status\",le=\"0.01\"} 500\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"status\",le=\"0.1\"} 500\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"status\",le=\"+Inf\"} 500\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"sign_in\",le=\"0.1\"} 5\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"sign_in\",le=\"+Inf\"} 5\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"list\",le=\"0.1\"} 100\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"list\",le=\"+Inf\"} 100\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"second\",operation=\"list\",le=\"0.1\"} 7\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"second\",operation=\"list\",le=\"+Inf\"} 7\n"
    "jumpgate_vault_failures_total{vault=\"main\"} 0\njumpgate_vault_failures_total{vault=\"second\"} 7\n";

static const char second_page[] =
    "jumpgate_requests_total{operation=\"find\",status=\"200\"} 1024\n"
    "jumpgate_requests_total{operation=\"find\",status=\"502\"} 12\n"
    "jumpgate_requests_total{operation=\"status\",status=\"200\"} 501\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"find\",le=\"0.01\"} 912\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"find\",le=\"0.1\"} 1024\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"find\",le=\"+Inf\"} 1036\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"checkout\",le=\"0.01\"} 10\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"checkout\",le=\"0.1\"} 24\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"checkout\",le=\"+Inf\"} 24\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"explain\",le=\"0.01\"} 0\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"explain\",le=\"0.1\"} 0\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"explain\",le=\"+Inf\"} 0\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"status\",le=\"0.01\"} 501\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"status\",le=\"0.1\"} 501\n"
    "jumpgate_request_duration_seconds_bucket{operation=\"status\",le=\"+Inf\"} 501\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"sign_in\",le=\"0.1\"} 7\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"sign_in\",le=\"+Inf\"} 7\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"list\",le=\"0.1\"} 118\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"main\",operation=\"list\",le=\"+Inf\"} 118\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"second\",operation=\"list\",le=\"0.1\"} 7\n"
    "jumpgate_vault_call_duration_seconds_bucket{vault=\"second\",operation=\"list\",le=\"+Inf\"} 9\n"
    "jumpgate_vault_failures_total{vault=\"main\"} 0\njumpgate_vault_failures_total{vault=\"second\"} 9\n";

const char *top_fixture_metrics(int number)
{
    return number ? second_page : first_page;
}

struct sample *top_fixture_sample(int number)
{
    static const char ready[] = "{\"ready\":true,\"reasons\":[]}";
    struct sample *s = sample_new(number ? 3000 : 1000, TOP_NOW_MS - (number ? 0 : 2000));
    char next[64];

    assert_non_null(s);
    assert_true(sample_read_ready(s, ready, strlen(ready)));
    assert_true(sample_read_status(s, top_fixture_status, strlen(top_fixture_status)));
    assert_true(sample_read_metrics(s, top_fixture_metrics(number)));
    assert_true(sample_read_leases(s, top_fixture_leases, strlen(top_fixture_leases), next, sizeof(next)));
    assert_string_equal(next, "");
    return s;
}

void top_fixture_model(struct model *m)
{
    model_init(m);
    assert_int_equal(model_take(m, top_fixture_sample(0)), 0);
    assert_int_equal(model_take(m, top_fixture_sample(1)), 0);
}
