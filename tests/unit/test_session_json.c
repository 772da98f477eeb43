/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_session_json.c - the session object: what is taken, what is refused, and in which words.
 */
#include "check.h"

#include "base/json.h"
#include "handlers/session_json.h"

#include <stdio.h>
#include <string.h>

#define USER "\"user\":{\"username\":\"ann\"}"

static const struct {
    const char *body;
    unsigned needs;
    const char *detail; /* how the refusal begins; NULL = accepted */
} rows[] = {
    /* session and user */
    {"{\"session\":{" USER "}}", 0, NULL},
    {"{\"session\":{" USER ",\"extra\":[1]},\"more\":1}", 0, NULL},
    {"{}", 0, "session: is required"},
    {"{\"session\":null}", 0, "session: is required"},
    {"{\"session\":[]}", 0, "session: must be an object"},
    {"{\"Session\":{" USER "}}", 0, "session: is required"},
    {"{\"session\":{}}", 0, "session.user: is required"},
    {"{\"session\":{\"user\":\"ann\"}}", 0, "session.user: must be an object"},
    {"{\"session\":{\"user\":{}}}", 0, "session.user.username: is required"},
    {"{\"session\":{\"user\":{\"username\":null}}}", 0, "session.user.username: is required"},
    {"{\"session\":{\"user\":{\"username\":\"\"}}}", 0,
     "session.user.username: must be a string of 1 to 256"},
    {"{\"session\":{\"user\":{\"username\":7}}}", 0, "session.user.username: must be a string of 1 to 256"},
    {"{\"session\":{\"user\":{\"username\":\"a\\nb\"}}}", 0,
     "session.user.username: must not contain control"},
    {"{\"session\":{\"user\":{\"username\":\"a\\u007fb\"}}}", 0,
     "session.user.username: must not contain control"},
    {"{\"session\":{\"user\":{\"username\":\"a\",\"domain\":null}}}", 0, NULL},
    {"{\"session\":{\"user\":{\"username\":\"a\",\"domain\":false}}}", 0,
     "session.user.domain: must be a string of 0 to 256"},
    /* a person's name is taken exactly or not at all */
    {"{\"session\":{\"user\":{\"username\":\"ACME\\\\kim\"}}}", 0,
     "session.user.username: must not contain a backslash"},
    {"{\"session\":{\"user\":{\"username\":\"kim\\\\\"}}}", 0,
     "session.user.username: must not contain a backslash"},
    {"{\"session\":{\"user\":{\"username\":\"kim@acme.test\"}}}", 0, NULL},
    {"{\"session\":{\"user\":{\"username\":\"Zo\\u00eb O'Neil;\"}}}", 0, NULL},
    {"{\"session\":{\"user\":{\"username\":\" kim\"}}}", 0,
     "session.user.username: must not begin or end with a blank"},
    {"{\"session\":{\"user\":{\"username\":\"kim\\u00a0\"}}}", 0,
     "session.user.username: must not begin or end with a blank"},
    {"{\"session\":{\"user\":{\"username\":\"\\u3000kim\"}}}", 0,
     "session.user.username: must not begin or end with a blank"},
    {"{\"session\":{\"user\":{\"username\":\"kim\\u00a0lee\"}}}", 0, NULL},
    {"{\"session\":{\"user\":{\"username\":\"k\\u0085im\"}}}", 0,
     "session.user.username: must not contain control"},
    {"{\"session\":{\"user\":{\"username\":\"k\\u2028im\"}}}", 0,
     "session.user.username: must not contain control"},
    {"{\"session\":{\"user\":{\"username\":\"k\\u200bim\"}}}", 0,
     "session.user.username: must not contain letters without width"},
    {"{\"session\":{\"user\":{\"username\":\"\\ufeffkim\"}}}", 0,
     "session.user.username: must not contain letters without width"},
    {"{\"session\":{\"user\":{\"username\":\"k\\u202eim\"}}}", 0,
     "session.user.username: must not contain letters without width"},
    {"{\"session\":{\"user\":{\"username\":\"k\\u2066im\"}}}", 0,
     "session.user.username: must not contain letters without width"},
    {"{\"session\":{\"user\":{\"username\":\"zoe\\u0308\"}}}", 0,
     "session.user.username: must be written with composed letters"},
    {"{\"session\":{\"user\":{\"username\":\"a\",\"domain\":\"ACME \"}}}", 0,
     "session.user.domain: must not begin or end with a blank"},
    {"{\"session\":{\"user\":{\"username\":\"a\",\"domain\":\" \"}}}", 0,
     "session.user.domain: must not begin or end with a blank"},
    {"{\"session\":{\"user\":{\"username\":\"a\",\"domain\":\"AC\\u200fME\"}}}", 0,
     "session.user.domain: must not contain letters without width"},
    {"{\"session\":{\"user\":{\"username\":\"a\",\"domain\":\"A\\u0301CME\"}}}", 0,
     "session.user.domain: must be written with composed letters"},
    {"{\"session\":{\"user\":{\"username\":\"a\",\"domain\":\"ACME;\"}}}", 0, NULL},
    /* lsid */
    {"{\"session\":{\"lsid\":null," USER "}}", 0, NULL},
    {"{\"session\":{\"lsid\":\"0123456789abcdef0123456789ABCDEF\"," USER "}}", 0, NULL},
    {"{\"session\":{\"lsid\":\"01234567-89ab-cdef-0123-456789ABCDEF\"," USER "}}", 0, NULL},
    {"{\"session\":{\"lsid\":\"{01234567-89ab-cdef-0123-456789ABCDEF}\"," USER "}}", 0, NULL},
    {"{\"session\":{\"lsid\":\"\"," USER "}}", 0, "session.lsid: must be 32 hex digits"},
    {"{\"session\":{\"lsid\":\"S-1\"," USER "}}", 0, "session.lsid: must be 32 hex digits"},
    {"{\"session\":{\"lsid\":\"0123456789abcdef0123456789ABCDEF0\"," USER "}}", 0,
     "session.lsid: must be 32 hex digits"},
    {"{\"session\":{\"lsid\":7," USER "}}", 0, "session.lsid: must be a string"},
    /* id */
    {"{\"session\":{" USER "}}", SESSION_ID, "session.id: is required"},
    {"{\"session\":{\"id\":null," USER "}}", SESSION_ID, "session.id: is required"},
    {"{\"session\":{\"id\":\"\"," USER "}}", SESSION_ID, "session.id: must be a string of 1 to 128"},
    {"{\"session\":{\"id\":\"\"," USER "}}", 0, "session.id: must be a string of 1 to 128"},
    {"{\"session\":{\"id\":12," USER "}}", SESSION_ID, "session.id: must be a string of 1 to 128"},
    {"{\"session\":{\"id\":\"x\"," USER "}}", SESSION_ID, NULL},
    /* jump_item */
    {"{\"session\":{" USER ",\"jump_item\":null}}", 0, NULL},
    {"{\"session\":{" USER ",\"jump_item\":\"host\"}}", 0, "session.jump_item: must be an object"},
    {"{\"session\":{" USER ",\"jump_item\":{}}}", SESSION_ENDPOINT, "session.jump_item: at least one of"},
    {"{\"session\":{" USER ",\"jump_item\":{\"hostname\":\"\",\"name\":null}}}", SESSION_ENDPOINT,
     "session.jump_item: at least one of"},
    {"{\"session\":{" USER ",\"jump_item\":{\"network_id\":\"n\",\"port\":22}}}", SESSION_ENDPOINT,
     "session.jump_item: at least one of"},
    {"{\"session\":{" USER ",\"jump_item\":{\"application\":\"CRM\"}}}", SESSION_ENDPOINT, NULL},
    {"{\"session\":{" USER ",\"jump_item\":{\"ip_address\":\"10.0.0.1\"}}}", SESSION_ENDPOINT, NULL},
    {"{\"session\":{" USER ",\"jump_item\":{\"method\":\"vnc\"}}}", 0,
     "session.jump_item.method: must be one of: rdp shell web tunnel jump_client other"},
    {"{\"session\":{" USER ",\"jump_item\":{\"method\":\"RDP\"}}}", 0,
     "session.jump_item.method: must be one"},
    {"{\"session\":{" USER ",\"jump_item\":{\"method\":1}}}", 0, "session.jump_item.method: must be one"},
    {"{\"session\":{" USER ",\"jump_item\":{\"method\":null}}}", 0, NULL},
    {"{\"session\":{" USER ",\"jump_item\":{\"port\":22.0}}}", 0, NULL},
    {"{\"session\":{" USER ",\"jump_item\":{\"port\":65535}}}", 0, NULL},
    {"{\"session\":{" USER ",\"jump_item\":{\"port\":0}}}", 0,
     "session.jump_item.port: must be an integer from 1"},
    {"{\"session\":{" USER ",\"jump_item\":{\"port\":65536}}}", 0,
     "session.jump_item.port: must be an integer"},
    {"{\"session\":{" USER ",\"jump_item\":{\"port\":22.5}}}", 0,
     "session.jump_item.port: must be an integer"},
    {"{\"session\":{" USER ",\"jump_item\":{\"port\":\"22\"}}}", 0,
     "session.jump_item.port: must be an integer"},
    {"{\"session\":{" USER ",\"jump_item\":{\"computer_name\":{}}}}", 0,
     "session.jump_item.computer_name: must be a string"},
    {"{\"session\":{" USER ",\"jump_item\":{\"hostname\":\"a\\tb\"}}}", 0,
     "session.jump_item.hostname: must not contain control"},
};

