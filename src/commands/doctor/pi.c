/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pi.c - the stages of a vault of Privileged Identity: secrets, API, sign-in, clock; see pi.h.
 *
 * No check-out is made here. The one sign-in of the stage sign_in is signed out at the end.
 */
#include "commands/doctor/pi.h"

#include "backends/http_vault/http_vault.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ERRORS_MAX   (256U * 1024)
#define SKEW_BAD_MS  60000
#define SKEW_NOTE_MS 5000

static struct pi_doctor *of(struct doctor *d)
{
    return d->pi;
}

static void fault(struct doctor *d, const char *code)
{
    d->report.of[d->report.stage].fault = code;
}

/* ---- secrets ---- */

static bool read_password(struct pi_doctor *p)
{
    const char *path = p->conf->login_password_file;
    char why[80];

    if (!path || secret_read_line(&p->password, path, why) == 0)
        return true;
    report_failed(p->d, "login_password_file: %s %s", path, why);
    report_cause(p->d, "the file is not the one that was meant, or it was edited: a password is one line");
    report_remedy(p->d,
                  "write the password of login_name into the file again, one line, readable by the gateway's "
                  "user alone");
    return false;
}

bool pi_doctor_secrets(struct doctor *d)
{
    char why[256];

    if (secret_open(d->conf->gateway.secret_memory, why) || !(d->pi = calloc(1, sizeof(*d->pi)))) {
        report_unknown(d, "out of memory");
        return false;
    }
    d->pi->d = d;
    d->pi->conf = d->vault_conf;
    if (!read_password(d->pi))
        return false;
    if (d->vault_conf->client_certificate && !doctor_own_pair(d->vault_conf)) {
        report_failed(d, "client_certificate and client_key cannot be used together");
        report_cause(d, "one is not PEM, the key has a passphrase, or they do not belong together");
        report_remedy(d, "export certificate and key as PEM once more, the key without a passphrase");
        return false;
    }
    report_ok(d, "readable: %s%s",
              d->vault_conf->login_password_file ? "the password of login_name" : "no password is sent",
              d->vault_conf->client_certificate ? ", the client certificate and its key" : "");
    return true;
}

bool pi_doctor_mapping(struct doctor *d)
{
    report_unknown(d, "one identity, %s, signs in for everybody: no vault user is made of the PRA user",
                   d->vault_conf->login_name);
    return true;
}

/* ---- tables and connections ---- */

bool pi_doctor_open(struct doctor *d)
{
    struct pi_doctor *p = of(d);
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct upstream_opts opts = http_vault_upstream_opts(p->conf);
    char why[256] = "out of memory";
    int err = upstream_global_init();

    opts.url = p->conf->url;
    d->loop = err ? NULL : loop_new();
    p->profile = pi_profile_new(p->conf->profile);
    if (p->profile && p->conf->profile_file)
        err = pi_profile_load(p->profile, p->conf->profile_file, &errors);
    if (!err)
        err = pi_access_new(d->conf, p->conf, &p->access, &errors);
    if (!err && d->loop && p->profile)
        p->up = upstream_new(d->loop, &opts, why);
    if (!p->up) {
        const char *lines = errors.len ? buf_cstr(&errors) : NULL;

        report_failed(d, "the vault cannot be called: %.200s", lines ? lines : why);
    }
    buf_free(&errors);
    return p->up;
}

static void on_closed(void *arg)
{
    loop_stop(arg);
}

void pi_doctor_free(struct doctor *d)
{
    struct pi_doctor *p = d->pi;

    if (!p)
        return;
    if (p->up) {
        pi_doctor_sign_out(p);
        upstream_close(p->up, on_closed, d->loop);
        (void)loop_run(d->loop);
    }
    pi_profile_free(p->profile);
    pi_access_free(p->access);
    secret_clear(&p->password);
    secret_clear(&p->token);
    free(p);
    d->pi = NULL;
}

/* ---- API ---- */

bool pi_doctor_api(struct doctor *d)
{
    struct pi_seen seen;

    pi_doctor_page(of(d), &seen);
    bool there = !seen.err && (seen.status < 300 || seen.status == 401 || seen.status == 403);
    if (there) {
        report_ok(d, "%s/AuthService.svc answers: %s", d->vault_conf->base_path, seen.text);
        return true;
    }
    report_failed(d, "%s/AuthService.svc: %s", d->vault_conf->base_path, seen.text);
    if (seen.err) {
        report_cause(d, "%s",
                     d->proxied ? "the proxy does not let the gateway through, or the vault behind it is away"
                                : "something else than the vault listens there, or it is overloaded");
        report_remedy(d, "look at the web server of the vault, and at what is between it and this machine");
    } else if (seen.status >= 500) {
        report_cause(d, "the web service of the vault does not run, or its application pool has stopped");
        report_remedy(
            d, "open %s%s/AuthService.svc in a browser on the vault's machine: IIS says there what is wrong",
            d->vault_conf->url, d->vault_conf->base_path);
    } else {
        report_cause(d, "the SDK web service is not installed there, or `base_path` is not its path");
        report_remedy(d, "install ERPMWebService.exe on the vault, or correct `base_path` in [vault %s]",
                      d->vault_conf->name);
    }
    return false;
}

