/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - `jumpgate cluster list`: the gateways that share the store; see commands.h.
 *
 * The table is the member `cluster` of GET /status of the gateway on this machine. Where none runs, etcd is
 * read (members.h). The exit code judges it: a script that restarts one gateway after the other waits until
 * it is 0.
 */
#include "commands/commands.h"

#include "commands/cluster/members.h"
#include "commands/control_command.h"
#include "commands/print_table.h"
#include "commands/unit_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const titles[] = {"NODE", "STATE", "LEASES", "SILENT", "EPOCH", "VERSION", "CONFIG"};
#define COLUMNS (sizeof(titles) / sizeof(*titles))

/* Of the members, the one of the gateway that is asked. */
static const cJSON *own_member(const cJSON *cluster)
{
    const cJSON *one;

    cJSON_ArrayForEach(one, json_get(cluster, "members"))
    {
        if (strcmp(json_text(one, "node"), json_text(cluster, "node")) == 0)
            return one;
    }
    return NULL;
}

static enum terminal_style style_of(const char *state)
{
    return strcmp(state, "alive") == 0 ? STYLE_GOOD : strcmp(state, "leaving") == 0 ? STYLE_WARN : STYLE_BAD;
}

/* `certain`: etcd answers the gateway that is asked, which else knows what it has seen last. */
static void member_row(struct print_table *t, const cJSON *one, const cJSON *own, const char *own_digest,
                       bool certain)
{
    bool is_known = certain || one == own;
    const char *state = is_known ? json_text(one, "state") : "unknown",
               *digest = json_text(one, "config_digest");
    bool same = strcmp(digest, own_digest) == 0;

    print_table_cellf(t, STYLE_PLAIN, "%s%s", json_text(one, "node"), one == own ? " (this one)" : "");
    print_table_cell(t, style_of(state), state);
    print_table_cellf(t, STYLE_PLAIN, "%" PRId64, json_number(one, "leases"));
    if (is_known)
        print_table_cellf(t, STYLE_PLAIN, "%.1f s", (double)json_number(one, "silent_ms") / 1000);
    else
        print_table_cell(t, STYLE_PLAIN, NULL);
    print_table_cellf(t, STYLE_PLAIN, "%" PRId64, json_number(one, "epoch"));
    print_table_cell(t, STYLE_PLAIN, json_text(one, "version"));
    print_table_cell(t, same ? STYLE_PLAIN : STYLE_WARN,
                     !*digest || !*own_digest ? NULL
                     : same                   ? "same"
                                              : "differs");
}

static void print_etcd(const cJSON *cluster)
{
    const cJSON *store = json_get(cluster, "store");
    double trip_ms = cJSON_GetNumberValue(json_get(store, "round_trip_ms"));

    fputs("etcd: ", stdout);
    terminal_text(stdout, json_text(store, "endpoint"));
    if (json_number(store, "db_bytes"))
        printf(", database %.1f MB", (double)json_number(store, "db_bytes") / 1e6);
    if (trip_ms > 0)
        printf(", last transaction %.1f ms", trip_ms);
    putchar('\n');
}

static int print_table(const cJSON *cluster, const char *own_digest)
{
    struct print_table t = print_table_start(titles, COLUMNS);
    const cJSON *one, *own = own_member(cluster);

    cJSON_ArrayForEach(one, json_get(cluster, "members"))
        member_row(&t, one, own, own ? json_text(own, "config_digest") : own_digest,
                   cJSON_IsTrue(json_get(cluster, "certain")));
    return print_table_end(&t, stdout) ? command_failed("out of memory") : EXIT_DONE;
}

static void print_uncertain(const char *refusal)
{
    if (*refusal) {
        fputs("\netcd refuses this gateway: ", stdout);
        terminal_text(stdout, refusal);
    } else {
        fputs("\netcd has no quorum, or does not answer", stdout);
    }
    puts(": there are no check-outs, and what the other gateways do is unknown");
}

