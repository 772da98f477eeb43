/* SPDX-License-Identifier: Apache-2.0 */
/*
 * choice.c - which leases a command means; see choice.h.
 */
#include "commands/leases/choice.h"

#include "base/clock.h"
#include "base/text.h"
#include "broker/identity/credential_id.h"

#include <string.h>

#define YEARS_100_S (100LL * 366 * 24 * 3600)

/* 90s, 15m, 2h, 3d in milliseconds; 0 = it is none. */
static int64_t read_duration(const char *text)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 24 * 3600};
    size_t n = strspn(text, "0123456789");
    const char *unit = text[n] && !text[n + 1] ? strchr(units, text[n]) : NULL;
    char digits[20];
    int64_t value;

    if (!unit || !text_copy_n(digits, sizeof(digits), text, n) ||
        !text_int(digits, 1, YEARS_100_S / seconds[unit - units], &value))
        return 0;
    return value * seconds[unit - units] * 1000;
}

int leases_choice_read(const struct command_args *args, struct leases_choice *out)
{
    const char *older = args_value(args, "--older-than");

    *out = (struct leases_choice){
        .filter = {.user = args_value(args, "--user"),
                   .session = args_value(args, "--session"),
                   .state = args_value(args, "--state"),
                   .node = args_value(args, "--node")},
        .vault = args_value(args, "--vault"),
        .older_ms = older ? read_duration(older) : 0,
        .overdue = args_given(args, "--overdue"),
        .now_wall_ms = clock_wall(&clock_system),
    };
    if (older && !out->older_ms)
        return args_wrong(args, "--older-than needs a number and its unit, such as 90s, 15m, 2h or 3d");
    return EXIT_DONE;
}

static bool is_of_vault(const struct lease_view *view, const char *vault)
{
    struct credential_ref ref;

    return credential_id_parse(view->credential_id, &ref) && strcmp(ref.vault, vault) == 0;
}

bool leases_choice_fits(const struct leases_choice *c, const struct lease_view *view)
{
    return (!c->vault || is_of_vault(view, c->vault)) &&
           (!c->older_ms || view->created_wall_ms <= c->now_wall_ms - c->older_ms) &&
           (!c->overdue || (view->expires_wall_ms && view->expires_wall_ms < c->now_wall_ms));
}
