/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_command_table.c - the rows of the commands are whole and agree with themselves: those of the gateway,
 * and with TEST_REPORTS those of session reports.
 */
#include "check.h"
#include "commands/line/help.h"
#ifdef TEST_REPORTS
#include "reports/commands/commands.h"
#define PROGRAM reports_program
#else
#include "commands/commands.h"
#define PROGRAM jumpgate_program
#endif

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LETTERS 90

/* Calls `look` for every row and every row of a sub-command. */
static void each_row(void (*look)(const struct command *parent, const struct command *))
{
    for (const struct command *row = PROGRAM.commands; row->name; row++) {
        case_label("%s", row->name);
        look(NULL, row);
        for (const struct command *sub = row->subs; sub && sub->name; sub++) {
            case_label("%s %s", row->name, sub->name);
            look(row, sub);
        }
    }
}

static bool has_flag(const struct command *row, const char *word, size_t n)
{
    for (const struct command_flag *flag = row->flags; flag && flag->name; flag++)
        if (strlen(flag->name) == n && strncmp(flag->name, word, n) == 0)
            return true;
    return false;
}

/* A small letter, or a word in capitals such as SIGHUP, or a code in front; no full stop. */
static void check_phrase(const char *text)
{
    assert_non_null(text);
    assert_true(strlen(text) > 2);
    assert_true(text[strlen(text) - 1] != '.');
    assert_false(isupper((unsigned char)text[0]) && !isupper((unsigned char)text[1]));
    for (const char *p = text; *p; p++)
        assert_true(*p >= ' ' && *p <= '~');
}

static void check_texts(const struct command *parent, const struct command *row)
{
    check_phrase(row->summary);
    for (const struct command_flag *flag = row->flags; flag && flag->name; flag++) {
        check_phrase(flag->help);
        assert_int_equal(flag->takes == FLAG_SWITCH, flag->value == NULL);
        assert_int_equal(flag->name[0], '-');
        assert_true(flag - row->flags < COMMAND_FLAGS_MAX);
    }
    if (row->about)
        assert_int_equal(row->about[strlen(row->about) - 1], '.');
    assert_true(!row->subs || !parent);
    assert_int_equal(row->subs == NULL, row->run != NULL);
    if (row->subs)
        return;
    assert_int_equal(row->operands == NULL, row->max_words == 0);
    assert_true(row->min_words <= row->max_words);
    assert_non_null(row->examples);
    assert_non_null(row->examples[0].line);
    assert_non_null(row->exits);
}

TEST(rows_have_their_texts)
{
    each_row(check_texts);
}

static void check_unique(const struct command *parent, const struct command *row)
{
    const struct command *rows = parent ? parent->subs : PROGRAM.commands;

    for (const struct command *other = rows; other != row; other++)
        assert_string_not_equal(other->name, row->name);
    for (const struct command_flag *flag = row->flags; flag && flag->name; flag++)
        for (const struct command_flag *other = row->flags; other != flag; other++)
            assert_string_not_equal(other->name, flag->name);
    for (const struct command_exit *e = row->exits; e && e->meaning; e++)
        for (const struct command_exit *other = row->exits; other != e; other++)
            assert_int_not_equal(other->code, e->code);
}

TEST(names_and_codes_are_unique)
{
    each_row(check_unique);
}

static void check_exits(const struct command *parent, const struct command *row)
{
    (void)parent;
    if (row->subs)
        return;
    assert_int_equal(row->exits[0].code, EXIT_DONE);
    for (const struct command_exit *e = row->exits; e->meaning; e++)
        check_phrase(e->meaning);
    for (const struct command_exit *e = row->exits; e->code != EXIT_USAGE; e++)
        assert_non_null(e->meaning);
}

TEST(exit_codes_are_said)
{
    each_row(check_exits);
}

/* Every flag of the text is one of the row. */
static void check_flags_in(const struct command *row, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p != '-' || (p > text && !strchr(" [", p[-1])))
            continue;
        size_t n = strcspn(p, " ]=");

        if (n > 1 && !has_flag(row, p, n))
            fail_msg("%.*s is no flag of %s", (int)n, p, row->name);
    }
}

static void check_forms(const struct command *parent, const struct command *row)
{
    bool seen[COMMAND_FLAGS_MAX] = {false};

    (void)parent;
    for (size_t i = 0; row->forms && row->forms[i]; i++) {
        check_flags_in(row, row->forms[i]);
        for (size_t f = 0; row->flags[f].name; f++) {
            const char *at = strstr(row->forms[i], row->flags[f].name);
            seen[f] = seen[f] || (at && strchr(" ]", at[strlen(row->flags[f].name)]));
        }
    }
    for (size_t f = 0; row->forms && row->flags[f].name; f++)
        if (!seen[f])
            fail_msg("%s is in no form of %s", row->flags[f].name, row->name);
}

TEST(forms_name_the_flags_of_the_row)
{
    each_row(check_forms);
}

static void check_examples(const struct command *parent, const struct command *row)
{
    const char *first = parent ? parent->name : row->name;

    for (const struct command_example *e = row->examples; e && e->line; e++) {
        assert_true(strncmp(e->line, first, strlen(first)) == 0);
        check_flags_in(row, e->line);
    }
}

TEST(examples_use_the_flags_of_the_row)
{
    each_row(check_examples);
}

/* A text that is broken into lines reads as before. */
static void join_lines(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++)
        if (!isspace((unsigned char)*from))
            *to++ = *from;
        else if (to > text && to[-1] != ' ')
            *to++ = ' ';
    *to = '\0';
}

static void check_help(const struct command *parent, const struct command *row)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    assert_non_null(out);
    help_command(out, parent, row);
    assert_int_equal(fclose(out), 0);
    for (const char *line = strchr(text, '\n') + 1, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        assert_true(end - line <= LINE_MAX_LETTERS);
        assert_true(end == line || end[-1] != ' ');
    }
    join_lines(text);
    for (const struct command_flag *flag = row->flags; flag && flag->name; flag++)
        assert_non_null(strstr(text, flag->help));
    free(text);
}

TEST(help_fits_its_lines_and_leaves_nothing_out)
{
    each_row(check_help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_their_texts),
        cmocka_unit_test(names_and_codes_are_unique),
        cmocka_unit_test(exit_codes_are_said),
        cmocka_unit_test(forms_name_the_flags_of_the_row),
        cmocka_unit_test(examples_use_the_flags_of_the_row),
        cmocka_unit_test(help_fits_its_lines_and_leaves_nothing_out),
    };

    command_program_is(&PROGRAM);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
