/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sign_in.c - the stage sign_in: is some candidate of the user let in, and if none is, why not?
 *
 * A vault answers 401 for eight different causes. Other observations narrow them down: the header that asks
 * for a second factor, 403 for the licence, the configuration, the directory_user, and the running gateway.
 * If the directory_user can sign in with the same key from the same address, or the running gateway has had
 * sign-ins since its start, the cause is with the person. If the running gateway has had none, or cannot be
 * asked, the key comes first.
 *
 * A user that is let in proves nothing of the directory_user, without which the search for endpoints has no
 * hosts and ports: it is asked for the systems, and its failure is a warning.
 */
#include "commands/doctor/stages.h"

#include <inttypes.h>
#include <string.h>

/* ---- the API is to blame ---- */

/* A failed sign-in whose cause is the API: wrong path, disabled version. False = another cause. */
static bool blame_api(struct doctor *d, const struct fault *fault)
{
    int status = fault->vault_status;

    if (status != 404 && status != 410 && (status < 300 || status >= 400))
        return false;
    d->report.stage = STAGE_API;
    report_failed(d, "%s", fault->detail);
    if (status == 410) {
        report_cause(d, "version 3 of the public API has been disabled in BeyondInsight");
        report_remedy(d, "have the administrators enable it again");
    } else {
        report_cause(d, "the path of `url` is not that of the API");
        report_remedy(d, "it is usually https://HOST/BeyondTrust/api/public/v3");
    }
    return true;
}

/* ---- sign-in ---- */

/* One of the causes of a 401 or 403. */
enum verdict { RULED_OUT, UNLIKELY, POSSIBLE, CERTAIN };

struct refusal {
    int status;
    bool second_factor;
    bool others_get_in, others_refused; /* results of the directory_user */
    bool password;                      /* one is configured */
    int64_t let_in;                     /* sign-ins of the running gateway; -1 = not known */
};

static enum verdict judge_registration(const struct refusal *f)
{
    if (f->second_factor || f->others_get_in || f->status == 403)
        return RULED_OUT;
    return f->let_in > 0 ? UNLIKELY : POSSIBLE;
}

static enum verdict judge_person(const struct refusal *f)
{
    if (f->second_factor || f->status == 403)
        return RULED_OUT;
    return f->others_refused ? UNLIKELY : POSSIBLE;
}

static enum verdict judge_password(const struct refusal *f)
{
    if (f->second_factor || f->status == 403)
        return RULED_OUT;
    return f->others_get_in && !f->password ? RULED_OUT : POSSIBLE;
}

static enum verdict judge_factor(const struct refusal *f)
{
    return f->second_factor ? CERTAIN : RULED_OUT;
}

static enum verdict judge_licence(const struct refusal *f)
{
    return f->status == 403 ? CERTAIN : RULED_OUT;
}

/* The most specific first. */
static const struct cause {
    const char *text, *remedy;
    enum verdict (*judge)(const struct refusal *);
} causes[] = {
    {"multi-factor authentication (MFA) is enforced for this API registration and the user has a second "
     "factor",
     "turn \"Enforce multi-factor authentication\" off for the gateway's API registration: a gateway cannot "
     "answer it",
     judge_factor},
    {"the Password Safe licence is not valid",
     "have the administrators look at the licence in BeyondInsight; if it is valid, a proxy or a firewall on "
     "the "
     "way answers in the vault's place",
     judge_licence},
    {"the user is in no group with this API registration",
     "tick the API registration in the features of a group (the requesters group) and put the user into it",
     judge_person},
    {"the vault does not know the user by this name, or has the user disabled",
     "compare the name with the one in BeyondInsight; change `run_as`, `default_domain` or the account there",
     judge_person},
    {"the API key is wrong, was rotated, or its registration is not active",
     "copy the key from Configuration > API Registrations into api_key_file again", judge_registration},
    {"this machine's address is not among those the registration allows",
     "add the address (or that of the proxy or load balancer in between) to the registration's "
     "authentication rules",
     judge_registration},
    {"the registration wants a client certificate, and none or another one was shown",
     "set `client_certificate` and `client_key`, or turn \"Client Certificate Required\" off",
     judge_registration},
    {"the registration wants the user's password, and none or a wrong one was sent",
     "turn \"User Password Required\" off for the gateway's registration, or set `run_as_password_file`",
     judge_password},
};
#define NCAUSES (sizeof(causes) / sizeof(causes[0]))

