/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_top_model.c - from the answers of a gateway to rates and percentiles.
 */
#include "check.h"

#include "top_fixture.h"

#include "base/buf.h"
#include "top/exposition.h"

#include <math.h>
#include <string.h>

#define assert_near(value, wanted)                                                                           \
    do {                                                                                                     \
        double got_ = (value), wanted_ = (wanted);                                                           \
        if (!(fabs(got_ - wanted_) < 1e-9))                                                                  \
            fail_msg("%s is %.12g and not %.12g", #value, got_, wanted_);                                    \
    } while (0)

/* ---- the page ---- */

TEST(a_sample_has_name_labels_and_value)
{
    const char *page = "# TYPE x counter\nx{a=\"1\",b=\"two \\\"q\\\" \\\\ \\n\"} 2.5e3\ny 7\n";
    struct exposition_sample s;

    assert_true(exposition_next(&page, &s));
    assert_string_equal(s.name, "x");
    assert_int_equal(s.nlabels, 2);
    assert_string_equal(exposition_label(&s, "b"), "two \"q\" \\ \n");
    assert_string_equal(exposition_label(&s, "c"), "");
    assert_near(s.value, 2500);
    assert_true(exposition_next(&page, &s));
    assert_string_equal(s.name, "y");
    assert_int_equal(s.nlabels, 0);
    assert_false(exposition_next(&page, &s));
}

TEST(lines_that_are_no_sample_are_passed_over)
{
    static const char *const odd[] = {
        "x",
        "x{",
        "x{a",
        "x{a=",
        "x{a=\"",
        "x{a=\"b",
        "x{a=\"b\"",
        "x{a=\"b\\",
        "x{a b} 1",
        "x{a=\"b\"}",
        "x{a=\"b\"}1",
        "x one",
        "x 1y",
        "{a=\"b\"} 1",
        " x 1",
        "",
        "x{a=\"1\",b=\"1\",c=\"1\",d=\"1\",e=\"1\",f=\"1\",g=\"1\",h=\"1\",i=\"1\"} 1",
    };
    struct exposition_sample s;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        const char *page = odd[i];

        case_label("%s", odd[i]);
        assert_false(exposition_next(&page, &s));
    }
    case_label("%s", "");
}

/* ---- percentiles ---- */

static struct histogram histogram(double a, double b, double c)
{
    return (struct histogram){.le = {1, 3, (double)INFINITY}, .count = {a, b, c}, .n = 3};
}

TEST(a_quantile_is_interpolated_within_its_bucket)
{
    static const struct {
        double counts[3], q, wanted;
    } cases[] = {
        {{10, 10, 10}, 0.5, 0.5}, /* half of the first bucket, which begins at 0 */
        {{10, 10, 10}, 1, 1},
        {{0, 10, 10}, 0.5, 2}, /* half way from 1 to 3 */
        {{5, 10, 10}, 0.75, 2},
        {{5, 10, 10}, 0.5, 1}, /* exactly at a bound */
        {{5, 10, 10}, 0, 0},
        {{90, 99, 100}, 0.95, 1 + 2.0 * 5 / 9},
        {{0, 0, 10}, 0.5, (double)INFINITY},
        {{90, 99, 100}, 0.995, (double)INFINITY},
        {{0, 0, 0}, 0.5, -1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct histogram h = histogram(cases[i].counts[0], cases[i].counts[1], cases[i].counts[2]);
        double got = histogram_quantile(NULL, &h, cases[i].q);

        case_label("%zu", i);
        if (isinf(cases[i].wanted))
            assert_true(isinf(got));
        else
            assert_near(got, cases[i].wanted);
    }
    case_label("%s", "");
}

TEST(a_quantile_is_of_the_growth)
{
    struct histogram before = histogram(1000, 1000, 1000), now = histogram(1000, 1010, 1010);

    assert_near(histogram_quantile(&before, &now, 0.5), 2);
    assert_near(histogram_quantile(&before, &before, 0.5), -1);
    now = histogram(4, 4, 4); /* it has begun again */
    assert_near(histogram_quantile(&before, &now, 0.5), 0.5);
}

/* ---- a sample ---- */

TEST(a_sample_is_what_the_gateway_says)
{
    struct sample *s = top_fixture_sample(1);

    assert_true(s->ready);
    assert_string_equal(s->version, "0.1.0");
    assert_int_equal(s->uptime_s, 275412);
    assert_int_equal(s->overdue_s, 754);
    assert_int_equal(s->in_flight, 4);
    assert_int_equal(s->nvaults, 2); /* neither the store nor the site is one */
    assert_string_equal(s->vaults[1].detail, "connection refused by 10.0.0.7:443");
    assert_int_equal(s->vaults[0].in_flight, 3);
    assert_near(s->vaults[1].failed, 9);
    assert_string_equal(s->site.name, "site");
    assert_int_equal(s->site.jumpoints, 2);
    assert_int_equal(s->site.jumpoints_away, 1);
    assert_int_equal(s->nleases, 7);
    assert_string_equal(s->leases[1].account, "CORP\\svc-\xd0\xb1\xd0\xb0\xd0\xb7\xd0\xb0");
    assert_int_equal(s->leases[0].expires_wall_ms, TOP_NOW_MS + 3600000);
    assert_string_equal(s->leases[5].system, ""); /* null */
    assert_int_equal(s->nerrors, 3);
    assert_string_equal(s->errors[0].code, "approval_pending");
    assert_int_equal(s->errors[2].count, 120);
    assert_string_equal(s->errors[2].user, "");
    sample_free(s);
}

TEST(texts_are_fit_for_a_terminal)
{
    struct sample *s = top_fixture_sample(1);

    assert_string_equal(s->leases[3].account, "evil\\u202egpj.exe");
    assert_string_equal(s->errors[1].endpoint, "web\\u202e01");
    assert_string_equal(s->errors[1].detail, "sign-in refused (401)\\u000a\\u001b[31m");
    sample_free(s);
}

TEST(an_answer_that_is_none_is_refused)
{
    static const char *const odd[] = {"", "[]", "{", "null", "{\"leases\":[],}"};
    struct sample *s = sample_new(0, 0);
    char next[8];

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_false(sample_read_ready(s, odd[i], strlen(odd[i])));
        assert_false(sample_read_status(s, odd[i], strlen(odd[i])));
        assert_false(sample_read_leases(s, odd[i], strlen(odd[i]), next, sizeof(next)));
    }
    assert_false(sample_read_metrics(s, ""));
    assert_true(sample_read_status(s, "{}", 2)); /* every member may be missing */
    assert_true(sample_read_leases(s, "{}", 2, next, sizeof(next)));
    assert_int_equal(s->nleases + s->nvaults + s->nerrors, 0);
    sample_free(s);
}

