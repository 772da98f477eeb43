/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_top_view.c - the screen of `jumpgate top`: whole screens against files, keys, widths, figures.
 *
 * The screens are in golden/top_*.txt. JG_GOLDEN=write writes them; the difference is to be read then.
 */
#include "check.h"

#include "top_fixture.h"

#include "top/cells.h"
#include "top/figures.h"
#include "top/keys.h"
#include "top/view.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct model model;
static struct view view;
static struct keys keys;

static int setup(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    top_fixture_model(&model);
    view = (struct view){.interval_s = 2};
    keys = (struct keys){.release_id = ""};
    return lease_list_make(&view.leases, model.now);
}

static int teardown(void **state)
{
    (void)state;
    lease_list_free(&view.leases);
    model_end(&model);
    return 0;
}

/* The lines of a screen, each checked for its width, with `|` at the right margin. */
static void draw(struct buf *out, size_t rows, size_t cols, bool ascii)
{
    struct screen s = view_draw(&view, &model, TOP_NOW_MS, rows, cols, ascii);

    assert_false(s.failed);
    assert_true(!rows || s.n <= rows);
    for (size_t i = 0; i < s.n; i++) {
        const char *line = s.lines[i].text.len ? buf_cstr(&s.lines[i].text) : "";
        size_t width = cells_width(line, ascii);

        assert_int_equal(width, s.lines[i].width);
        assert_true(width <= cols);
        (void)buf_str(out, line);
        for (; width < cols; width++)
            (void)buf_char(out, ' ');
        (void)buf_str(out, "|\n");
    }
    screen_free(&s);
}

static void read_file(const char *path, struct buf *out)
{
    char part[4096];
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    for (size_t n; (n = fread(part, 1, sizeof(part), f));)
        assert_int_equal(buf_append(out, part, n), 0);
    assert_int_equal(fclose(f), 0);
}

static void write_file(const char *path, const struct buf *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text->data, 1, text->len, f), text->len);
    assert_int_equal(fclose(f), 0);
}

static void assert_screen(const char *name, size_t rows, size_t cols, bool ascii)
{
    struct buf drawn = BUF_INIT(1 << 20), wanted = BUF_INIT(1 << 20);
    const char *golden = getenv("JG_GOLDEN");
    char path[128];

    snprintf(path, sizeof(path), "golden/top_%s.txt", name);
    draw(&drawn, rows, cols, ascii);
    if (golden && strcmp(golden, "write") == 0)
        write_file(path, &drawn);
    read_file(path, &wanted);
    if (wanted.len != drawn.len || memcmp(wanted.data, drawn.data, drawn.len) != 0)
        fail_msg("%s is not:\n%s", path, buf_cstr(&drawn));
    buf_free(&drawn);
    buf_free(&wanted);
}

/* ---- whole screens ---- */

TEST(a_small_terminal)
{
    assert_screen("80x24", 24, 80, false);
}

TEST(a_large_terminal)
{
    assert_screen("132x50", 50, 132, false);
}

TEST(a_huge_terminal)
{
    assert_screen("200x60", 60, 200, false);
}

TEST(a_terminal_without_utf8)
{
    assert_screen("ascii", 24, 80, true);
}

TEST(a_plain_screen)
{
    assert_screen("once", 0, 132, false);
}

TEST(the_help)
{
    view.help = true;
    assert_screen("help", 24, 80, false);
}

TEST(a_gateway_that_does_not_answer)
{
    (void)snprintf(view.away, sizeof(view.away), "no gateway answers at /var/lib/jumpgate/control.sock");
    assert_screen("away", 24, 80, false);
}

TEST(a_gateway_that_is_not_ready)
{
    static const char not_ready[] =
        "{\"ready\":false,\"reasons\":[\"vault second is not reachable: connection "
        "refused by 10.0.0.7:443\",\"the gateway is shutting down\"]}";

    assert_true(sample_read_ready(model.now, not_ready, strlen(not_ready)));
    view.paused = true;
    assert_screen("not_ready", 24, 80, false);
}

TEST(nothing_is_known_yet)
{
    model_end(&model);
    assert_screen("asking", 24, 80, false);
}

TEST(too_small_a_terminal)
{
    for (size_t rows = 1; rows < 30; rows++)
        for (size_t cols = 1; cols < 90; cols++) {
            struct buf out = BUF_INIT(1 << 20);

            draw(&out, rows, cols, false);
            if (cols >= 20)
                assert_int_equal(strncmp(buf_cstr(&out), "needs 80x24", 11) == 0, rows < 24 || cols < 80);
            buf_free(&out);
        }
}

/* ---- keys ---- */

static void press(const char *letters)
{
    for (; *letters; letters++) {
        assert_int_equal(key_press(&keys, &view, (unsigned char)*letters), ACTION_NONE);
        assert_int_equal(lease_list_make(&view.leases, model.now), 0);
    }
}

/* The ids of the list in their order. */
static const char *order(void)
{
    static char out[64];

    assert_int_equal(lease_list_make(&view.leases, model.now), 0);
    out[0] = '\0';
    for (size_t i = 0; i < view.leases.n; i++)
        strcat(strcat(out, i ? " " : ""), view.leases.rows[i]->id);
    return out;
}

