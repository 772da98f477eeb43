/* SPDX-License-Identifier: Apache-2.0 */
/*
 * migrate_command.c - `migrate`: the schema of the database, its tallies and derived columns; see commands.h.
 *
 * With --recount the collector's lock is held, so that nothing is written meanwhile but what the recount
 * writes; with --dry-run beside it nothing is written at all.
 */
#include "base/memory/secret.h"
#include "reports/commands/commands.h"
#include "reports/commands/database.h"
#include "reports/commands/load.h"
#include "reports/commands/run/folders.h"
#include "reports/db/schema.h"
#include "reports/db/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAID_MAX    (1U << 20)
#define SECRETS_MAX (4U << 20)

struct migrate {
    const struct reports_conf *conf;
    struct database database;
    bool dry_run, recount;
};

/* ---- the schema ---- */

static int bring_up(struct migrate *m)
{
    const struct db_ops *ops = m->database.ops;
    struct db_error error = {.outcome = DB_OK};
    struct buf said = BUF_INIT(SAID_MAX);
    struct db *db = NULL;

    if (m->dry_run && database_is_missing(&m->database)) {
        printf("%s is not there: it would be made, with version %d\n", m->database.writer.path,
               SCHEMA_VERSION);
        return EXIT_DONE;
    }
    if (ops->open(&m->database.writer, &db, &error) != DB_OK)
        return reports_failed("database", error.text);
    enum db_outcome outcome = db_verify_whole(db);
    if (outcome == DB_OK)
        outcome = schema_migrate(db, time(NULL), m->database.vendor_indexes, m->dry_run, &said);

    if (said.len)
        (void)fwrite(said.data, 1, said.len, outcome == DB_OK ? stdout : stderr);
    int code = outcome == DB_OK ? EXIT_DONE : reports_failed("database", db->error.text);
    if (!code && !said.len)
        printf("the database is of version %d\n", SCHEMA_VERSION);
    ops->close(db);
    buf_free(&said);
    return code;
}

/* ---- tallies and derived columns ---- */

struct hours { /* of each site, for the columns that follow from them */
    struct working_hours **list;
    size_t n;
};

static void free_hours(struct hours *hours)
{
    for (size_t i = 0; i < hours->n; i++)
        working_hours_free(hours->list[i]);
    free(hours->list);
}

static bool set_hours(struct report_store *store, const struct reports_conf *conf, struct hours *hours)
{
    hours->list = calloc(conf->nsites + 1, sizeof(struct working_hours *));
    for (size_t i = 0; hours->list && i < conf->nsites; i++) {
        const struct reports_site *s = &conf->sites[i];
        char why[160] = "";
        struct working_hours *one = working_hours_new(s->time_zone, s->working_hours, why, sizeof(why));

        if (!one)
            return false;
        hours->list[hours->n++] = one;
        if (store_set_hours(store, s->host_name, one))
            return false;
    }
    return hours->list;
}

static enum db_outcome derive_again(struct report_store *store, bool dry_run, int64_t *changed)
{
    int64_t after = 0, some = 0;
    enum db_outcome outcome;

    *changed = 0;
    do {
        outcome = store_rederive(store, NULL, time(NULL), dry_run, &after, &some);
        *changed += outcome == DB_OK ? some : 0;
    } while (outcome == DB_OK && after);
    return outcome;
}

static int recount(struct report_store *store, bool dry_run)
{
    int64_t derived = 0, tallies = 0;

    if (derive_again(store, dry_run, &derived) != DB_OK || store_recount(store, dry_run, &tallies) != DB_OK)
        return reports_failed("database", store_error(store)->text);
    printf("derived columns: %" PRId64 " sessions %s\ntallies: %" PRId64 " rows %s\n", derived,
           dry_run ? "differ" : "changed", tallies, dry_run ? "differ" : "changed");
    return dry_run && (derived || tallies) ? EXIT_FAILED : EXIT_DONE;
}

static int recount_locked(struct migrate *m)
{
    struct db_error error = {.outcome = DB_OK};
    struct db_lock *lock = NULL;
    struct hours hours = {.n = 0};
    struct report_store *store = database_store(&m->database, false, &error);
    int code;

    if (!store)
        return reports_failed("database", error.text);
    if (!m->dry_run && database_lock(&m->database, store, "migrate", &lock, &error) != DB_OK)
        code = reports_failed("database", error.text);
    else if (!set_hours(store, m->conf, &hours))
        code = command_failed("out of memory");
    else
        code = recount(store, m->dry_run);
    db_lock_release(lock);
    store_close(store);
    free_hours(&hours);
    return code;
}

/* ---- the command ---- */

static int migrate(struct migrate *m)
{
    struct db_error error = {.outcome = DB_OK};
    char why[FOLDERS_WHY] = "";
    int code;

    if (database_prepare(&m->database, m->conf, true, &error) != DB_OK)
        return reports_failed("database", error.text);
    if (!m->dry_run && folders_make_state(m->conf, why))
        return reports_failed("state directory", why);
    code = bring_up(m);
    if (!code && m->recount && !(m->dry_run && database_is_missing(&m->database)))
        code = recount_locked(m);
    return code;
}

int reports_migrate(const struct command_args *args)
{
    struct migrate m = {.dry_run = args_given(args, "--dry-run"), .recount = args_given(args, "--recount")};
    char hint[256] = "";
    struct reports_conf *conf;

    if (secret_init() || secret_open(SECRETS_MAX, hint))
        return command_failed("out of memory");
    conf = reports_load(args->conf, REPORTS_FILES_DATABASE);
    if (!conf)
        return EXIT_FAILED;
    m.conf = conf;
    int code = migrate(&m);

    database_free(&m.database);
    reports_conf_free(conf);
    (void)secret_close();
    int written = command_finish_output();
    return code ? code : written;
}