static void check(size_t i)
{
    const char *why = NULL;
    struct session session;
    struct fault f = {0};
    cJSON *body = json_parse(rows[i].body, strlen(rows[i].body), 32, 0, &why);

    assert_non_null(body);
    bool taken = session_read(body, rows[i].needs, &session, &f);
    if (taken != !rows[i].detail ||
        (!taken && strncmp(f.detail, rows[i].detail, strlen(rows[i].detail)) != 0))
        fail_msg("%s: %s", rows[i].body, taken ? "accepted" : f.detail);
    if (!taken)
        assert_int_equal(f.code, FAULT_INVALID_REQUEST);
    cJSON_Delete(body);
}

TEST(good_and_bad_sessions_are_told_apart)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check(i);
}

TEST(every_member_is_read)
{
    static const char text[] =
        "{\"session\":{\"id\":\"L-1\",\"user\":{\"username\":\"ann\",\"domain\":\"CORP\"},"
        "\"jump_item\":{\"method\":\"jump_client\",\"computer_name\":\"C\",\"hostname\":\"H\","
        "\"ip_address\":\"I\",\"name\":\"N\",\"port\":3389,\"application\":\"A\",\"network_id\":\"W\"}}}";
    struct session s;
    struct fault f;
    const char *why;
    cJSON *body = json_parse(text, strlen(text), 32, 0, &why);

    assert_true(session_read(body, SESSION_ID | SESSION_ENDPOINT, &s, &f));
    assert_string_equal(s.id, "L-1");
    assert_string_equal(s.username, "ann");
    assert_string_equal(s.domain, "CORP");
    assert_int_equal(s.method, METHOD_JUMP_CLIENT);
    assert_string_equal(s.computer_name, "C");
    assert_string_equal(s.hostname, "H");
    assert_string_equal(s.ip_address, "I");
    assert_string_equal(s.name, "N");
    assert_int_equal(s.port, 3389);
    assert_string_equal(s.application, "A");
    assert_string_equal(s.network_id, "W");
    cJSON_Delete(body);
}