/* ---- sign-in ---- */

/* 2xx without a token, and without a sign of failure. */
static bool is_no_token(const struct pi_seen *seen)
{
    return !seen->err && seen->status / 100 == 2 && !seen->answer.fault.foreign && !seen->answer.failed;
}

static void explain_sign_in(struct doctor *d, const struct pi_seen *seen)
{
    const struct pi_answer *a = &seen->answer;

    if (a->class == PI_CLASS_MFA) {
        fault(d, "mfa");
        report_cause(d, "the identity %s must show a second factor", d->vault_conf->login_name);
        report_remedy(d, "exempt this identity from MFA in the vault; no code is ever sent");
    } else if (seen->status == 404 || (!a->own && a->fault.foreign)) {
        fault(d, "wrong_face");
        report_cause(d,
                     "the face %s of the service is not there, or something before it answers in its place",
                     d->vault_conf->profile);
        report_remedy(
            d, "try another `profile`, correct `base_path`, or replace the row sign_in in `profile_file`");
    } else if (is_no_token(seen)) {
        fault(d, "not_a_token");
        report_cause(d,
                     "the answer has no token where the row sign_in looks for it, and no words of a refusal");
        report_remedy(
            d, "compare the members of the answer with `answer` of the row sign_in; replace the row in "
               "`profile_file`");
    } else if (a->result == VAULT_REFUSED) {
        fault(d, "password_refused");
        report_cause(
            d,
            "the vault does not let %s in%s%s: its name or password is wrong, it is disabled or locked, or "
            "`authenticator` does not fit",
            d->vault_conf->login_name, d->vault_conf->authenticator ? " as one of " : "",
            d->vault_conf->authenticator ? d->vault_conf->authenticator : "");
        report_remedy(
            d, "sign in as that identity at the vault's web application; correct login_name, "
               "login_password_file or authenticator, and wait a minute between tries: identities lock out");
    } else {
        fault(d, "fault");
        report_cause(d, "the vault answers, but not in a form that says whether the sign-in was right");
        report_remedy(
            d, "look into the vault's own logs; then compare the answer with docs/privileged-identity.md");
    }
}

bool pi_doctor_sign_in(struct doctor *d)
{
    struct pi_doctor *p = of(d);
    struct pi_seen seen;

    pi_doctor_call(p, PI_SIGN_IN, NULL, &seen);
    bool in = !seen.err && seen.answer.result == VAULT_OK;
    if (in) {
        secret_move(&p->token, &seen.answer.secret);
        report_ok(d, "%s is let in", p->conf->login_name);
        report_note(d, "%s", seen.text);
        if (d->args->probe)
            checklist_note(&d->checklist, CHECK_TOKEN, CHECK_VERIFIED, NULL, "%s", seen.text);
    } else {
        report_failed(d, "the sign-in of %s fails: %s", p->conf->login_name, seen.text);
        if (seen.err) {
            fault(d, "fault");
            report_cause(d, "the connection to the vault was lost or was too slow");
            report_remedy(d, "try again; then look at the vault's web server");
        } else {
            explain_sign_in(d, &seen);
        }
        if (d->args->probe && is_no_token(&seen))
            checklist_note(&d->checklist, CHECK_TOKEN, CHECK_REFUTED, "[sign_in] answer = MEMBER", "%s",
                           seen.text);
    }
    pi_seen_free(&seen);
    return in;
}

void pi_doctor_sign_out(struct pi_doctor *p)
{
    struct pi_seen seen;

    if (!p->token.p)
        return;
    if (p->profile->row[PI_SIGN_OUT].certainty != PI_NONE) {
        pi_doctor_call(p, PI_SIGN_OUT, NULL, &seen);
        pi_seen_free(&seen);
    }
    secret_clear(&p->token);
}

/* ---- what this vault does not tell ---- */

bool pi_doctor_role(struct doctor *d)
{
    report_unknown(d, "the vault does not tell what a user may request: the map of the gateway decides");
    return true;
}

bool pi_doctor_policy(struct doctor *d)
{
    report_unknown(d, "the vault has no question for it; a check-out alone would show it, and none is made");
    return true;
}

/* ---- clock ---- */

void pi_doctor_clock(struct doctor *d)
{
    const struct pi_doctor *p = d->pi;

    if (!p || !p->has_skew) {
        report_unknown(d, "the vault's answers carry no date");
        return;
    }
    int64_t skew = p->skew_ms < 0 ? -p->skew_ms : p->skew_ms;
    if (skew < SKEW_BAD_MS) {
        report_ok(d, "%s", skew < SKEW_NOTE_MS ? "this machine and the vault agree" : "a few seconds apart");
        return;
    }
    report_failed(d, "the vault's clock is %" PRId64 " seconds %s this machine's", skew / 1000,
                  p->skew_ms < 0 ? "behind" : "ahead of");
    report_cause(d, "one of the two does not follow a time server");
    report_remedy(
        d, "look at `timedatectl` here and at the time source of the vault: certificates look expired, and "
           "times in the two audit trails do not fit");
}
