/* SPDX-License-Identifier: Apache-2.0 */
/* test_lsid.c - the forms of a PRA session id, and what is none. */
#include "check.h"

#include "base/lsid.h"

#include <string.h>

#define ONE "0123456789abcdef0123456789abcdef"

TEST(every_form_has_the_one_form)
{
    static const char *const forms[] = {
        ONE,
        "0123456789ABCDEF0123456789ABCDEF",
        "01234567-89ab-cdef-0123-456789abcdef",
        "01234567-89AB-CDEF-0123-456789abcDEF",
        "{01234567-89ab-cdef-0123-456789abcdef}",
        "{0123456789abcdef0123456789abcdef}",
    };
    char key[LSID_SIZE];

    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        memset(key, 'x', sizeof key);
        assert_true(strlen(forms[i]) < LSID_TEXT_SIZE);
        assert_true(lsid_normal(forms[i], key));
        assert_string_equal(key, ONE);
    }
}

TEST(all_else_is_none)
{
    static const char *const texts[] = {
        NULL,
        "",
        "{}",
        "S-1",
        "0123456789abcdef0123456789abcde",   /* 31 */
        "0123456789abcdef0123456789abcdef0", /* 33 */
        "0123456789abcdeg0123456789abcdef",
        "0123456789abcde/0123456789abcdef", /* neighbours of the digits and letters */
        "0123456789abcde:0123456789abcdef",
        "0123456789abcde@0123456789abcdef",
        "0123456789abcde`0123456789abcdef",
        " 0123456789abcdef0123456789abcde",
        "0123456789abcdef-123456789abcdef",
        "0123456-789ab-cdef-0123-456789abcdef",
        "01234567-89ab-cdef-01234-56789abcdef",
        "01234567-89ab-cdef-0123-456789abcdef0",
        "01234567-89ab-cdef-0123-456789abcde-",
        "012345670-9ab-cdef-0123-456789abcdef",
        "0123456789abcdef0123456789abcdef0123",
        "{01234567-89ab-cdef-0123-456789abcdef",
        "01234567-89ab-cdef-0123-456789abcdef}",
        "{{0123456789abcdef0123456789abcdef}}",
        "(01234567-89ab-cdef-0123-456789abcdef)",
        "{01234567-89ab-cdef-0123-456789abcdef} ",
    };
    char key[LSID_SIZE];

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (lsid_normal(texts[i], key))
            fail_msg("%s", texts[i]);
}

TEST(all_forms_of_one_are_the_same)
{
    static const char *const forms[] = {"0123456789abcdef0123456789abcdef",
                                        "01234567-89AB-cdef-0123-456789abcdef",
                                        "{0123456789ABCDEF0123456789abcdef}"};

    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++)
            assert_true(lsid_same(forms[i], forms[j]));
        assert_false(lsid_same(forms[i], "0123456789abcdef0123456789abcdee"));
        assert_false(lsid_same(forms[i], "S-1"));
        assert_false(lsid_same("", forms[i]));
    }
    assert_true(lsid_same("S-1", "S-1"));
    assert_false(lsid_same("S-1", "s-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_has_the_one_form),
        cmocka_unit_test(all_else_is_none),
        cmocka_unit_test(all_forms_of_one_are_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
