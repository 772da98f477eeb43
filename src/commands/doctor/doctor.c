/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor.c - one find, dry: every stage between a PRA user and a credential, in order, until one fails.
 *
 *   configuration -> secrets -> mapping -> dns -> tcp -> tls -> api -> sign-in -> role -> list -> policy
 *   -> the store, where it is etcd -> clock
 *
 * A Privileged Identity has stages of its own (pi.h). With --probe only what it takes to probe it is done.
 *
 * The first failed stage is the last, and later stages stay unknown; only the store is looked at in any case,
 * and the clock whenever the vault has answered at all, since a wrong clock explains many failures. The
 * command needs no running gateway and does not affect one: it opens no journal, no listener and no audit
 * file, and its calls change nothing in the vault. It reads the configuration and the secrets, so it has to
 * run as the gateway's user or as root.
 *
 * Output is written to stdout in one piece at the end; only errors are logged.
 */
#include "commands/commands.h"

#include "base/json.h"
#include "base/log.h"
#include "base/memory/secret.h"
#include "base/sandbox.h"
#include "base/text.h"
#include "commands/doctor/pi.h"
#include "commands/doctor/stages.h"
#include "commands/unit_command.h"
#include "conf/conf.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTPUT_MAX (1U << 20)

/* The command holds secrets: wiped memory, no core file, no debugger of the same user. */
static bool harden_process(void)
{
    return !secret_init() && !sandbox_no_dumps() && signal(SIGPIPE, SIG_IGN) != SIG_ERR;
}

/* DOMAIN\U or U. */
static bool split_user(struct doctor *d)
{
    if (!d->args->user)
        return true;
    const char *user = d->args->user, *slash = strchr(user, '\\');

    d->username = strdup(slash ? slash + 1 : user);
    d->domain = slash && slash > user ? strndup(user, (size_t)(slash - user)) : NULL;
    return d->username && (d->domain || !slash || slash == user);
}

/* The host is set in every member of a jump item, so that all of `match` is tried. */
static void make_session(struct doctor *d)
{
    d->session = (struct session){
        .id = "doctor",
        .username = d->username,
        .domain = d->domain,
        .hostname = d->args->host,
        .computer_name = d->args->host,
        .name = d->args->host,
        .ip_address = text_is_ip(d->args->host) ? d->args->host : NULL,
    };
}

struct step {
    enum doctor_stage stage;
    bool (*run)(struct doctor *);
};

/* After the configuration: of a Password Safe. */
static const struct step password_safe[] = {
    {STAGE_SECRETS, doctor_secrets}, {STAGE_MAPPING, doctor_mapping}, {STAGE_DNS, doctor_dns},
    {STAGE_TCP, doctor_tcp},         {STAGE_TLS, doctor_tls},         {STAGE_SECRETS, doctor_open},
    {STAGE_API, doctor_api},         {STAGE_SIGN_IN, doctor_sign_in}, {STAGE_ROLE, doctor_role},
    {STAGE_LIST, doctor_list},       {STAGE_POLICY, doctor_policy},   {STAGE_N, NULL},
};

static const struct step privileged_identity[] = {
    {STAGE_SECRETS, pi_doctor_secrets},
    {STAGE_MAPPING, pi_doctor_mapping},
    {STAGE_DNS, doctor_dns},
    {STAGE_TCP, doctor_tcp},
    {STAGE_TLS, doctor_tls},
    {STAGE_SECRETS, pi_doctor_open},
    {STAGE_API, pi_doctor_api},
    {STAGE_SIGN_IN, pi_doctor_sign_in},
    {STAGE_ROLE, pi_doctor_role},
    {STAGE_LIST, pi_doctor_list},
    {STAGE_POLICY, pi_doctor_policy},
    {STAGE_N, NULL},
};

static const struct step probe[] = {
    {STAGE_SECRETS, pi_doctor_secrets},
    {STAGE_DNS, doctor_dns},
    {STAGE_TCP, doctor_tcp},
    {STAGE_TLS, doctor_tls},
    {STAGE_SECRETS, pi_doctor_open},
    {STAGE_API, pi_doctor_api},
    {STAGE_SIGN_IN, pi_doctor_sign_in},
    {STAGE_PROBE, pi_doctor_probe},
    {STAGE_N, NULL},
};

static bool run_steps(struct doctor *d, const struct step *step)
{
    for (; step->run; step++) {
        d->report.stage = step->stage;
        if (!step->run(d))
            return false;
    }
    return true;
}

static const struct step *steps_of(const struct doctor *d)
{
    return conf_is_privileged_identity(d->vault_conf) ? privileged_identity : password_safe;
}