static int print_page(const cJSON *cluster)
{
    if (print_table(cluster, ""))
        return EXIT_FAILED;
    if (cJSON_IsTrue(json_get(cluster, "certain")))
        printf("\n%.1f s are left of the ttl without a further write\n",
               (double)json_number(cluster, "certain_left_ms") / 1000);
    else
        print_uncertain(json_text(cluster, "refusal"));
    print_etcd(cluster);
    printf("since its start: %" PRId64 " gateway(s) taken over, %" PRId64 " time(s) counted as dead itself\n",
           json_number(cluster, "adoptions"), json_number(cluster, "fenced"));
    return EXIT_DONE;
}

static int print_json(const cJSON *cluster)
{
    char *text = cJSON_PrintUnformatted(cluster);

    if (!text)
        return command_failed("out of memory");
    puts(text);
    cJSON_free(text);
    return EXIT_DONE;
}

static int judge(const cJSON *cluster)
{
    const cJSON *one;

    if (!cJSON_IsTrue(json_get(cluster, "certain")))
        return EXIT_ETCD_AWAY;
    if (!cJSON_GetArraySize(json_get(cluster, "members")))
        return EXIT_NOT_WHOLE;
    cJSON_ArrayForEach(one, json_get(cluster, "members"))
    {
        if (strcmp(json_text(one, "state"), "alive") != 0)
            return EXIT_NOT_WHOLE;
    }
    return EXIT_DONE;
}

static int show(const struct command_args *args, const cJSON *cluster, int (*page)(const cJSON *))
{
    int code = args_given(args, "--json") ? print_json(cluster) : page(cluster);

    return code ? code : judge(cluster);
}

/* ---- without a gateway ---- */

static int print_read(const cJSON *cluster)
{
    int n = cJSON_GetArraySize(json_get(cluster, "members"));

    if (!n)
        puts("no gateway is in the cluster");
    else if (print_table(cluster, json_text(cluster, "own_digest")))
        return EXIT_FAILED;
    if (*json_text(cluster, "moved")) {
        putchar('\n');
        terminal_text(stdout, json_text(cluster, "moved"));
    }
    if (json_number(cluster, "schema"))
        printf("\nschema %" PRId64 "\n", json_number(cluster, "schema"));
    else
        puts("\nno gateway has used this prefix yet");
    print_etcd(cluster);
    return EXIT_DONE;
}

static int read_cluster(struct store_command *c)
{
    cJSON *cluster = NULL;
    int code = cluster_read(c, &cluster);

    if (!code)
        code = show(c->args, cluster, print_read);
    cJSON_Delete(cluster);
    return code;
}

static int show_without_gateway(const struct command_args *args)
{
    struct store_command c;

    unit_command_run(args->conf, false);
    int code = store_command_begin(&c, args);

    if (!code)
        fputs("jumpgate: the gateway is not running; this is what etcd holds\n", stderr);
    if (!code)
        code = read_cluster(&c);
    store_command_end(&c);
    return code;
}

/* ---- both ---- */

static int show_status(struct control_command *c, const struct control_answer *answer)
{
    cJSON *status = answer->status >= 400 ? NULL : control_answer_json(answer);
    const cJSON *cluster = json_get(status, "cluster");
    int code = status ? EXIT_DONE : answer->status >= 400 ? control_refused(answer) : EXIT_FAILED;

    if (!code && !cJSON_IsObject(cluster))
        code = command_failed("the gateway has its store for itself: [store] has no `type = etcd`");
    if (!code)
        code = show(c->args, cluster, print_page);
    cJSON_Delete(status);
    return code;
}

static int show_cluster(struct control_command *c)
{
    struct control_answer answer;
    int code = control_ask(c, "GET", "/status", NULL, &answer);

    if (code == -ECONNREFUSED)
        code = c->conf->store.type == STORE_ETCD ? show_without_gateway(c->args) : control_not_running(c);
    else if (!code)
        code = show_status(c, &answer);
    control_answer_free(&answer);
    return code;
}

int command_cluster_list(const struct command_args *args)
{
    return control_command(args, show_cluster);
}
