/* SPDX-License-Identifier: Apache-2.0 */
/*
 * own.c - the gateway's own side: who the gateway is, whether it runs, and the order of the stages.
 *
 * The gateway's user is `user` of [gateway]; else the process's own, or the owner of the state directory
 * where root runs the command.
 *
 * Not here: the stages (listener.c, certificate.c, state.c).
 */
#include "commands/doctor/own.h"

#include "commands/control.h"
#include "conf/conf.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_DEPTH 16
#define STATUS_MS    5000

/* ---- the running gateway ---- */

int doctor_ask_gateway(const struct conf *conf, cJSON **status)
{
    struct control_answer answer = {.status = 0};
    int directory = control_directory(conf->gateway.state_dir);
    struct control_client *client = directory < 0 ? NULL : control_client_new(directory, STATUS_MS);
    const char *why;
    int err = directory < 0 ? directory : client ? 0 : -ENOMEM;

    *status = NULL;
    if (!err)
        err = control_client_ask(client, "GET", "/status", NULL, &answer);
    if (!err && answer.status == 200)
        *status = json_parse(answer.body.data, answer.body.len, STATUS_DEPTH, JSON_DUPLICATES_OK, &why);
    control_answer_free(&answer);
    control_client_free(client);
    if (directory >= 0)
        (void)close(directory);
    return err;
}

static void find_gateway(struct own_side *own)
{
    cJSON *status;
    int err = doctor_ask_gateway(own->conf, &status);
    const char *digest = json_text(status, "config_digest");

    own->run = !err                                     ? GATEWAY_RUNS
               : err == -ECONNREFUSED || err == -ENOENT ? GATEWAY_STOPPED
                                                        : GATEWAY_NOT_KNOWN;
    own->d->report.stage = STAGE_LISTENER;
    if (*digest && strcmp(digest, own->conf->digest) != 0)
        report_note(own->d,
                    "the running gateway has another configuration: it has not been reloaded since the "
                    "file was changed");
    cJSON_Delete(status);
}

static void find_user(struct own_side *own)
{
    const struct conf_gateway *g = &own->conf->gateway;
    const struct passwd *pw = g->user ? getpwnam(g->user) : NULL;
    struct stat st;

    own->uid = geteuid();
    own->gid = getegid();
    if (pw) {
        own->uid = pw->pw_uid;
        own->gid = pw->pw_gid;
    } else if (own->uid == 0 && stat(g->state_dir, &st) == 0) {
        own->uid = st.st_uid;
        own->gid = st.st_gid;
    }
}

/* ---- the stages ---- */

static const struct {
    enum doctor_stage stage;
    void (*run)(struct own_side *);
} stages[] = {
    {STAGE_LISTENER, own_listeners},
    {STAGE_CERTIFICATE, own_certificates},
    {STAGE_STATE, own_state},
    {STAGE_DISK, own_disk},
};

void doctor_own(struct doctor *d)
{
    struct own_side own = {.d = d, .conf = doctor_written(d)};

    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]) && !own.conf; i++) {
        d->report.stage = stages[i].stage;
        report_unknown(d, "not looked at: the configuration has mistakes");
    }
    if (!own.conf)
        return;
    find_user(&own);
    find_gateway(&own);
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        d->report.stage = stages[i].stage;
        stages[i].run(&own);
    }
}
