/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload_command.c - `jumpgate reload`: asks the running gateway to read its configuration again, and waits
 * for the verdict; see commands.h.
 *
 * The gateway reads the file that it was started with; -c FILE only says where its control socket is. So a
 * file full of mistakes does not keep this command from reaching the gateway, which then names them. The
 * answer is waited for as long as it may take: every file that the configuration names is read.
 */
#include "commands/commands.h"
#include "commands/control_command.h"
#include "commands/line/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 120000

static void print_names(const char *title, const cJSON *names)
{
    const cJSON *one;

    if (!cJSON_GetArraySize(names))
        return;
    puts(title);
    cJSON_ArrayForEach(one, names)
    {
        fputs("  ", stdout);
        terminal_text(stdout, cJSON_IsString(one) ? one->valuestring : "");
        putchar('\n');
    }
}

static int print_success(const cJSON *json)
{
    const cJSON *changed = json_get(json, "changed");

    puts(cJSON_GetArraySize(changed)
             ? "reloaded"
             : "reloaded; no key has changed (the files that keys name were read again)");
    print_names("changed:", changed);
    print_names("needs a restart:", json_get(json, "restart"));
    return EXIT_DONE;
}

/* The detail has a line for each mistake; a terminal gets each without what it would obey. */
static int print_mistakes(const cJSON *json)
{
    const char *text = json_text(json, "detail");

    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        char *line = strndup(text, n);

        if (!line)
            return command_failed("out of memory");
        terminal_text(stderr, line);
        fputc('\n', stderr);
        free(line);
    }
    return command_failed("the reload is refused; the gateway keeps the configuration it has");
}

static int judge_answer(const struct control_answer *answer)
{
    if (answer->status != 200 && answer->status != 409)
        return control_refused(answer);
    cJSON *json = control_answer_json(answer);
    int code = !json ? EXIT_FAILED : answer->status == 409 ? print_mistakes(json) : print_success(json);

    cJSON_Delete(json);
    return code;
}

static int reload(struct control_command *c)
{
    struct control_answer answer;

    if (c->client && !control_client_wait(c->client, WAIT_MS))
        return command_failed("out of memory");
    int code = control_ask(c, "POST", "/v1/reload", NULL, &answer);

    if (code == -ECONNREFUSED)
        code = control_not_running(c);
    else if (!code)
        code = judge_answer(&answer);
    control_answer_free(&answer);
    return code;
}

int command_reload(const struct command_args *args)
{
    return control_command(args, reload);
}
