/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_own_places.c - the files of a gateway, none of which may be another (table/conf_places.h).
 *
 * Not here: what kind of file is there (commands/run/preconditions.h), who could change it (conf_files.c).
 */
#include "conf/conf_checks.h"
#include "conf/table/conf_places.h"

#include <string.h>

/* The files of the state directory, beside the audit trail (stores/sqlite.h, audit/, commands/control.c). */
static const char *const state_files[] = {"lock",       "leases.db",    "leases.db-wal", "leases.db-shm",
                                          "audit.head", "control.sock", "instance"};

static void add_gateway(struct conf_draft *d, struct conf_places *all)
{
    const struct conf_part *part = conf_draft_next(d, SECTION_GATEWAY, NULL);
    const struct conf_gateway *g = part ? part->object : NULL;
    const char *dir =
        g && g->state_dir ? g->state_dir : conf_row_find(d->table, SECTION_GATEWAY, "state_dir")->fallback;

    conf_places_file(d, all, d->file, "", "the configuration");
    for (size_t i = 0; i < sizeof(state_files) / sizeof(state_files[0]); i++)
        conf_places_file(d, all, dir, state_files[i], "a file of the state directory");
    if (!g || !g->audit_file)
        conf_places_file(d, all, dir, "audit.jsonl", "the audit trail");
    else
        conf_places_key(d, all, part, "audit_file", g->audit_file, PLACE_WRITTEN);
    if (g && g->log_file && strcmp(g->log_file, "-") != 0)
        conf_places_key(d, all, part, "log_file", g->log_file, PLACE_WRITTEN);
}

static void add_part(struct conf_draft *d, struct conf_places *all, const struct conf_part *part)
{
    const struct conf_listener *l = part->section == SECTION_LISTENER ? part->object : NULL;

    conf_places_part(d, all, part);
    if (l && l->is_unix)
        conf_places_key(d, all, part, "address", l->host, PLACE_SOCKET);
}

void conf_check_places(struct conf_draft *d)
{
    struct conf_places all = {.n = 0};
    struct conf_part *part;

    add_gateway(d, &all);
    TAILQ_FOREACH(part, &d->parts, link)
    add_part(d, &all, part);
    conf_places_judge(d, &all);
}
