/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moment.c - a point of time as users write it; see moment.h.
 */
#include "reports/query/moment.h"

#include "base/text.h"
#include "reports/zones.h"

#include <string.h>

#define AGE_MAX (INT64_C(3660) * 86400)

static bool read_age(const char *text, int64_t *seconds)
{
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char digits[16];
    size_t n = strlen(text);
    int64_t number;

    if (n < 2 || !text_copy_n(digits, sizeof(digits), text, n - 1) || !text_only(digits, "0123456789") ||
        !text_int(digits, 0, AGE_MAX, &number))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (units[i].letter != text[n - 1])
            continue;
        *seconds = number * units[i].seconds;
        return *seconds <= AGE_MAX;
    }
    return false;
}

bool moment_read(const char *text, int64_t now, int64_t *when)
{
    int64_t age;

    if (read_age(text, &age)) {
        *when = now - age;
        return true;
    }
    return zone_read_date(text, when) || zone_read(text, when);
}
