/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export_command.c - `export`: the feed on standard output, and the next cursor as the last line on standard
 * error; see commands.h.
 *
 * Not here: the records and their order (query/feed_export.h).
 */
#include "base/memory/secret.h"
#include "reports/commands/commands.h"
#include "reports/commands/database.h"
#include "reports/commands/load.h"
#include "reports/query/feed_export.h"
#include "reports/query/query.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECRETS_MAX (4U << 20)
#define FOLLOW_MS   1000

static volatile sig_atomic_t stop;

static void on_signal(int signum)
{
    (void)signum;
    stop = 1;
}

/* Waiting and writing end with it. */
static void watch_signals(void)
{
    const struct sigaction act = {.sa_handler = on_signal};

    (void)sigaction(SIGTERM, &act, NULL);
    (void)sigaction(SIGINT, &act, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* ---- the request ---- */

static int read_request(const struct command_args *args, struct feed_request *request)
{
    const char *format = args_value(args, "--format"), *cursor = args_value(args, "--cursor");
    enum feed_dataset dataset;
    int code;

    if (!feed_dataset_named(args->words[0], &dataset))
        return args_wrong(args, "there is no dataset `%s`: sessions, events, accounts or syslog",
                          args->words[0]);
    *request = feed_request(dataset);
    if (format)
        (void)feed_format_named(format, &request->format); /* one of the row's choices */
    if (cursor && args_given(args, "--since"))
        return args_wrong(args, "--cursor and --since exclude each other");
    if (cursor && strlen(cursor) >= sizeof(request->cursor))
        return args_wrong(args, "--cursor is none of this program");
    if (cursor)
        (void)snprintf(request->cursor, sizeof(request->cursor), "%s", cursor);
    code = reports_moment(args, "--since", &request->since);
    return code ? code : reports_moment(args, "--until", &request->until);
}

/* ---- the export ---- */

static int export_from(const struct command_args *args, const struct reports_conf *conf, struct db *db,
                       const struct feed_request *request)
{
    const struct query_context ctx = {.now = time(NULL),
                                      .time_zone = conf->reports.time_zone,
                                      .all_hosts = true,
                                      .late_release = (int64_t)(conf->reports.late_release_ms / 1000),
                                      .unmatched_after = (int64_t)(conf->reports.unmatched_after_ms / 1000)};
    const struct feed_export opts = {.db = db,
                                     .ctx = &ctx,
                                     .request = *request,
                                     .fd = STDOUT_FILENO,
                                     .follow = args_given(args, "--follow"),
                                     .interval_ms = FOLLOW_MS,
                                     .stop = &stop};
    char cursor[FEED_CURSOR_SIZE] = "", why[DB_TEXT_SIZE] = "";
    int err = feed_export(&opts, cursor, why);
    int code = err ? command_failed(why) : EXIT_DONE;

    fprintf(stderr, "cursor=%s\n", cursor);
    return code;
}

static int say_missing(const char *what)
{
    char why[DB_TEXT_SIZE + 80];

    (void)snprintf(why, sizeof(why),
                   "%s: no round has been collected yet; `run` and `collect --once` collect", what);
    return reports_failed("database", why);
}

/* The tables are made when collecting begins. */
static int export_open(const struct command_args *args, const struct reports_conf *conf, struct db *db,
                       const struct feed_request *request)
{
    enum db_outcome outcome = db->ops->exec(db, "SELECT 1 FROM \"jg_schema\" WHERE 1 = 0");

    if (outcome == DB_OK)
        return export_from(args, conf, db, request);
    return outcome == DB_FAILED ? say_missing(db->error.text) : reports_failed("database", db->error.text);
}

static int open_and_export(const struct command_args *args, const struct reports_conf *conf,
                           const struct feed_request *request)
{
    struct db_error error = {.outcome = DB_OK};
    struct database database;
    struct db *db = NULL;
    int code;

    if (database_prepare(&database, conf, true, &error) != DB_OK)
        code = reports_failed("database", error.text);
    else if (database_is_missing(&database))
        code = say_missing(database.reader.path);
    else if (database.ops->open(&database.reader, &db, &error) != DB_OK)
        code = reports_failed("database", error.text);
    else
        code = export_open(args, conf, db, request);
    if (db)
        database.ops->close(db);
    database_free(&database);
    return code;
}

int reports_export(const struct command_args *args)
{
    struct feed_request request;
    struct reports_conf *conf;
    char hint[256] = "";
    int code = read_request(args, &request);

    if (code)
        return code;
    if (secret_init() || secret_open(SECRETS_MAX, hint))
        return command_failed("out of memory");
    conf = reports_load(args->conf, REPORTS_FILES_DATABASE);
    if (!conf)
        return EXIT_FAILED;
    watch_signals();
    code = open_and_export(args, conf, &request);
    reports_conf_free(conf);
    (void)secret_close();
    return code;
}
