/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_command.c - `check`: all mistakes of a configuration, and with --connect what sites and database
 * answer; see commands.h.
 *
 * A line of --connect is `WHAT: TOPIC: ANSWER`. Nothing is changed: no table is made, no session is asked
 * for.
 */
#include "base/json.h"
#include "base/memory/secret.h"
#include "loop/upstream/upstream.h"
#include "reports/commands/check_say.h"
#include "reports/commands/check_sites.h"
#include "reports/commands/commands.h"
#include "reports/commands/database.h"
#include "reports/commands/load.h"
#include "reports/db/schema.h"
#include "reports/db/verify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECRETS_MAX (4U << 20)

/* ---- the database ---- */

static bool check_schema(struct db *db, const struct reports_conf *conf)
{
    struct schema_state state;

    if (schema_state(db, &state) != DB_OK)
        return check_say(false, "database", "schema", "%s", db->error.text);
    if (!state.version && !state.foreign)
        return check_say(true, "database", "schema", "not there yet; `run` makes it%s",
                         conf->reports.collect ? "" : ", of a process with `collect` yes");
    if (schema_check(db) != DB_OK)
        return check_say(false, "database", "schema", "%s", db->error.text);
    return check_say(true, "database", "schema", "version %d", SCHEMA_VERSION);
}

/* The whole file of SQLite is read. A server verifies its own. */
static bool check_file(struct db *db)
{
    if (!db->ops->verify)
        return true;
    bool sound = db_verify_whole(db) == DB_OK;

    return check_say(sound, "database", "file", "%s", sound ? "not damaged" : db->error.text);
}

/* Can this login write? The transaction is rolled back. */
static bool check_writing(struct db *db)
{
    if (db->ops->begin(db, true) != DB_OK)
        return check_say(false, "database", "rights", "cannot write: %s", db->error.text);
    db->ops->rollback(db);
    return check_say(true, "database", "rights", "can write");
}

static bool check_writer(const struct database *d, const struct reports_conf *conf)
{
    struct db_error error = {.outcome = DB_OK};
    struct db *db = NULL;

    if (d->ops->open(&d->writer, &db, &error) != DB_OK)
        return check_say(false, "database", "connection", "%s", error.text);
    bool good = check_say(true, "database", "connection", "%s", db->dialect->name);

    good = check_file(db) && good;
    good = check_schema(db, conf) && good;
    good = check_writing(db) && good;
    d->ops->close(db);
    return good;
}

static bool check_reader(const struct database *d)
{
    struct db_error error = {.outcome = DB_OK};
    struct db *db = NULL;
    bool good;

    if (d->ops->open(&d->reader, &db, &error) != DB_OK)
        return check_say(false, "database", "reading login", "%s", error.text);
    good = db->ops->exec(db, "SELECT 1") == DB_OK;
    good = check_say(good, "database", "reading login", "%s", good ? "can read" : db->error.text);
    d->ops->close(db);
    return good;
}

/* A writer would make the file. */
static bool check_missing(const struct database *d, const struct reports_conf *conf)
{
    const char *dir = conf->reports.state_dir;

    if (access(dir, F_OK) && errno == ENOENT)
        return check_say(true, "database", "connection", "%s is not there yet; `run` makes it", dir);
    if (strncmp(d->writer.path, dir, strlen(dir)) == 0 && access(dir, W_OK))
        return check_say(false, "database", "rights", "%s: %s", dir, strerror(errno));
    return check_say(true, "database", "schema", "%s is not there yet; `run` makes it", d->writer.path);
}

static bool check_database(const struct reports_conf *conf)
{
    struct db_error error = {.outcome = DB_OK};
    struct database d;
    bool good;

    if (database_prepare(&d, conf, true, &error) != DB_OK)
        good = check_say(false, "database", "connection", "%s", error.text);
    else if (d.writer.path && access(d.writer.path, F_OK) && errno == ENOENT)
        good = check_missing(&d, conf);
    else {
        good = check_writer(&d, conf);
        if (conf->web.address.text)
            good = check_reader(&d) && good;
    }
    database_free(&d);
    return good;
}

/* ---- the command ---- */

static bool connect_all(const struct reports_conf *conf)
{
    char hint[256] = "";
    bool good;

    json_init();
    if (secret_open(SECRETS_MAX, hint) || upstream_global_init()) {
        (void)command_failed("out of memory");
        return false;
    }
    good = check_database(conf);
    good = check_connect_sites(conf) && good;
    upstream_global_cleanup();
    (void)secret_close();
    return good;
}

int reports_check_command(const struct command_args *args)
{
    struct reports_conf *conf;
    bool good = true;

    if (secret_init())
        return command_failed("OpenSSL is in use before its memory is wiped");
    conf = reports_load(args->conf);
    if (!conf)
        return EXIT_FAILED;
    printf("%s: ok\n", args->conf);
    if (args_given(args, "--connect"))
        good = connect_all(conf);
    reports_conf_free(conf);
    int written = command_finish_output();
    return good ? written : EXIT_FAILED;
}
