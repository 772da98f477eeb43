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

/* What is found of the schema. */
enum schema_found { SCHEMA_GOOD, SCHEMA_ABSENT, SCHEMA_WRONG };

static enum schema_found check_schema(struct db *db, const struct reports_conf *conf)
{
    struct schema_state state;

    if (schema_state(db, &state) == DB_OK && !state.version && !state.foreign) {
        check_say(true, "database", "schema", "not there yet; `run` makes it%s",
                  conf->reports.collect ? "" : ", of a process with `collect` yes");
        return SCHEMA_ABSENT;
    }
    if (db->error.outcome != DB_OK || schema_check(db) != DB_OK) {
        check_say(false, "database", "schema", "%s", db->error.text);
        return SCHEMA_WRONG;
    }
    check_say(true, "database", "schema", "version %d", SCHEMA_VERSION);
    return SCHEMA_GOOD;
}

/* The whole file of SQLite is read. A server verifies its own. */
static bool check_file(struct db *db)
{
    if (!db->ops->verify)
        return true;
    bool sound = db_verify_whole(db) == DB_OK;

    return check_say(sound, "database", "file", "%s", sound ? "not damaged" : db->error.text);
}

static bool check_writing(struct db *db)
{
    if (schema_may_write(db) != DB_OK)
        return check_say(false, "database", "rights", "cannot write: %s", db->error.text);
    return check_say(true, "database", "rights", "can write");
}

static bool check_writer(const struct database *d, const struct reports_conf *conf, enum schema_found *schema)
{
    struct db_error error = {.outcome = DB_OK};
    struct db *db = NULL;

    if (d->ops->open(&d->writer, &db, &error) != DB_OK)
        return check_say(false, "database", "connection", "%s", error.text);
    bool good = check_say(true, "database", "connection", "%s", db->dialect->name);

    good = check_file(db) && good;
    *schema = check_schema(db, conf);
    good = *schema != SCHEMA_WRONG && check_writing(db) && good;
    d->ops->close(db);
    return good;
}

static bool check_reader(const struct database *d, bool tables)
{
    struct db_error error = {.outcome = DB_OK};
    struct db *db = NULL;
    bool good;

    if (d->ops->open(&d->reader, &db, &error) != DB_OK)
        return check_say(false, "database", "reading login", "%s", error.text);
    if (tables)
        good = schema_may_read(db) == DB_OK;
    else
        good = db->ops->exec(db, "SELECT 1") == DB_OK;
    good = check_say(good, "database", "reading login", "%s",
                     !good    ? db->error.text
                     : tables ? "can read"
                              : "can sign in");
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
    enum schema_found schema = SCHEMA_WRONG;
    struct database d;
    bool good;

    if (database_prepare(&d, conf, true, &error) != DB_OK)
        good = check_say(false, "database", "connection", "%s", error.text);
    else if (database_is_missing(&d))
        good = check_missing(&d, conf);
    else {
        good = check_writer(&d, conf, &schema);
        if (conf->web.address.text)
            good = check_reader(&d, schema == SCHEMA_GOOD) && good;
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
    conf = reports_load(args->conf, REPORTS_FILES_ALL);
    if (!conf)
        return EXIT_FAILED;
    printf("%s: ok\n", args->conf);
    if (args_given(args, "--connect"))
        good = connect_all(conf);
    reports_conf_free(conf);
    int written = command_finish_output();
    return good ? written : EXIT_FAILED;
}
