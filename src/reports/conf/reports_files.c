/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_files.c - the files that the configuration of session reports names: those that are read
 * (conf/table/conf_paths.h), those that are written, and that none of these is another file of the program
 * (conf/table/conf_places.h).
 *
 * The owners that are trusted are the process's own user and, where root checks, the owner of the state
 * directory.
 */
#include "conf/table/conf_paths.h"
#include "conf/table/conf_places.h"
#include "reports/conf/reports_sections.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct own_paths {
    const struct conf_part *main, *database; /* NULL = not in the file */
    const char *state_dir, *audit_file, *log_file, *db_path;
};

static struct own_paths own_paths(struct conf_draft *d)
{
    struct own_paths own = {.main = conf_draft_next(d, REPORTS_MAIN, NULL),
                            .database = conf_draft_next(d, REPORTS_DATABASE, NULL)};
    const struct reports_main *m = own.main ? own.main->object : NULL;
    const struct reports_database *b = own.database ? own.database->object : NULL;

    own.state_dir =
        m && m->state_dir ? m->state_dir : conf_row_find(d->table, REPORTS_MAIN, "state_dir")->fallback;
    own.audit_file = m ? m->audit_file : NULL;
    own.log_file = m ? m->log_file : NULL;
    own.db_path = b && b->type == REPORTS_SQLITE ? b->path : NULL;
    return own;
}

/* ---- none is another ---- */

static const char *const state_files[] = {"collector.lock", "audit.head", "freetds.conf"};
static const char *const default_files[] = {"reports.db", "reports.db-wal", "reports.db-shm",
                                            "reports.db-lock"};

static void check_places(struct conf_draft *d, const struct own_paths *own)
{
    struct conf_places all = {.n = 0};
    struct conf_part *part;

    conf_places_file(d, &all, d->file, "", "the configuration");
    for (size_t i = 0; i < sizeof(state_files) / sizeof(state_files[0]); i++)
        conf_places_file(d, &all, own->state_dir, state_files[i], "a file of the state directory");
    for (size_t i = 0; !own->db_path && i < sizeof(default_files) / sizeof(default_files[0]); i++)
        conf_places_file(d, &all, own->state_dir, default_files[i], "the database");
    if (!own->audit_file)
        conf_places_file(d, &all, own->state_dir, "audit.jsonl", "the audit trail");
    else
        conf_places_key(d, &all, own->main, "audit_file", own->audit_file, PLACE_WRITTEN);
    if (own->log_file && strcmp(own->log_file, "-") != 0)
        conf_places_key(d, &all, own->main, "log_file", own->log_file, PLACE_WRITTEN);
    if (own->db_path)
        conf_places_key(d, &all, own->database, "path", own->db_path, PLACE_WRITTEN);
    TAILQ_FOREACH(part, &d->parts, link)
    conf_places_part(d, &all, part);
    conf_places_judge(d, &all);
}

/* ---- those that are read ---- */

static void check_contents(struct conf_draft *d, const struct conf_part *part, const bool *sound)
{
    if (part->section == REPORTS_PRA) {
        conf_check_authority(d, part, sound, "ca_file");
        conf_check_line(d, part, sound, "client_secret_file", "");
    } else if (part->section == REPORTS_DATABASE) {
        conf_check_authority(d, part, sound, "ca_file");
        conf_check_line(d, part, sound, "password_file", "");
        conf_check_line(d, part, sound, "read_password_file", "");
    } else if (part->section == REPORTS_WEB) {
        conf_check_pair(d, part, sound, "tls_certificate", "tls_key");
        conf_check_authority(d, part, sound, "client_ca");
        conf_check_list(d, part, sound, "client_crl");
    }
}

static void check_part(struct conf_draft *d, const struct conf_part *part,
                       const struct safe_path_owners *owners)
{
    bool sound[CONF_ROWS_MAX] = {false};

    for (size_t i = 0; i < d->table->nrows; i++) {
        const struct conf_row *row = &d->table->rows[i];

        if (row->section != part->section || !(row->flags & CONF_FILE) ||
            (d->uses_file && !d->uses_file(row)))
            continue;
        sound[i] = conf_file_check(d, part, row);
        if (sound[i] && !conf_is_credential(conf_file_of(part, row)))
            conf_check_way(d, part->at[i], row->name, conf_file_of(part, row), owners);
    }
    check_contents(d, part, sound);
}

/* ---- all of it ---- */

void reports_check_files(struct conf_draft *d)
{
    struct own_paths own = own_paths(d);
    struct safe_path_owners owners = {.n = 0};
    struct conf_part *part;
    struct stat st;

    check_places(d, &own);
    safe_path_trust(&owners, geteuid());
    if (geteuid() == 0 && stat(own.state_dir, &st) == 0)
        safe_path_trust(&owners, st.st_uid);
    conf_check_way(d, 1, "this file", d->file, &owners);
    conf_check_way(d, own.main ? conf_part_line(own.main, "state_dir") : 1, "state_dir", own.state_dir,
                   &owners);
    if (own.main) {
        conf_check_folder(d, own.main, "log_file", own.log_file, &owners);
        conf_check_folder(d, own.main, "audit_file", own.audit_file, &owners);
    }
    if (own.db_path)
        conf_check_folder(d, own.database, "path", own.db_path, &owners);
    TAILQ_FOREACH(part, &d->parts, link)
    check_part(d, part, &owners);
}