TEST(s_changes_the_order)
{
    assert_string_equal(order(), "E5 D4 B2 F6 A1 C3 G7"); /* by their ends, without one last */
    press("s");
    assert_string_equal(order(), "G7 F6 A1 B2 E5 D4 C3");
    press("s");
    assert_string_equal(order(), "F6 G7 B2 E5 A1 D4 C3");
    press("s");
    assert_string_equal(order(), "F6 G7 B2 D4 E5 A1 C3");
    press("s");
    assert_string_equal(order(), "G7 D4 B2 F6 A1 C3 E5");
    press("s");
    assert_string_equal(order(), "E5 D4 B2 F6 A1 C3 G7");
}

TEST(a_slash_filters)
{
    press("/ANN");
    assert_true(view.filtering);
    assert_string_equal(order(), "F6 A1");
    press("\x7f\x7f\x7f");
    assert_string_equal(order(), "E5 D4 B2 F6 A1 C3 G7");
    press("q\n"); /* a letter, and no key */
    assert_false(view.filtering);
    assert_string_equal(order(), "");
    press("/\x1b");
    assert_string_equal(order(), "E5 D4 B2 F6 A1 C3 G7");
    press("/");
    (void)key_press(&keys, &view, 0x5c71); /* a letter of two columns */
    assert_string_equal(order(), "C3");
    (void)key_press(&keys, &view, KEY_BACK_);
    assert_string_equal(view.leases.filter, "");
    (void)key_press(&keys, &view, 0x202e); /* is not taken */
    (void)key_press(&keys, &view, 7);
    assert_string_equal(view.leases.filter, "");
    for (int i = 0; i < 500; i++)
        (void)key_press(&keys, &view, 0x5c71);
    assert_true(strlen(view.leases.filter) < FILTER_SIZE);
}

TEST(the_selection_follows_its_lease)
{
    (void)key_press(&keys, &view, KEY_DOWN_);
    assert_string_equal(lease_list_selected(&view.leases)->id, "D4");
    press("s");
    assert_string_equal(lease_list_selected(&view.leases)->id, "D4");
    press("/bob\n"); /* it is not in the list: the one at its place */
    assert_string_equal(lease_list_selected(&view.leases)->id, "B2");
    (void)key_press(&keys, &view, KEY_UP_);
    (void)key_press(&keys, &view, KEY_PAGE_UP_);
    assert_string_equal(lease_list_selected(&view.leases)->id, "B2");
    press("\x1b");
    (void)key_press(&keys, &view, KEY_END_);
    assert_string_equal(lease_list_selected(&view.leases)->id, "C3");
    (void)key_press(&keys, &view, KEY_HOME_);
    assert_string_equal(lease_list_selected(&view.leases)->id, "G7");
}

TEST(a_release_is_asked_for)
{
    press("r");
    assert_string_equal(view.question, "release oracle on mail.example.com, held by CORP\\carol? y/N");
    press("q"); /* anything but y */
    assert_string_equal(view.question, "");
    assert_string_equal(view.message, "not released");
    press("r");
    model.now->nleases = 4; /* another sample, without it */
    assert_int_equal(lease_list_make(&view.leases, model.now), 0);
    assert_int_equal(key_press(&keys, &view, 'y'), ACTION_RELEASE);
    assert_string_equal(keys.release_id, "E5");
    press("/nothing\nr");
    assert_string_equal(view.question, "");
    assert_string_equal(view.message, "there is no lease to release");
}

TEST(the_other_keys)
{
    assert_int_equal(key_press(&keys, &view, 'q'), ACTION_QUIT);
    assert_int_equal(key_press(&keys, &view, ' '), ACTION_TIMING);
    assert_true(view.paused);
    assert_int_equal(key_press(&keys, &view, 'p'), ACTION_TIMING);
    assert_false(view.paused);
    press("?");
    assert_true(view.help);
    press("s"); /* closes it, and does nothing else */
    assert_false(view.help);
    assert_int_equal(view.leases.order, ORDER_LEFT);
}

TEST(the_interval_has_steps)
{
    (void)key_press(&keys, &view, '+');
    assert_true(fabs(view.interval_s - 5) < 1e-9);
    view.interval_s = 3; /* of the command line */
    (void)key_press(&keys, &view, '-');
    assert_true(fabs(view.interval_s - 2) < 1e-9);
    for (int i = 0; i < 20; i++)
        (void)key_press(&keys, &view, '-');
    assert_true(fabs(view.interval_s - INTERVAL_MIN_S) < 1e-9);
    for (int i = 0; i < 20; i++)
        (void)key_press(&keys, &view, '+');
    assert_true(fabs(view.interval_s - INTERVAL_MAX_S) < 1e-9);
}

