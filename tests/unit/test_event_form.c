/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_event_form.c - which bodies are an event, and of which kind.
 */
#include "check.h"
#include "handlers/event_form.h"

#include <stdio.h>
#include <string.h>

#define FORM "application/x-www-form-urlencoded"

static bool no_memory; /* for the copy of the body */

char *__real_strndup(const char *text, size_t n);
char *__wrap_strndup(const char *text, size_t n);

char *__wrap_strndup(const char *text, size_t n)
{
    return no_memory ? NULL : __real_strndup(text, n);
}

TEST(names_of_both_families_are_known_in_any_case)
{
    static const struct {
        const char *name;
        enum pra_event_kind kind;
    } rows[] = {
        {"support_conference_end", PRA_EVENT_END},
        {"access_session_end", PRA_EVENT_END},
        {"Access_Session_END", PRA_EVENT_END},
        {"access_session_start", PRA_EVENT_BEGIN},
        {"support_conference_begin", PRA_EVENT_BEGIN},
        {"access_session_begin", PRA_EVENT_BEGIN},
        {"access_session_ended", PRA_EVENT_OTHER},
        {"access_session_", PRA_EVENT_OTHER},
        {"end", PRA_EVENT_OTHER},
        {"support_conference_member_departed", PRA_EVENT_OTHER},
        {"access_session%5Fend", PRA_EVENT_END},
        {"my_access_session_end", PRA_EVENT_OTHER},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[128], why[EVENT_WHY_SIZE] = "";
        struct event_form form;

        (void)snprintf(body, sizeof(body), "event=%s&lsid=1", rows[i].name);
        if (!event_form_read(&form, body, strlen(body), FORM, why) || form.kind != rows[i].kind)
            fail_msg("%s: kind %d, %s", rows[i].name, form.kind, why);
        event_form_free(&form);
    }
}

TEST(the_five_fields_are_decoded)
{
    static const char body[] = "version=1.2&event=access_session_end&timestamp=1700000000&&lsid=%7Babc%7D&"
                               "appliance_id=a+b%26c";
    char why[EVENT_WHY_SIZE];
    struct event_form form;

    assert_true(event_form_read(&form, body, sizeof(body) - 1, FORM "; charset=utf-8", why));
    assert_string_equal(form.value[EVENT_NAME], "access_session_end");
    assert_string_equal(form.value[EVENT_LSID], "{abc}");
    assert_string_equal(form.value[EVENT_TIMESTAMP], "1700000000");
    assert_string_equal(form.value[EVENT_VERSION], "1.2");
    assert_string_equal(form.value[EVENT_APPLIANCE], "a b&c");
    event_form_free(&form);
}

TEST(what_is_not_looked_at_is_not_read)
{
    static const char body[] =
        "custom=%zz&other=\xff\xfe&custom=1&custom=2&event=access_session_end&lsid=1&x";
    char why[EVENT_WHY_SIZE] = "";
    struct event_form form;

    assert_true(event_form_read(&form, body, sizeof(body) - 1, NULL, why));
    assert_int_equal(form.kind, PRA_EVENT_END);
    event_form_free(&form);
}

static void assert_refused(const char *body, size_t n, const char *type, enum pra_event_kind kind,
                           const char *wanted)
{
    char why[EVENT_WHY_SIZE] = "";
    struct event_form form;
    bool read = event_form_read(&form, body, n, type, why);

    if (read || form.kind != kind || !strstr(why, wanted))
        fail_msg("`%s`: kind %d, why `%s`, wanted `%s`", body, form.kind, why, wanted);
    event_form_free(&form);
}

TEST(each_malformed_form_has_its_reason)
{
    static const struct {
        const char *body, *type, *why;
        enum pra_event_kind kind;
    } rows[] = {
        {"", FORM, "there is no body", PRA_EVENT_NONE},
        {"{\"event\":\"access_session_end\"}", "application/json", "is no form", PRA_EVENT_NONE},
        {"event=access_session_end", "multipart/form-data; boundary=x", "is no form", PRA_EVENT_NONE},
        {"event=access_session_end", "application/x-www-form-urlencoded2", "is no form", PRA_EVENT_NONE},
        {"lsid=1", FORM, "no field `event`", PRA_EVENT_NONE},
        {"event=&lsid=1", FORM, "no field `event`", PRA_EVENT_NONE},
        {"event=access_session_end&lsid=%4", FORM, "`lsid` has a bad % escape", PRA_EVENT_END},
        {"event=access_session_end&lsid=%00", FORM, "`lsid` has a bad % escape", PRA_EVENT_END},
        {"event=access_session_end&ls%id=1", FORM, "name of a field has a bad % escape", PRA_EVENT_END},
        {"event=access_session_end&lsid=1&lsid=1", FORM, "`lsid` is there twice", PRA_EVENT_END},
        {"event=access_session_end&event=access_session_end", FORM, "`event` is there twice", PRA_EVENT_END},
        {"event=access_session_end&appliance%5Fid=1&appliance_id=2", FORM, "`appliance_id` is there twice",
         PRA_EVENT_END},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_refused(rows[i].body, strlen(rows[i].body), rows[i].type, rows[i].kind, rows[i].why);
    assert_refused("event=access_session_end\0&lsid=1", 32, FORM, PRA_EVENT_NONE, "byte 0");
}

TEST(two_hundred_fields_are_read_and_one_more_is_refused)
{
    char body[4096] = "event=access_session_end&lsid=1", why[EVENT_WHY_SIZE] = "";
    struct event_form form;

    for (int i = 2; i < EVENT_FIELDS_MAX; i++)
        (void)strcat(body, "&f=1");
    assert_true(event_form_read(&form, body, strlen(body), FORM, why));
    event_form_free(&form);
    (void)strcat(body, "&f=1");
    assert_refused(body, strlen(body), FORM, PRA_EVENT_END, "more than 200 fields");
}

/* It is no fault of the form: the site is to send it again. */
TEST(without_memory_the_form_is_not_malformed)
{
    static const char body[] = "event=access_session_end&lsid=1";
    char why[EVENT_WHY_SIZE] = "";
    struct event_form form;

    no_memory = true;
    assert_false(event_form_read(&form, body, strlen(body), FORM, why));
    assert_true(form.no_memory);
    no_memory = false;
    event_form_free(&form);
    assert_true(event_form_read(&form, body, strlen(body), FORM, why));
    assert_false(form.no_memory);
    event_form_free(&form);
    assert_false(event_form_read(&form, "x=1", 3, FORM, why));
    assert_false(form.no_memory);
    event_form_free(&form);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_both_families_are_known_in_any_case),
        cmocka_unit_test(the_five_fields_are_decoded),
        cmocka_unit_test(what_is_not_looked_at_is_not_read),
        cmocka_unit_test(each_malformed_form_has_its_reason),
        cmocka_unit_test(without_memory_the_form_is_not_malformed),
        cmocka_unit_test(two_hundred_fields_are_read_and_one_more_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
