/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect_program.c - the collector as a process, without anything else: `collect-program FILE [once]
 * [SINCE]`. It ends by SIGTERM, or when the round is over with the exit code of the command.
 */
#include "base/json.h"
#include "base/memory/secret.h"
#include "reports/collecting/collecting.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct loop *loop;
static struct collecting *collecting;
static int code;

static void on_stopped(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void on_finished(void *arg, int exit_code)
{
    (void)arg;
    code = exit_code;
    collecting_stop(collecting, 10000, on_stopped, NULL);
}

static void on_term(void *arg, int signum)
{
    (void)signum;
    on_finished(arg, 0);
}

int main(int argc, char **argv)
{
    struct buf errors = BUF_INIT(65536);
    struct reports_conf *conf;
    struct db_error error;
    char why[256];

    if (argc < 2 || secret_init())
        return 2;
    json_init();
    if (reports_conf_load(argv[1], &conf, &errors)) {
        (void)fprintf(stderr, "%.*s", (int)errors.len, errors.data);
        buf_free(&errors);
        return 1;
    }
    const struct store_params params = {
        .ops = &db_sqlite,
        .db = {.path = conf->database.path, .busy_ms = 5000, .cache_kib = 16384},
        .vendor_indexes = conf->database.vendor_indexes,
        .migrate = true};
    struct report_store *store = store_open(&params, clock_wall(&clock_system) / 1000, &error);
    if (!store) {
        (void)fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    loop = loop_new();
    const struct collecting_params p = {.loop = loop,
                                        .conf = conf,
                                        .store = store,
                                        .once = argc > 2 && strcmp(argv[2], "once") == 0,
                                        .since = argc > 3 ? strtoll(argv[3], NULL, 10) : RECORD_NONE,
                                        .until = RECORD_NONE};
    collecting = collecting_open(&p, why);
    if (!collecting || collecting_start(collecting, on_finished, NULL)) {
        (void)fprintf(stderr, "%s\n", why);
        return 1;
    }
    (void)loop_on_signal(loop, SIGTERM, on_term, NULL);
    (void)puts("ready");
    (void)fflush(stdout);
    (void)loop_run(loop);
    collecting_free(collecting);
    store_close(store);
    (void)loop_free(loop);
    reports_conf_free(conf);
    buf_free(&errors);
    return code;
}