TEST(the_list_scrolls_to_the_selection)
{
    struct buf out = BUF_INIT(1 << 20);

    press("s"); /* by user: the last one is C3 */
    (void)key_press(&keys, &view, KEY_END_);
    view.scroll = 0;
    for (int i = 0; i < 10; i++)
        (void)lease_list_make(&view.leases, model.now);
    draw(&out, 24, 80, false);
    assert_non_null(strstr(buf_cstr(&out), "\n>\xe3\x82\xb5")); /* selected and seen */
    buf_free(&out);
}

/* ---- cells ---- */

TEST(texts_fill_their_cells)
{
    static const struct {
        const char *text;
        size_t width;
        enum align align;
        bool ascii;
        const char *wanted;
    } cases[] = {
        {"abc", 5, ALIGN_LEFT, false, "abc  "},
        {"abc", 5, ALIGN_RIGHT, false, "  abc"},
        {"abc", 3, ALIGN_LEFT, false, "abc"},
        {"abcd", 3, ALIGN_LEFT, false, "ab~"},
        {"abcd", 3, ALIGN_RIGHT, false, "ab~"},
        {"abcd", 1, ALIGN_LEFT, false, "~"},
        {"abcd", 0, ALIGN_LEFT, false, ""},
        {"", 2, ALIGN_LEFT, false, "  "},
        {"\xe5\xb1\xb1\xe7\x94\xb0", 4, ALIGN_LEFT, false, "\xe5\xb1\xb1\xe7\x94\xb0"},
        {"\xe5\xb1\xb1\xe7\x94\xb0", 3, ALIGN_LEFT, false, "\xe5\xb1\xb1~"},
        {"a\xe5\xb1\xb1\xe7\x94\xb0", 4, ALIGN_LEFT, false, "a\xe5\xb1\xb1~"},
        {"\xe5\xb1\xb1\xe7\x94\xb0", 2, ALIGN_LEFT, false, "~ "}, /* half of a letter stays blank */
        {"e\xcc\x81x", 3, ALIGN_LEFT, false, "e\xcc\x81x "},      /* a mark takes no cell */
        {"e\xcc\x81xyz", 3, ALIGN_LEFT, false, "e\xcc\x81x~"},
        {"\xcc\x81x", 2, ALIGN_LEFT, false, "x "}, /* a mark without a letter */
        {"e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81", 1, ALIGN_LEFT, false,
         "e\xcc\x81\xcc\x81\xcc\x81\xcc\x81"},
        {"\xff", 2, ALIGN_LEFT, false, "\xef\xbf\xbd "}, /* no UTF-8 */
        {"zo\xc3\xab", 4, ALIGN_LEFT, true, "zo? "},
        {"\xe5\xb1\xb1x", 4, ALIGN_LEFT, true, "?x  "},
        {"e\xcc\x81x", 3, ALIGN_LEFT, true, "ex "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = BUF_INIT(1000);

        case_label("%zu", i);
        cells_put(&out, cases[i].text, cases[i].width, cases[i].align, cases[i].ascii);
        assert_string_equal(out.len ? buf_cstr(&out) : "", cases[i].wanted);
        buf_free(&out);
    }
    case_label("%s", "");
}

/* ---- figures ---- */

TEST(figures_are_short)
{
    static const struct {
        double value;
        const char *rate, *seconds;
    } cases[] = {
        {0, "0.0", "0.0ms"},      {0.0004, "0.0", "0.4ms"}, {0.04, "0.0", "40ms"},
        {0.9994, "1.0", "999ms"}, {1.25, "1.2", "1.25s"},   {12.5, "12.5", "12.5s"},
        {99.96, "100", "100.0s"}, {340, "340", "340.0s"},   {12345, "12k", "12345.0s"},
    };
    static const struct {
        int64_t ms;
        const char *left;
    } times[] = {{0, "0:00"},          {999, "0:00"},         {7000, "0:07"},        {-999, "0:00"},
                 {-12000, "-0:12"},    {754000, "12:34"},     {3600000, "1:00:00"},  {11045000, "3:04:05"},
                 {86400000, "1d 00h"}, {183600000, "2d 03h"}, {-86400000, "-1d 00h"}};
    char out[FIGURE_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(figure_rate(cases[i].value, out), cases[i].rate);
        assert_string_equal(figure_seconds(cases[i].value, 30, out), cases[i].seconds);
    }
    assert_string_equal(figure_seconds(-1, 30, out), "-");
    assert_string_equal(figure_seconds((double)INFINITY, 30, out), ">30s");
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        assert_string_equal(figure_left(times[i].ms, out), times[i].left);
    assert_string_equal(figure_clock(TOP_NOW_MS, out), "09:30:12");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_small_terminal),
        T(a_large_terminal),
        T(a_huge_terminal),
        T(a_terminal_without_utf8),
        T(a_plain_screen),
        T(the_help),
        T(a_gateway_that_does_not_answer),
        T(a_gateway_that_is_not_ready),
        T(nothing_is_known_yet),
        T(too_small_a_terminal),
        T(s_changes_the_order),
        T(a_slash_filters),
        T(the_selection_follows_its_lease),
        T(a_release_is_asked_for),
        T(the_other_keys),
        T(the_interval_has_steps),
        T(the_list_scrolls_to_the_selection),
        T(texts_fill_their_cells),
        T(figures_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
