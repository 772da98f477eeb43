/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_roff.c - texts in a man page are shown letter by letter.
 */
#include "base/roff.h"
#include "check.h"

#include <string.h>

#define TEXT_MAX 4096

static void check_inline(const char *text, const char *roff)
{
    struct buf out = BUF_INIT(TEXT_MAX);

    case_label("%s", text);
    roff_inline(&out, text, strlen(text));
    assert_string_equal(buf_cstr(&out), roff);
    buf_free(&out);
}

TEST(letters_with_a_meaning_are_escaped)
{
    check_inline("--all", "\\-\\-all");
    check_inline("CORP\\ann", "CORP\\(rsann");
    check_inline("it's \"so\"", "it\\(aqs \\(dqso\\(dq");
    check_inline("^~", "\\(ha\\(ti");
}

TEST(backquotes_are_bold)
{
    check_inline("see `a-b` and `c`", "see \\fBa\\-b\\fR and \\fBc\\fR");
    check_inline("`open", "\\fBopen\\fR");
}

static void check_paragraphs(const char *text, const char *roff)
{
    struct buf out = BUF_INIT(TEXT_MAX);

    case_label("%s", text);
    roff_paragraphs(&out, text);
    assert_string_equal(buf_cstr(&out), roff);
    buf_free(&out);
}

TEST(no_line_of_a_text_is_a_control_line)
{
    check_paragraphs(".TH a", "\\&.TH a\n");
    check_paragraphs("'so a", "\\(aqso a\n");
    check_paragraphs("one\n\n.two", "one\n.PP\n\\&.two\n");
}

TEST(lines_are_broken_at_blanks)
{
    check_paragraphs("1234567890123456789012345678901234567 1234567890123456789012345678901234567 12 .3",
                     "1234567890123456789012345678901234567 1234567890123456789012345678901234567\n12 .3\n");
}

TEST(a_long_word_may_be_broken)
{
    check_paragraphs("0000000000000000000000000000000000000000000000000000000000000000",
                     "00000000000000000000000000000000\\:00000000000000000000000000000000\n");
}

TEST(the_argument_of_a_macro_cannot_end_it)
{
    struct buf out = BUF_INIT(TEXT_MAX);

    roff_macro(&out, "SH", "a \"b\" [c]");
    assert_string_equal(buf_cstr(&out), ".SH \"a \\(dqb\\(dq [c]\"\n");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_with_a_meaning_are_escaped),
        cmocka_unit_test(backquotes_are_bold),
        cmocka_unit_test(no_line_of_a_text_is_a_control_line),
        cmocka_unit_test(lines_are_broken_at_blanks),
        cmocka_unit_test(a_long_word_may_be_broken),
        cmocka_unit_test(the_argument_of_a_macro_cannot_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
