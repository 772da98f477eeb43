/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.c - `jumpgate cluster list`: the gateways that share the store, as the running one knows them; see
 * commands.h.
 *
 * The table is the member `cluster` of GET /status. The exit code judges it: a script that restarts one
 * gateway after the other waits until it is 0.
 */
#include "commands/commands.h"

#include "commands/control_command.h"
#include "commands/print_table.h"

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

static void member_row(struct print_table *t, const cJSON *one, const cJSON *own)
{
    const char *state = json_text(one, "state"), *digest = json_text(one, "config_digest");
    bool same = strcmp(digest, json_text(own, "config_digest")) == 0;

    print_table_cellf(t, STYLE_PLAIN, "%s%s", json_text(one, "node"), one == own ? " (this one)" : "");
    print_table_cell(t, style_of(state), state);
    print_table_cellf(t, STYLE_PLAIN, "%" PRId64, json_number(one, "leases"));
    print_table_cellf(t, STYLE_PLAIN, "%.1f s", (double)json_number(one, "silent_ms") / 1000);
    print_table_cellf(t, STYLE_PLAIN, "%" PRId64, json_number(one, "epoch"));
    print_table_cell(t, STYLE_PLAIN, json_text(one, "version"));
    print_table_cell(t, same ? STYLE_PLAIN : STYLE_WARN, !*digest || !own ? NULL : same ? "same" : "differs");
}

static int print_page(const cJSON *cluster)
{
    struct print_table t = print_table_start(titles, COLUMNS);
    const cJSON *one, *own = own_member(cluster), *store = json_get(cluster, "store");
    bool certain = cJSON_IsTrue(json_get(cluster, "certain"));

    cJSON_ArrayForEach(one, json_get(cluster, "members")) member_row(&t, one, own);
    if (print_table_end(&t, stdout))
        return command_failed("out of memory");
    if (certain)
        printf("\n%.1f s are left of the ttl without a further write\n",
               (double)json_number(cluster, "certain_left_ms") / 1000);
    else
        puts("\netcd has no quorum, or does not answer: there are no check-outs");
    fputs("etcd: ", stdout);
    terminal_text(stdout, json_text(store, "endpoint"));
    printf(", database %.1f MB, last transaction %.1f ms\n", (double)json_number(store, "db_bytes") / 1e6,
           cJSON_GetNumberValue(json_get(store, "round_trip_ms")));
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
    cJSON_ArrayForEach(one, json_get(cluster, "members"))
    {
        if (strcmp(json_text(one, "state"), "alive") != 0)
            return EXIT_NOT_WHOLE;
    }
    return EXIT_DONE;
}

static int show_cluster(struct control_command *c)
{
    cJSON *status = NULL;
    int code = control_ask_json(c, "GET", "/status", 0, &status);
    const cJSON *cluster = json_get(status, "cluster");

    if (!code && !cJSON_IsObject(cluster))
        code = command_failed("the gateway has its store for itself: [store] has no `type = etcd`");
    if (!code)
        code = args_given(c->args, "--json") ? print_json(cluster) : print_page(cluster);
    if (!code)
        code = judge(cluster);
    cJSON_Delete(status);
    return code;
}

int command_cluster_list(const struct command_args *args)
{
    return control_command(args, show_cluster);
}
