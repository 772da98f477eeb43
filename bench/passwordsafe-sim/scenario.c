/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario.c - walking a scenario's lists; see scenario.h. The entries themselves are in scenario_entries.c.
 */
#include "passwordsafe-sim/scenario.h"

#include "base/text.h"
#include "passwordsafe-sim/scenario_entries.h"
#include "sim/lists.h"

#include <errno.h>
#include <string.h>

static const struct list_row lists[] = {
    {"settings", entry_settings}, {"policies", entry_policy},      {"groups", entry_group},
    {"users", entry_user},        {"systems", entry_system},       {"accounts", entry_account},
    {"links", entry_link},        {"oauth_clients", entry_client},
};
static const struct list_table table = {lists, sizeof(lists) / sizeof(lists[0])};

int scenario_apply_list(struct model *m, const char *list, const cJSON *entries, struct buf *why)
{
    int rc = lists_apply_one(&table, m, list, entries, why);

    model_changed(m);
    return rc;
}

int scenario_apply(struct model *m, const cJSON *scenario, struct buf *why)
{
    int rc = lists_apply(&table, m, scenario, why);

    model_changed(m);
    return rc;
}

int scenario_load_text(struct model *m, const char *text, size_t len, struct buf *why)
{
    int rc = lists_load_text(&table, m, text, len, why);

    model_changed(m);
    return rc;
}

int scenario_load_file(struct model *m, const char *path, struct buf *why)
{
    int rc = lists_load_file(&table, m, path, why);

    model_changed(m);
    return rc;
}

int scenario_load_fixture(struct model *m, const char *name, struct buf *why)
{
    if (!text_equal_nocase(name, "worked")) {
        (void)buf_printf(why, "no fixture is called %s", name);
        return -EINVAL;
    }
    for (size_t i = 0; fixture_worked[i]; i++) {
        int rc = scenario_load_text(m, fixture_worked[i], strlen(fixture_worked[i]), why);
        if (rc)
            return rc;
    }
    return 0;
}
