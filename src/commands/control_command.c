/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control_command.c - a command that asks the running gateway; see control_command.h.
 */
#include "commands/control_command.h"

#include "base/memory/secret.h"
#include "commands/line/terminal.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX (1U << 20)
#define READ_DEPTH 32
#define GRACE_MS   5000 /* added to the gateway's own timeout */

/* ---- calls ---- */

cJSON *control_answer_json(const struct control_answer *answer)
{
    const char *why = NULL;
    cJSON *json = json_parse(answer->body.data, answer->body.len, READ_DEPTH, JSON_EXACT, &why);

    if (cJSON_IsObject(json))
        return json;
    (void)command_failed("the gateway's answer is not understood");
    cJSON_Delete(json);
    return NULL;
}

int control_refused(const struct control_answer *answer)
{
    cJSON *problem = control_answer_json(answer);
    const char *detail = json_text(problem, "detail");

    if (problem) {
        fprintf(stderr, "jumpgate: the gateway answers %d: ", answer->status);
        terminal_text(stderr, *detail ? detail : "no reason given");
        fputc('\n', stderr);
    }
    cJSON_Delete(problem);
    return EXIT_FAILED;
}

int control_not_running(const struct control_command *c)
{
    fprintf(stderr,
            "jumpgate: the gateway is not running: nothing answers on %s/control.sock\n"
            "  under systemd, `systemctl status jumpgate` and `journalctl -u jumpgate -n 50` say why;\n"
            "  `jumpgate check -c %s` says whether it could start\n",
            c->conf->gateway.state_dir, c->args->conf);
    if (!c->conf_sound)
        fprintf(stderr, "  %s has mistakes: a gateway that was started before them may run elsewhere\n",
                c->args->conf);
    return EXIT_FAILED;
}

int control_ask(struct control_command *c, const char *method, const char *target, const char *body,
                struct control_answer *answer)
{
    *answer = (struct control_answer){.status = 0};
    int err = c->client ? control_client_ask(c->client, method, target, body, answer) : -ECONNREFUSED;

    if (!err || err == -ECONNREFUSED)
        return err;
    fprintf(stderr, "jumpgate: cannot ask the gateway over its control socket: %s\n",
            *answer->why ? answer->why : strerror(-err));
    return EXIT_FAILED;
}

int control_ask_json(struct control_command *c, const char *method, const char *target, int also, cJSON **out)
{
    struct control_answer answer;
    int code = control_ask(c, method, target, NULL, &answer);

    *out = NULL;
    if (code == -ECONNREFUSED)
        code = control_not_running(c);
    else if (!code && answer.status >= 400 && answer.status != also)
        code = control_refused(&answer);
    else if (!code)
        *out = control_answer_json(&answer);
    control_answer_free(&answer);
    return code ? code : *out ? EXIT_DONE : EXIT_FAILED;
}

/* ---- the command ---- */

static void load_conf(struct control_command *c)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);

    if (conf_load_control(c->args->conf, &c->conf, &c->conf_sound, &errors) && errors.len)
        (void)fwrite(errors.data, 1, errors.len, stderr);
    buf_free(&errors);
}

bool control_conf_sound(const struct control_command *c)
{
    if (!c->conf_sound)
        fprintf(stderr, "jumpgate: [gateway] in %s has mistakes; `jumpgate check -c %s` names them\n",
                c->args->conf, c->args->conf);
    return c->conf_sound;
}

static int run_with(struct control_command *c, int (*work)(struct control_command *))
{
    int directory = control_directory(c->conf->gateway.state_dir);

    if (directory < 0 && directory != -ENOENT) {
        fprintf(stderr, "jumpgate: %s: %s\n", c->conf->gateway.state_dir, strerror(-directory));
        return EXIT_FAILED;
    }
    if (directory >= 0)
        c->client = control_client_new(directory, c->conf->gateway.request_timeout_ms + GRACE_MS);
    int code = directory >= 0 && !c->client ? command_failed("out of memory") : work(c);

    control_client_free(c->client);
    if (directory >= 0)
        (void)close(directory);
    return code;
}

int control_command(const struct command_args *args, int (*work)(struct control_command *))
{
    struct control_command c = {.args = args};

    json_init();
    if (secret_init() || upstream_global_init()) /* a command may go on with etcd's password */
        return command_failed("libcurl cannot be initialised");
    load_conf(&c);
    int code = c.conf ? run_with(&c, work) : EXIT_FAILED;

    conf_free(c.conf);
    upstream_global_cleanup();
    int written = command_finish_output();
    return code ? code : written;
}