static const char *const verdicts[] = {
    [RULED_OUT] = "ruled out", [UNLIKELY] = "unlikely", [POSSIBLE] = "possible", [CERTAIN] = "this is it"};

/* Can the directory_user sign in with the same key from the same address? */
static void ask_directory_user(struct doctor *d, struct refusal *f)
{
    const char *user = d->vault_conf->directory_user;
    struct account_query query = {.kind = KIND_NKINDS, .recent = true};
    struct doctor_call asked;

    if (!user || !*user || d->vault_conf->oauth_client_id || f->second_factor || f->status == 403)
        return;
    doctor_ask_list(d, user, &query, &asked);
    f->others_refused = asked.call.result == VAULT_REFUSED;
    f->others_get_in = asked.call.result == VAULT_OK;
    if (f->others_refused || f->others_get_in)
        report_note(d, "directory_user %s is %s", user,
                    f->others_get_in ? "let in with the same key: key and address are right"
                                     : "refused as well: the trouble is hardly with the person");
    vault_call_free(&asked.call);
}

/* ---- what the running gateway knows ---- */

static const cJSON *dependency_of(const cJSON *status, const char *name)
{
    const cJSON *row;

    cJSON_ArrayForEach(row, json_get(status, "dependencies"))
    {
        const char *text = json_text(row, "name");
        if (text && strcmp(text, name) == 0)
            return row;
    }
    return NULL;
}

/* Sign-ins that this vault has accepted since the gateway's start; -1 = not known. */
static int64_t ask_gateway(const struct doctor *d)
{
    cJSON *status;
    int64_t n = -1;

    (void)doctor_ask_gateway(d->conf, &status);
    if (!json_int(json_get(dependency_of(status, d->vault_conf->name), "sign_ins"), &n))
        n = -1;
    cJSON_Delete(status);
    return n;
}

static void ask_running_gateway(struct doctor *d, struct refusal *f)
{
    if (f->others_get_in || f->others_refused || f->second_factor || f->status == 403)
        return; /* it would add nothing */
    f->let_in = ask_gateway(d);
    if (f->let_in > 0)
        report_note(d,
                    "the running gateway has signed in %" PRId64 " time%s since its start: key and address "
                    "were right then",
                    f->let_in, f->let_in == 1 ? "" : "s");
    else if (f->let_in == 0)
        report_note(d, "the vault has accepted no sign-in since the running gateway's start");
    else
        report_note(d, "no running gateway tells whether the vault has accepted a sign-in with this key");
}

/* ---- the explanation ---- */

static const struct cause *cause_by(enum verdict (*judge)(const struct refusal *))
{
    for (size_t i = 0; i < NCAUSES; i++)
        if (causes[i].judge == judge)
            return &causes[i];
    return NULL;
}

/* With no sign-in to compare with, a wrong key is the more likely the fewer users were let in. */
static const struct cause *first_cause(const struct refusal *f)
{
    if (!f->others_get_in && f->let_in <= 0 && judge_registration(f) == POSSIBLE)
        return cause_by(judge_registration);
    for (size_t i = 0; i < NCAUSES; i++)
        if (causes[i].judge(f) >= POSSIBLE)
            return &causes[i];
    return NULL;
}

static const char *others_of(const struct refusal *f, size_t possible)
{
    if (possible < 2)
        return "";
    return f->let_in < 0 && !f->others_get_in && !f->others_refused
               ? "; or the user is in no group with this API registration; or another of those called "
                 "possible "
                 "above"
               : "; or another of those called possible above";
}

static void explain_refusal(struct doctor *d, const struct refusal *f)
{
    const struct cause *first = first_cause(f);
    size_t possible = 0;

    for (size_t i = 0; i < NCAUSES; i++) {
        enum verdict verdict = causes[i].judge(f);
        report_note(d, "%s: %s", verdicts[verdict], causes[i].text);
        possible += verdict >= POSSIBLE;
    }
    if (!first)
        return;
    report_cause(d, "%s%s", first->text, others_of(f, possible));
    report_remedy(d, "%s%s", first->remedy,
                  possible < 2 ? ""
                  : f->others_get_in || f->others_refused || f->let_in > 0
                      ? "; then go down the list"
                      : "; then go down the list. A directory_user in the configuration would tell whether "
                        "it is the person or the registration");
}

static void explain_oauth(struct doctor *d)
{
    report_cause(d, "the OAuth client id or its secret is wrong or expired, the application user is "
                    "disabled, or this machine's address is not allowed");
    report_remedy(d, "make a new client secret for the application user in BeyondInsight and put it into "
                     "oauth_client_secret_file");
}

