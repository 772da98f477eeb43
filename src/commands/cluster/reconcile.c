/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reconcile.c - `jumpgate cluster reconcile`: the running gateway compares its requests with the vaults'
 * lists now; see commands.h.
 */
#include "commands/commands.h"

#include "commands/control_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int show_answer(struct control_command *c, const struct control_answer *answer, bool all)
{
    cJSON *json = control_answer_json(answer);

    if (!json)
        return EXIT_FAILED;
    if (args_given(c->args, "--json"))
        printf("%.*s\n", (int)answer->body.len, answer->body.data);
    else if (all)
        printf("begun, with the lists of %" PRId64
               " vault user(s) for whom this gateway has had requests; what is "
               "found is in its log and audit trail\n",
               json_number(json, "users"));
    else
        puts("begun; what is found is in the gateway's log and audit trail");
    cJSON_Delete(json);
    return EXIT_DONE;
}

static int reconcile(struct control_command *c)
{
    bool all = args_given(c->args, "--all-users");
    struct control_answer answer;
    int code = control_ask(c, "POST", "/v1/cluster/reconcile", all ? "{\"all_users\":true}" : NULL, &answer);

    if (code == -ECONNREFUSED)
        code = control_not_running(c);
    else if (!code)
        code = answer.status == 200 ? show_answer(c, &answer, all) : control_refused(&answer);
    control_answer_free(&answer);
    return code;
}

int command_cluster_reconcile(const struct command_args *args)
{
    return control_command(args, reconcile);
}
