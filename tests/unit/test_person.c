/* SPDX-License-Identifier: Apache-2.0 */
/* Names of people: when two are one person's, and what cannot be one. Letters and their kinds. */
#include "check.h"

#include "base/person.h"
#include "base/utf8.h"

#include <string.h>

TEST(names_differ_in_ascii_case_alone)
{
    static const struct {
        const char *a, *b;
        bool same;
    } row[] = {
        {"ACME\\kim", "acme\\KIM", true},
        {"", "", true},
        {"kim", "kim ", false},
        {"kim", "ki", false},
        {"@[`{", "`{@[", false}, /* neighbours of the letters */
        {"Zo\xc3\xab", "zO\xc3\xab", true},
        {"Zo\xc3\xab", "ZO\xc3\x8b", false}, /* ASCII alone */
        {"kim", "\xe2\x84\xaaim", false},    /* KELVIN SIGN */
        {"mike", "m\xc4\xb0ke", false},      /* I WITH DOT ABOVE */
        {"sam",
         "\xc5\xbf"
         "am",
         false},                              /* LONG S */
        {"zo\xc3\xab", "zoe\xcc\x88", false}, /* composed and not */
    };
    char a[64], b[64];

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        case_label("%s and %s", row[i].a, row[i].b);
        size_t an = (size_t)(person_key(a, row[i].a) - a), bn = (size_t)(person_key(b, row[i].b) - b);

        assert_int_equal(an, strlen(row[i].a) + 1);
        assert_int_equal(person_same(row[i].a, row[i].b), row[i].same);
        assert_int_equal(person_same_n(row[i].a, an - 1, row[i].b, bn - 1), row[i].same);
        assert_int_equal(an == bn && memcmp(a, b, an) == 0, row[i].same);
    }
}

TEST(a_name_is_written_with_its_domain_and_cut_at_a_letter)
{
    char text[10];

    person_write(text, sizeof(text), "CORP", "ann");
    assert_string_equal(text, "CORP\\ann");
    person_write(text, sizeof(text), "", "ann");
    assert_string_equal(text, "ann");
    person_write(text, sizeof(text), NULL, "ann");
    assert_string_equal(text, "ann");
    person_write(text, sizeof(text), "CORP", "zo\xc3\xab\xc3\xab");
    assert_string_equal(text, "CORP\\zo\xc3\xab");
}