static void report_refusal(struct doctor *d, const struct fault *fault)
{
    struct refusal f = {
        .status = fault->vault_status,
        .let_in = -1,
        .second_factor = fault->second_factor,
        .password = d->vault_conf->run_as_password_file != NULL,
    };

    if (fault->foreign) {
        report_failed(d, "the answer to the sign-in (%d) has no form that the vault uses", f.status);
        doctor_explain_fault(d, fault);
        return;
    }
    report_failed(d, "the vault refuses the sign-in of every name tried (%d)", f.status);
    if (d->vault_conf->oauth_client_id) {
        explain_oauth(d);
        return;
    }
    ask_directory_user(d, &f);
    ask_running_gateway(d, &f);
    explain_refusal(d, &f);
}

/* The sign-in failed without a refusal by the vault. */
static void report_broken(struct doctor *d, const struct fault *fault)
{
    if (blame_api(d, fault))
        return;
    report_failed(d, "%s", fault->detail);
    doctor_explain_fault(d, fault);
}

/* ---- the directory_user ---- */

/* Without the systems the search for endpoints has neither hosts nor ports. */
static void check_directory(struct doctor *d)
{
    const char *user = d->vault_conf->directory_user;
    struct doctor_call asked;

    if (!user || !*user)
        return;
    doctor_ask_systems(d, user, &asked);
    if (asked.call.result == VAULT_OK) {
        d->directory = asked.call.directory;
        asked.call.directory = NULL;
        report_note(d, "directory_user %s reads the vault's %zu systems", user,
                    d->directory ? d->directory->n : 0);
        vault_call_free(&asked.call);
        return;
    }
    report_warning(d, "the vault lets %s in, and directory_user %s does not read the vault's systems: %s",
                   doctor_acting(d), user,
                   asked.call.result == VAULT_REFUSED ? "its sign-in is refused" : asked.call.fault.detail);
    if (asked.call.result == VAULT_REFUSED) {
        report_cause(d,
                     "endpoint search has no hosts or ports: the vault does not know directory_user %s by "
                     "this name, has it disabled, or it is in no group with this API registration",
                     user);
        report_remedy(d, "compare the name with the one in BeyondInsight, and put it into a group with the "
                         "gateway's API registration");
    } else {
        report_cause(d, "endpoint search has no hosts or ports: the systems are read as directory_user %s",
                     user);
        report_remedy(d,
                      "give a group of %s the permission Managed System Management (read); else see the "
                      "detail",
                      user);
    }
    vault_call_free(&asked.call);
}

/* ---- the stage ---- */

/* A user was let in although the call failed: the call itself was answered, or the session is still there. */
static bool was_let_in(const struct doctor *d, const struct vault_call *call)
{
    struct vault_state state;

    if (call->result == VAULT_OK)
        return true;
    if (call->result != VAULT_FAILED || call->fault.code == FAULT_VAULT_REFUSED_USER)
        return false;
    d->vault->ops->state(d->vault, &state);
    return call->status || state.sessions;
}

static void take_list(struct doctor *d, const char *user, struct vault_call *call)
{
    d->user = user;
    if (call->result == VAULT_OK)
        d->all = account_list_ref(call->accounts);
    else
        d->list_fault = call->fault;
    if (d->vault_conf->oauth_client_id)
        report_ok(d, "the vault lets the application in; its identity is used for all users");
    else
        report_ok(d, "the vault lets %s in", user);
}

bool doctor_sign_in(struct doctor *d)
{
    struct account_query all = {.kind = KIND_NKINDS};
    struct fault last = {0};

    for (size_t i = 0; i < d->users.n; i++) {
        struct doctor_call asked;
        const char *user = d->users.user[i];
        doctor_ask_list(d, user, &all, &asked);
        if (was_let_in(d, &asked.call)) {
            take_list(d, user, &asked.call);
            vault_call_free(&asked.call);
            check_directory(d);
            return true;
        }
        bool is_refused = asked.call.result == VAULT_REFUSED;
        last = asked.call.fault;
        report_note(d, "%s: %s", user,
                    !is_refused    ? last.detail
                    : last.foreign ? "refused in no form of the vault's"
                                   : "refused");
        vault_call_free(&asked.call);
        if (!is_refused) { /* as in the gateway, no other name takes the place of this one */
            report_broken(d, &last);
            return false;
        }
    }
    report_refusal(d, &last);
    return false;
}
