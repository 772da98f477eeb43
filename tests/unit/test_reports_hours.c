/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_reports_hours.c - working hours: how they are written, and times in time zones.
 */
#include "check.h"
#include "reports/store/working_hours.h"

#include <string.h>

#define THURSDAY 1767225600 /* 2026-01-01 00:00:00 UTC */
#define HOUR     3600
#define DAY      86400

TEST(a_time_is_inside_or_outside)
{
    static const struct {
        const char *zone, *hours;
        int64_t when;
        bool outside;
    } cases[] = {
        {"UTC", "mon-fri 07:00-19:00", THURSDAY + 7 * HOUR, false},
        {"UTC", "mon-fri 07:00-19:00", THURSDAY + 7 * HOUR - 1, true},
        {"UTC", "mon-fri 07:00-19:00", THURSDAY + 19 * HOUR - 1, false},
        {"UTC", "mon-fri 07:00-19:00", THURSDAY + 19 * HOUR, true},
        {"UTC", "mon-fri 07:00-19:00", THURSDAY + 2 * DAY + 12 * HOUR, true},  /* Saturday */
        {"UTC", "mon-fri 07:00-19:00", THURSDAY + 4 * DAY + 12 * HOUR, false}, /* Monday */
        {"UTC", "fri-mon 00:00-24:00", THURSDAY + 2 * DAY, false},
        {"UTC", "fri-mon 00:00-24:00", THURSDAY + DAY - 1, true},
        {"UTC", "thu 22:00-06:00", THURSDAY + DAY + 5 * HOUR, false}, /* into Friday */
        {"UTC", "thu 22:00-06:00", THURSDAY + 5 * HOUR, true},
        {"UTC", "sun 22:00-06:00", THURSDAY + 4 * DAY + 5 * HOUR, false}, /* into the next week */
        {"UTC", "mon, thu 08:00-12:00 13:00-17:00", THURSDAY + 12 * HOUR + 60, true},
        {"UTC", "mon, thu 08:00-12:00 13:00-17:00", THURSDAY + 13 * HOUR, false},
        {"UTC", "mon 08:00-12:00, thu 13:00-17:00", THURSDAY + 8 * HOUR, true},
        {"UTC", "mon-fri 07:00-19:00", -1, true}, /* 1969-12-31 23:59:59 */
        {"UTC", "wed 23:59-24:00", -1, false},
        {"Europe/Berlin", "thu 07:00-19:00", THURSDAY + 6 * HOUR, false},                /* winter */
        {"Europe/Berlin", "thu 07:00-19:00", THURSDAY + 26 * 7 * DAY + 5 * HOUR, false}, /* 2 July */
        {"Europe/Berlin", "thu 07:00-19:00", THURSDAY + 26 * 7 * DAY + 5 * HOUR - 1, true},
        {"America/New_York", "wed 19:00-20:00", THURSDAY + 30 * 60, false}, /* still Wednesday there */
    };
    char why[160];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%zu: %s, %s", i, cases[i].zone, cases[i].hours);
        struct working_hours *w = working_hours_new(cases[i].zone, cases[i].hours, why, sizeof(why));
        assert_non_null(w);
        assert_int_equal(working_hours_outside(w, cases[i].when), cases[i].outside);
        working_hours_free(w);
    }
}

TEST(mistakes_are_said)
{
    static const struct {
        const char *zone, *hours, *why;
    } cases[] = {
        {"UTC", "", "no hours"},
        {"UTC", "mon-fri", "no hours"},
        {"UTC", "mon 07:00-19:00, sat", "no hours"},
        {"UTC", "07:00-19:00", "`07:00-19:00`"},
        {"UTC", "mon 7:00-19:00", "`7:00-19:00`"},
        {"UTC", "mon 07:00-24:01", "`07:00-24:01`"},
        {"UTC", "mon 07:60-08:00", "`07:60-08:00`"},
        {"UTC", "mon 24:00-08:00", "`24:00-08:00`"},
        {"UTC", "mon 07:00-07:00", "`07:00-07:00`"},
        {"UTC", "monday 07:00-19:00", "`monday`"},
        {"UTC", "mon-xyz 07:00-19:00", "`mon-xyz`"},
        {"Mars/Olympus", "mon 07:00-19:00", "time zone"},
        {"", "mon 07:00-19:00", "time zone"},
    };
    char why[160];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        case_label("%zu: %s", i, cases[i].hours);
        why[0] = '\0';
        assert_null(working_hours_new(cases[i].zone, cases[i].hours, why, sizeof(why)));
        assert_non_null(strstr(why, cases[i].why));
    }
    assert_true(working_hours_zone_exists("Europe/Berlin"));
    assert_false(working_hours_zone_exists("Europe/Atlantis"));
    assert_false(working_hours_zone_exists(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_inside_or_outside),
        cmocka_unit_test(mistakes_are_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