TEST(what_cannot_be_seen_cannot_be_a_name)
{
    static const struct {
        const char *name, *why; /* a part of the reason; NULL = none */
    } row[] = {
        {"kim", NULL},
        {"Jos\xc3\xa9 \xe5\xb1\xb1", NULL},
        {"kim@acme.test", NULL},
        {"\xe0\xa4\x95\xe0\xa5\x8d\xe0\xa4\xb7\xe0\xa4\xbf", NULL}, /* Devanagari needs its signs */
        {"O'Neil, Ann", NULL},
        {" kim", "blank"},
        {"kim ", "blank"},
        {"kim\xc2\xa0", "blank"},
        {"\xe2\x80\x83kim", "blank"},
        {"\xe3\x80\x80", "blank"},
        {"\tkim", "control"},
        {"k\x7f", "control"},
        {"k\xc2\x9b", "control"},
        {"k\xe2\x80\xa9", "control"},
        {"k\xff", "control"},
        {"k\xed\xa0\x80", "control"}, /* a surrogate */
        {"k\xc2\xadim", "without width"},
        {"k\xe2\x80\x8d", "without width"},
        {"k\xd8\x9c", "without width"},
        {"k\xe2\x81\xa9", "without width"},
        {"k\xf3\xa0\x80\xa0", "without width"},
        {"zoe\xcc\x88", "composed letters"},
        {"\xe3\x81\x8b\xe3\x82\x99", "composed letters"},
        {"\xe1\x84\x80\xe1\x85\xa1", "composed letters"},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        for (int part = PERSON_NAME; part <= PERSON_FULL; part++) {
            const char *why = person_refusal((enum person_part)part, row[i].name);

            if (!why != !row[i].why || (why && !strstr(why, row[i].why)))
                fail_msg("%s: %s", row[i].name, why ? why : "accepted");
        }
}

TEST(what_the_vault_reads_otherwise_cannot_be_written)
{
    assert_non_null(strstr(person_refusal(PERSON_NAME, "ACME\\kim"), "backslash"));
    assert_null(person_refusal(PERSON_DOMAIN, "ACME\\x"));
    assert_non_null(strstr(person_unwritable(PERSON_DOMAIN, "ACME\\x"), "backslash"));
    assert_null(person_unwritable(PERSON_FULL, "ACME\\kim"));
    for (int part = PERSON_NAME; part <= PERSON_FULL; part++) {
        assert_null(person_refusal((enum person_part)part, "a;b"));
        assert_non_null(strstr(person_unwritable((enum person_part)part, "a;b"), "semicolon"));
        assert_non_null(person_unwritable((enum person_part)part, "a "));
    }
}

TEST(letters_come_back_as_they_were)
{
    static const uint32_t some[] = {0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
    static const char *const bad[] = {"\x80",         "\xc1\x81",         "\xc3", "\xe2\x82",
                                      "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"};
    char text[4];
    uint32_t letter;

    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
        size_t n = utf8_encode(text, some[i]);

        assert_int_equal(utf8_decode(text, n, &letter), n);
        assert_int_equal(letter, some[i]);
        if (n > 1)
            assert_int_equal(utf8_decode(text, n - 1, &letter), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &letter), 0);
}

TEST(the_ranges_are_in_order)
{
    static const struct {
        uint32_t letter;
        enum letter_kind kind;
    } row[] = {
        {0x00, LETTER_CONTROL},  {0x1f, LETTER_CONTROL},   {0x20, LETTER_BLANK},     {0x21, LETTER_PLAIN},
        {0x7e, LETTER_PLAIN},    {0x7f, LETTER_CONTROL},   {0x9f, LETTER_CONTROL},   {0xa0, LETTER_BLANK},
        {0xa1, LETTER_PLAIN},    {0xad, LETTER_HIDDEN},    {0x2ff, LETTER_PLAIN},    {0x300, LETTER_MARK},
        {0x36f, LETTER_MARK},    {0x370, LETTER_PLAIN},    {0x61c, LETTER_HIDDEN},   {0x1160, LETTER_HIDDEN},
        {0x11ff, LETTER_MARK},   {0x1200, LETTER_PLAIN},   {0x200a, LETTER_BLANK},   {0x200b, LETTER_HIDDEN},
        {0x200f, LETTER_HIDDEN}, {0x2010, LETTER_PLAIN},   {0x2028, LETTER_CONTROL}, {0x202e, LETTER_HIDDEN},
        {0x202f, LETTER_BLANK},  {0x2060, LETTER_HIDDEN},  {0x206f, LETTER_HIDDEN},  {0x2070, LETTER_PLAIN},
        {0x3000, LETTER_BLANK},  {0x3099, LETTER_MARK},    {0xac00, LETTER_PLAIN},   {0xfeff, LETTER_HIDDEN},
        {0xfffd, LETTER_PLAIN},  {0xffff, LETTER_HIDDEN},  {0xe0001, LETTER_HIDDEN}, {0x10ffff, LETTER_PLAIN},
        {0x2800, LETTER_BLANK},  {0x13430, LETTER_HIDDEN}, {0x16fe4, LETTER_HIDDEN}, {0x1bca1, LETTER_HIDDEN},
    };

    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        if (letter_kind(row[i].letter) != row[i].kind)
            fail_msg("U+%04X", row[i].letter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_differ_in_ascii_case_alone),
        cmocka_unit_test(a_name_is_written_with_its_domain_and_cut_at_a_letter),
        cmocka_unit_test(what_cannot_be_seen_cannot_be_a_name),
        cmocka_unit_test(what_the_vault_reads_otherwise_cannot_be_written),
        cmocka_unit_test(letters_come_back_as_they_were),
        cmocka_unit_test(the_ranges_are_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