TEST(an_empty_member_is_none)
{
    static const char text[] = "{\"session\":{\"user\":{\"username\":\"ann\",\"domain\":\"\"},"
                               "\"jump_item\":{\"hostname\":\"\"}}}";
    struct session s;
    struct fault f;
    const char *why;
    cJSON *body = json_parse(text, strlen(text), 32, 0, &why);

    assert_true(session_read(body, 0, &s, &f));
    assert_null(s.id);
    assert_null(s.domain);
    assert_null(s.hostname);
    assert_int_equal(s.method, METHOD_NONE);
    assert_int_equal(s.port, 0);
    cJSON_Delete(body);
}

/* The name of an endpoint is looked up, so what stands around it by accident is cut off. */
TEST(blanks_around_endpoint_names_are_cut)
{
    static const char text[] =
        "{\"session\":{\"user\":{\"username\":\"ann\"},\"jump_item\":{\"computer_name\":\" C \",\"hostname\":"
        "\"\\u00a0web 01\\u200b\\u3000\",\"ip_address\":\"10.0.0.1 \",\"name\":\"\\ufeff \\u202a\","
        "\"application\":\" CRM\",\"network_id\":\"W \"}}}";
    struct session s;
    struct fault f;
    const char *why;
    cJSON *body = json_parse(text, strlen(text), 32, 0, &why);

    assert_true(session_read(body, SESSION_ENDPOINT, &s, &f));
    assert_string_equal(s.computer_name, "C");
    assert_string_equal(s.hostname, "web 01");
    assert_string_equal(s.ip_address, "10.0.0.1");
    assert_null(s.name);
    assert_string_equal(s.application, "CRM");
    assert_string_equal(s.network_id, "W");
    assert_true(session_read(body, SESSION_ENDPOINT, &s, &f)); /* it may be read again */
    assert_string_equal(s.hostname, "web 01");
    cJSON_Delete(body);
}

/* Lengths count characters, not bytes. */
static void check_length(size_t characters, bool accepted)
{
    char text[2048] = "{\"session\":{\"user\":{\"username\":\"";
    struct session s;
    struct fault f;
    const char *why;

    for (size_t i = 0; i < characters; i++)
        strcat(text, "\xC3\xA4");
    strcat(text, "\"}}}");
    cJSON *body = json_parse(text, strlen(text), 32, 0, &why);
    assert_non_null(body);
    assert_int_equal(session_read(body, 0, &s, &f), accepted);
    cJSON_Delete(body);
}

TEST(lengths_are_bounded)
{
    check_length(256, true);
    check_length(257, false);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_and_bad_sessions_are_told_apart),
        cmocka_unit_test(every_member_is_read),
        cmocka_unit_test(an_empty_member_is_none),
        cmocka_unit_test(blanks_around_endpoint_names_are_cut),
        cmocka_unit_test(lengths_are_bounded),
    };
    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
