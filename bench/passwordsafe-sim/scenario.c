/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenario.c - walking a scenario's lists; see scenario.h. The entries themselves are in scenario_entries.c.
 */
#include "passwordsafe-sim/scenario.h"

#include "base/json.h"
#include "base/text.h"
#include "passwordsafe-sim/scenario_entries.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SCENARIO_MAX ((size_t)64 << 20)

static const struct list_row {
    const char *name;
    int (*apply)(struct model *, const cJSON *entry, struct buf *why);
} lists[] = {
    {"settings", entry_settings}, {"policies", entry_policy},      {"groups", entry_group},
    {"users", entry_user},        {"systems", entry_system},       {"accounts", entry_account},
    {"links", entry_link},        {"oauth_clients", entry_client},
};
#define NLISTS (sizeof(lists) / sizeof(lists[0]))

static const struct list_row *list_named(const char *name)
{
    for (size_t i = 0; i < NLISTS; i++)
        if (strcmp(lists[i].name, name) == 0)
            return &lists[i];
    return NULL;
}

static int apply_entries(struct model *m, const struct list_row *row, const cJSON *entries, struct buf *why)
{
    const cJSON *entry;
    int rc;

    if (cJSON_IsObject(entries))
        return row->apply(m, entries, why);
    cJSON_ArrayForEach(entry, entries)
    {
        rc = cJSON_IsObject(entry) ? row->apply(m, entry, why) : -EINVAL;
        if (rc)
            return rc;
    }
    return cJSON_IsArray(entries) ? 0 : -EINVAL;
}

int scenario_apply_list(struct model *m, const char *list, const cJSON *entries, struct buf *why)
{
    const struct list_row *row = list_named(list);
    int rc = row ? apply_entries(m, row, entries, why) : -EINVAL;

    if (rc && why->len == 0)
        (void)buf_printf(why, "%s: cannot be applied", list);
    model_changed(m);
    return rc;
}

int scenario_apply(struct model *m, const cJSON *scenario, struct buf *why)
{
    const cJSON *member;
    int rc = 0;

    cJSON_ArrayForEach(member, scenario)
    {
        if (list_named(member->string))
            continue;
        (void)buf_printf(why, "unknown list %s", member->string);
        return -EINVAL;
    }
    for (size_t i = 0; i < NLISTS && !rc; i++) {
        const cJSON *entries = json_get(scenario, lists[i].name);
        if (entries)
            rc = scenario_apply_list(m, lists[i].name, entries, why);
    }
    return rc;
}

int scenario_load_text(struct model *m, const char *text, size_t len, struct buf *why)
{
    const char *reason = NULL;
    cJSON *tree = json_parse(text, len, 16, 0, &reason);
    int rc = -EINVAL;

    if (cJSON_IsObject(tree))
        rc = scenario_apply(m, tree, why);
    else
        (void)buf_str(why, reason ? reason : "not an object");
    cJSON_Delete(tree);
    return rc;
}

static int read_file(const char *path, struct buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = 0;
    char part[8192];
    ssize_t n;

    if (fd < 0)
        return -errno;
    while ((n = read(fd, part, sizeof(part))) > 0 && !rc)
        rc = buf_append(b, part, (size_t)n);
    if (n < 0)
        rc = -errno;
    (void)close(fd);
    return rc;
}

int scenario_load_file(struct model *m, const char *path, struct buf *why)
{
    struct buf b = BUF_INIT(SCENARIO_MAX);
    int rc = read_file(path, &b);

    if (rc)
        (void)buf_printf(why, "%s: %s", path, strerror(-rc));
    else
        rc = scenario_load_text(m, b.data ? b.data : "", b.len, why);
    buf_free(&b);
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
