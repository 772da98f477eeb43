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

#include "base/json.h"
#include "commands/control.h"
#include "conf/conf.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX (1U << 20)
#define WAIT_MS    120000
#define READ_DEPTH 32

static int reload_failed(const char *what, const char *why)
{
    fprintf(stderr, "jumpgate: %s%s%s\n", what, *why ? ": " : "", why);
    return EXIT_FAILED;
}

static void print_names(const char *title, const cJSON *names)
{
    const cJSON *one;

    if (!cJSON_GetArraySize(names))
        return;
    puts(title);
    cJSON_ArrayForEach(one, names) printf("  %s\n", cJSON_IsString(one) ? one->valuestring : "");
}

static int print_verdict(int status, const cJSON *json)
{
    const cJSON *changed = json_get(json, "changed"), *restart = json_get(json, "restart");

    if (status == 409) {
        fprintf(stderr, "%s\n", json_text(json, "detail"));
        return reload_failed("the reload is refused; the gateway keeps the configuration it has", "");
    }
    if (status != 200 || !cJSON_IsTrue(json_get(json, "reloaded")))
        return reload_failed("the gateway does not reload", json_text(json, "detail"));
    puts(cJSON_GetArraySize(changed)
             ? "reloaded"
             : "reloaded; no key has changed (the files that keys name were read again)");
    print_names("changed:", changed);
    print_names("needs a restart:", restart);
    return EXIT_DONE;
}

static int judge_answer(const struct control_answer *answer)
{
    const char *why = NULL;
    cJSON *json = json_parse(answer->body.data, answer->body.len, READ_DEPTH, JSON_EXACT, &why);
    int code = cJSON_IsObject(json) ? print_verdict(answer->status, json)
                                    : reload_failed("the gateway's answer is not understood", "");

    cJSON_Delete(json);
    return code;
}

static int not_running(const char *state_dir)
{
    fprintf(stderr,
            "jumpgate: the gateway is not running: nothing answers on %s/control.sock; nothing was reloaded, "
            "and the next start reads the configuration\n",
            state_dir);
    return EXIT_FAILED;
}

static int ask_for_reload(const char *state_dir, int directory)
{
    struct control_client *client = control_client_new(directory, WAIT_MS);
    struct control_answer answer = {.status = 0};

    if (!client)
        return reload_failed("out of memory", "");
    int err = control_client_ask(client, "POST", "/v1/reload", NULL, &answer);
    int code = err == -ECONNREFUSED ? not_running(state_dir)
               : err                ? reload_failed("cannot ask the gateway over its control socket",
                                     *answer.why ? answer.why : strerror(-err))
                                    : judge_answer(&answer);

    control_answer_free(&answer);
    control_client_free(client);
    return code;
}

static int reload_at(const char *state_dir)
{
    int directory = control_directory(state_dir);

    if (directory == -ENOENT)
        return not_running(state_dir);
    if (directory < 0)
        return reload_failed(state_dir, strerror(-directory));
    int code = ask_for_reload(state_dir, directory);

    (void)close(directory);
    return code;
}

int command_reload(const struct command_args *args)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct conf *conf = NULL;
    bool sound = false;

    json_init();
    if (upstream_global_init())
        return reload_failed("libcurl cannot be initialised", "");
    if (conf_load_control(args->conf, &conf, &sound, &errors) && errors.len)
        (void)fwrite(errors.data, 1, errors.len, stderr);
    buf_free(&errors);
    int code = conf ? reload_at(conf->gateway.state_dir) : EXIT_FAILED;

    conf_free(conf);
    upstream_global_cleanup();
    int written = command_finish_output();
    return code ? code : written;
}