TEST(pages_of_leases_are_joined_up_to_a_limit)
{
    static const char row[] = "{\"id\":\"x\"},", end[] = "{\"id\":\"y\"}],\"next\":\"0a\"}";
    struct buf page = BUF_INIT(1 << 20);
    struct sample *s = sample_new(0, 0);
    char next[64] = "";

    (void)buf_str(&page, "{\"leases\":[");
    for (int i = 0; i < 2999; i++)
        (void)buf_str(&page, row);
    (void)buf_str(&page, end);
    for (int i = 0; i < 4; i++) {
        assert_true(sample_read_leases(s, page.data, page.len, next, sizeof(next)));
        assert_string_equal(next, i < 3 ? "0a" : "");
        assert_int_equal(s->more_leases, i == 3);
    }
    assert_int_equal(s->nleases, LEASES_MAX);
    sample_free(s);
    buf_free(&page);
}

/* ---- rates ---- */

TEST(rates_are_growth_by_time)
{
    struct model m;

    top_fixture_model(&m);
    assert_near(m.interval_s, 2);
    assert_int_equal(m.noperations, 2); /* explain has not occurred, and status only watches */
    assert_string_equal(m.operations[0].name, "find");
    assert_near(m.operations[0].per_s, 13);
    assert_near(m.operations[0].failed_per_s, 1);
    assert_near(m.operations[1].per_s, 2);
    assert_near(m.all.per_s, 15);
    assert_near(m.all.failed_per_s, 1);
    assert_near(m.vaults[0].per_s, 10); /* all calls of the vault together */
    assert_near(m.vaults[1].per_s, 1);
    assert_near(m.vaults[1].failed_per_s, 1);
    model_end(&m);
}

TEST(percentiles_are_of_the_interval)
{
    struct model m;

    top_fixture_model(&m);
    /* find: 12 up to 10 ms, 12 up to 100 ms, 2 beyond */
    assert_near(m.operations[0].seconds[P50], 0.01 + 0.09 * 1 / 12);
    assert_true(isinf(m.operations[0].seconds[P95]));
    assert_near(m.operations[0].bound, 0.1);
    /* checkout: 4 up to 100 ms */
    assert_near(m.operations[1].seconds[P50], 0.055);
    /* all: 12, 16, 2 */
    assert_near(m.all.seconds[P50], 0.01 + 0.09 * 3 / 16);
    model_end(&m);
}

TEST(the_first_sample_has_no_rates)
{
    struct model m;

    model_init(&m);
    assert_int_equal(model_take(&m, top_fixture_sample(0)), 0);
    assert_false(m.all.known);
    assert_near(m.all.seconds[P50], -1);
    assert_int_equal(m.noperations, 2);
    model_end(&m);
}

TEST(a_gateway_that_has_restarted_counts_from_nothing)
{
    struct model m;
    struct sample *second = top_fixture_sample(1);

    second->started_at = "2026-03-10T09:30:11Z";
    model_init(&m);
    assert_int_equal(model_take(&m, top_fixture_sample(0)), 0);
    assert_int_equal(model_take(&m, second), 0);
    assert_near(m.operations[1].per_s, 12);
    assert_near(m.operations[1].seconds[P50], 0.01 + 0.09 * 2 / 14);
    assert_near(m.all.per_s, 530);
    model_end(&m);
}

TEST(a_counter_that_is_smaller_has_begun_again)
{
    struct model m;
    struct sample *smaller = top_fixture_sample(0);

    smaller->at_ms = 5000;
    model_init(&m);
    assert_int_equal(model_take(&m, top_fixture_sample(1)), 0);
    assert_int_equal(model_take(&m, smaller), 0);
    assert_near(m.operations[0].per_s, 505);
    assert_near(m.operations[0].failed_per_s, 5);
    model_end(&m);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(a_sample_has_name_labels_and_value),
        T(lines_that_are_no_sample_are_passed_over),
        T(a_quantile_is_interpolated_within_its_bucket),
        T(a_quantile_is_of_the_growth),
        T(a_sample_is_what_the_gateway_says),
        T(texts_are_fit_for_a_terminal),
        T(an_answer_that_is_none_is_refused),
        T(pages_of_leases_are_joined_up_to_a_limit),
        T(rates_are_growth_by_time),
        T(percentiles_are_of_the_interval),
        T(the_first_sample_has_no_rates),
        T(a_gateway_that_has_restarted_counts_from_nothing),
        T(a_counter_that_is_smaller_has_begun_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