/* The probe is of one type of vault alone. */
static bool may_probe(struct doctor *d)
{
    if (conf_is_privileged_identity(d->vault_conf))
        return true;
    report_failed(d, "--probe: vault %s is no Privileged Identity", d->vault_conf->name);
    report_cause(d, "only a vault of this type has details that a site must find out");
    report_remedy(d, "leave --probe out, or name another vault with --vault");
    return false;
}

static void run_probe(struct doctor *d)
{
    checklist_init(&d->checklist);
    d->report.checklist = &d->checklist;
    d->report.stage = STAGE_CONFIGURATION;
    if (doctor_configuration(d) && may_probe(d))
        (void)run_steps(d, probe);
}

/* The site's stages follow whatever the earlier ones found. */
static void run_site(struct doctor *d)
{
    const struct conf_pra *site = doctor_site(d);

    if (!site)
        return;
    d->report.site = site->name;
    doctor_pra(d);
}

static void run_stages(struct doctor *d)
{
    d->report.stage = STAGE_CONFIGURATION;
    if (doctor_configuration(d))
        (void)run_steps(d, steps_of(d));
    if (d->conf && d->conf->store.type == STORE_ETCD) {
        d->report.etcd = true;
        doctor_store(d);
    }
    d->report.stage = STAGE_CLOCK;
    if (d->report.of[STAGE_API].state == STATE_UNKNOWN)
        return;
    if (d->pi)
        pi_doctor_clock(d);
    else if (d->vault)
        doctor_clock(d);
}

static int print_findings(struct doctor *d)
{
    struct buf out = BUF_INIT(OUTPUT_MAX);
    bool well;

    if (d->args->json)
        report_json(&d->report, &out);
    else
        report_print(&d->report, &out);
    well = !out.failed && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_free(&out);
    if (well)
        return report_exit_code(&d->report);
    fputs("jumpgate: the findings could not be written\n", stderr);
    return EXIT_FAILED;
}

static void doctor_free(struct doctor *d)
{
    pi_doctor_free(d);
    doctor_close(d);
    account_list_unref(d->all);
    account_list_unref(d->on_host);
    directory_list_free(d->directory);
    usermap_free(&d->users);
    if (d->addresses)
        freeaddrinfo(d->addresses);
    report_free(&d->report);
    conf_free(d->conf);
    conf_free(d->site_conf);
    conf_free(d->written);
    free(d->username);
    free(d->domain);
    free(d);
}

static int examine(const struct doctor_args *args)
{
    struct doctor *d = calloc(1, sizeof(*d));
    int code = EXIT_FAILED;

    json_init();
    if (!d || !harden_process() || log_open(&(struct log_opts){.level = LOG_ERROR, .file = "-"})) {
        fputs("jumpgate: doctor cannot start\n", stderr);
        free(d);
        return EXIT_FAILED;
    }
    d->args = args;
    d->report.conf = args->conf;
    d->report.user = args->user;
    d->report.host = args->host;
    if (split_user(d)) {
        if (args->probe) {
            run_probe(d);
        } else if (args->pra) {
            d->report.stage = STAGE_CONFIGURATION;
            (void)doctor_site_configuration(d);
        } else {
            make_session(d);
            run_stages(d);
        }
        if (!args->probe)
            run_site(d);
        if (!args->pra && !args->probe)
            doctor_own(d);
        code = print_findings(d);
    }
    doctor_free(d);
    (void)secret_close();
    log_close();
    return code;
}

int command_doctor(const struct command_args *args)
{
    const struct doctor_args doctor = {
        .conf = args->conf,
        .user = args_value(args, "--user"),
        .host = args_value(args, "--host"),
        .vault = args_value(args, "--vault"),
        .json = args_given(args, "--json"),
        .pra = args_given(args, "--pra"),
        .probe = args_given(args, "--probe"),
        .access = args_value(args, "--access"),
    };

    if (doctor.pra && (doctor.user || doctor.host || doctor.vault))
        return args_wrong(args, "--pra looks at the site only, without --user, --host and --vault");
    if (doctor.probe && (doctor.pra || doctor.user || doctor.host || !doctor.vault))
        return args_wrong(args, "--probe needs --vault, and goes without --pra, --user and --host");
    if (doctor.access && !doctor.probe)
        return args_wrong(args, "--access belongs to --probe");
    if (doctor.access && !args_given(args, "--yes"))
        return args_wrong(
            args, "--access checks a credential out and in, and wants --yes: name an idle test account");
    if (!doctor.access && args_given(args, "--yes"))
        return args_wrong(args, "--yes belongs to --access");
    if (!doctor.pra && !doctor.probe && !(doctor.user && doctor.host))
        return args_wrong(args, "--user and --host are needed");
    unit_command_run(doctor.conf, false);
    return examine(&doctor);
}
