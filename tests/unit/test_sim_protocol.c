/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sim_protocol.c - the simulator's small parts: header, dates, dialects, bodies, knobs, the session
 * lock.
 */

#include "base/json.h"
#include "check.h"
#include "passwordsafe-sim/body.h"
#include "passwordsafe-sim/psauth.h"
#include "passwordsafe-sim/sessions.h"
#include "passwordsafe-sim/settings.h"
#include "passwordsafe-sim/wire.h"

#include <string.h>

static void check_header(const char *header, bool first, const char *run_as, const char *password,
                         const char *challenge)
{
    struct psauth a;

    assert_int_equal(psauth_read(&a, header, first), 0);
    assert_string_equal(a.key, "K");
    assert_string_equal(a.run_as, run_as);
    if (password)
        assert_string_equal(a.password, password);
    else
        assert_null(a.password);
    if (challenge)
        assert_string_equal(a.challenge, challenge);
    else
        assert_null(a.challenge);
    psauth_clear(&a);
}

TEST(a_psauth_header_is_read)
{
    check_header("PS-Auth key=K; runas=ACME\\jdoe;", false, "ACME\\jdoe", NULL, NULL);
    check_header("PS-Auth key=K;runas=u", false, "u", NULL, NULL);
    check_header("PS-Auth key=K; runas=u; pwd=[p;a]s] ]; challenge=1;", false, "u", "p;a]s] ", "1");
    check_header("PS-Auth key=K; challenge=push; pwd=[x]; runas=u", false, "u", "x", "push");
    check_header("PS-Auth key=K; runas=u; pwd=[a;runas=v];", false, "u", "a;runas=v", NULL);
    check_header("PS-Auth key=K; runas=u; pwd=[a]b];", true, "u", "a", NULL);
    check_header("PS-Auth key=K; runas=u; pwd=[];", false, "u", "", NULL);
    check_header("PS-Auth key=K; runas=u; pwd=[x", false, "u", NULL, NULL);
}

TEST(a_bad_psauth_header_is_refused)
{
    static const char *const bad[] = {
        "PS-Auth", "PS-Auth ", "PS-Auth key=K;", "PS-Auth runas=u;", "PS-Auth key=;runas=u", "Basic x", ""};
    struct psauth a;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(psauth_read(&a, bad[i], false), 0);
    assert_int_not_equal(psauth_read(&a, NULL, false), 0);
}

TEST(dates_have_the_vaults_form)
{
    char out[WIRE_DATE];

    assert_string_equal(wire_date(1773133212500, out), "2026-03-10T09:00:12.5");
    assert_string_equal(wire_date(1773133212000, out), "2026-03-10T09:00:12");
    assert_string_equal(wire_date(1773133212320, out), "2026-03-10T09:00:12.32");
    assert_string_equal(wire_date(1773133212007, out), "2026-03-10T09:00:12.007");
}

static void check_transcoded(const char *from, const char *to)
{
    struct buf b = BUF_INIT(4096);

    assert_int_equal(buf_str(&b, from), 0);
    assert_int_equal(wire_transcode(&b), 0);
    assert_string_equal(buf_cstr(&b), to);
    buf_free(&b);
}

TEST(json_is_written_in_the_vaults_dialect)
{
    check_transcoded("\"Tr0ut\\\\lamp\\\"42&co\"", "\"Tr0ut\\\\lamp\\u002242\\u0026co\"");
    check_transcoded("{\"a\":\"<'+`>\"}", "{\"a\":\"\\u003C\\u0027\\u002B\\u0060\\u003E\"}");
    check_transcoded("\"\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\"", "\"\\u00E9\\u20AC\\uD834\\uDD1E\"");
    check_transcoded("\"\\n\\u001f\"", "\"\\n\\u001F\"");
    check_transcoded("[1,-2,null]", "[1,-2,null]");
}

static void check_lenient(const char *text, int64_t id, const char *reason)
{
    cJSON *body = body_read(BODY_JSON, text, strlen(text), true);
    int64_t got = 0;
    const char *said = NULL;

    assert_non_null(body);
    assert_int_equal(body_int(body, "SystemID", true, &got), BODY_GOOD);
    assert_int_equal(got, id);
    assert_int_equal(body_str(body, "Reason", &said), reason ? BODY_GOOD : BODY_ABSENT);
    if (reason)
        assert_string_equal(said, reason);
    cJSON_Delete(body);
}

TEST(lenient_bodies_are_read)
{
    check_lenient("{\"systemid\":17}", 17, NULL);
    check_lenient("{'SystemID': '17', 'Reason': 'a \"b\"'}", 17, "a \"b\"");
    check_lenient("{'SystemID': 17, 'Reason': 'it\\'s', 'x': None, 'y': [True, False]}", 17, "it's");
    check_lenient("{\"SystemID\":\"17\",\"Reason\":\"True '\"}", 17, "True '");
    assert_null(body_read(BODY_JSON, "{'a':1}", 7, false));
    assert_null(body_read(BODY_JSON, "{'a':1", 6, true));
    assert_null(body_read(BODY_JSON, "'", 1, true));
    assert_null(body_read(BODY_JSON, "\"\\", 2, true));
}

TEST(settings_are_set_by_number)
{
    struct settings k = {{0}};

    assert_int_equal(settings_set(&k, "12=STJ"), 0);
    assert_int_equal(k.value[SETTING_ESCAPING], 1);
    assert_string_equal(settings_value(&k, 12), "stj");
    assert_int_not_equal(settings_set(&k, "12=json"), 0);
    assert_int_not_equal(settings_set(&k, "0=on"), 0);
    assert_int_not_equal(settings_set(&k, "99=on"), 0);
    assert_int_not_equal(settings_set(&k, "on"), 0);
}

/* ---- the session lock ---- */

static unsigned granted;

static void on_granted(struct session_waiter *w)
{
    (void)w;
    granted++;
}

struct still {
    uint64_t now;
};

static uint64_t still_now(void *arg)
{
    return ((struct still *)arg)->now;
}

static int64_t still_wall(void *arg)
{
    return (int64_t)((struct still *)arg)->now + INT64_C(1773133212500);
}

TEST(the_session_lock_is_granted_in_order)
{
    struct still still = {.now = 1};
    struct clock clock = {.now_ms = still_now, .wall_ms = still_wall, .arg = &still};
    struct timers *timers = timers_new(&clock);
    struct model *m = model_new(timers);
    struct session *s = sessions_open(m, NULL);
    struct session_waiter w[3] = {{.granted = on_granted}, {.granted = on_granted}, {.granted = on_granted}};

    granted = 0;
    assert_true(session_enter(m->sessions, s, &w[0]));
    assert_false(session_enter(m->sessions, s, &w[1]));
    assert_false(session_enter(m->sessions, s, &w[2]));
    assert_int_equal(s->inside_peak, 3);
    session_leave(m->sessions, s);
    assert_int_equal(granted, 1);
    sessions_close(m, s); /* while one is inside and one waits */
    assert_int_equal(m->sessions->n, 0);
    session_leave(m->sessions, s);
    assert_int_equal(granted, 2);
    session_leave(m->sessions, s); /* frees it */
    model_free(m);
    timers_free(timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_psauth_header_is_read),
        cmocka_unit_test(a_bad_psauth_header_is_refused),
        cmocka_unit_test(dates_have_the_vaults_form),
        cmocka_unit_test(json_is_written_in_the_vaults_dialect),
        cmocka_unit_test(lenient_bodies_are_read),
        cmocka_unit_test(settings_are_set_by_number),
        cmocka_unit_test(the_session_lock_is_granted_in_order),
    };

    json_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
