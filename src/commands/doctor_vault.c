/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_vault.c - the stages that use the gateway's own backend: API, sign-in, role, clock.
 *
 * The backend signs in and lists exactly as for a find, on a loop that runs until the answer has come. So a
 * result here is a result of the gateway.
 *
 * A vault answers 401 for eight different causes. Other observations narrow them down: the header that asks
 * for a second factor, 403 for the licence, the configuration, and the directory_user: if that user can sign
 * in with the same key from the same address, the cause is with the person.
 *
 * No check-out is made: the calls are sign-in, ManagedAccounts, AccessPolicies/Test and, as directory_user,
 * ManagedSystems.
 */
#include "commands/doctor_stages.h"

#include "backends/password_safe/password_safe.h"
#include "base/container_of.h"
#include "loop/upstream/upstream.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#define SKEW_BAD_MS  60000
#define SKEW_NOTE_MS 5000
#define PATIENCE_MS  2000 /* added to the backend's own timeouts */

/* ---- the loop ---- */

bool doctor_open(struct doctor *d)
{
    char why[256] = "out of memory";

    d->loop = upstream_global_init() ? NULL : loop_new();
    if (d->loop)
        d->vault = password_safe_new(d->loop, d->vault_conf, why);
    if (d->vault)
        return true;
    report_failed(d, "the vault's backend does not start: %s", why);
    return false;
}

static void on_closed(void *arg)
{
    loop_stop(arg);
}

void doctor_close(struct doctor *d)
{
    if (d->vault) {
        password_safe_close(d->vault, on_closed, d->loop);
        (void)loop_run(d->loop);
    }
    if (d->loop)
        (void)loop_free(d->loop);
    upstream_global_cleanup();
}

static void on_done(struct vault_call *call)
{
    struct doctor_call *waiting = CONTAINER_OF(call, struct doctor_call, call);

    waiting->done = true;
    loop_stop(waiting->loop);
}

static void prepare_call(struct doctor *d, const char *user, struct doctor_call *out)
{
    *out = (struct doctor_call){.loop = d->loop};
    out->call.user = user;
    out->call.timeout_ms = d->vault_conf->call_timeout_ms * (d->vault_conf->retries + 1);
    out->call.done = on_done;
}

static void wait_for(struct doctor_call *out, int err)
{
    if (err) {
        out->call.result = VAULT_FAILED;
        fault_set(&out->call.fault, FAULT_INTERNAL, "the call could not be made: %s", strerror(-err));
        return;
    }
    while (!out->done)
        (void)loop_run(out->loop);
}

void doctor_ask_list(struct doctor *d, const char *user, const struct account_query *query,
                     struct doctor_call *out)
{
    prepare_call(d, user, out);
    wait_for(out, d->vault->ops->list(d->vault, query, &out->call));
}

void doctor_ask_policy(struct doctor *d, const struct account *account, int64_t minutes,
                       struct doctor_call *out)
{
    prepare_call(d, d->user, out);
    wait_for(out,
             d->vault->ops->policy(d->vault, account->system_id, account->account_id, minutes, &out->call));
}

void doctor_ask_systems(struct doctor *d, const char *user, struct doctor_call *out)
{
    prepare_call(d, user, out);
    wait_for(out, d->vault->ops->directory ? d->vault->ops->directory(d->vault, DIRECTORY_SYSTEMS, &out->call)
                                           : -ENOTSUP);
}

/* ---- API ---- */

struct watch {
    struct loop_hook hook;
    struct deadline end;
    struct doctor *d;
};

static void on_iteration(struct loop_hook *hook)
{
    struct watch *watch = CONTAINER_OF(hook, struct watch, hook);
    struct vault_state state;

    watch->d->vault->ops->state(watch->d->vault, &state);
    if (state.known)
        loop_stop(watch->d->loop);
}

static void on_patience_over(struct deadline *end)
{
    struct watch *watch = CONTAINER_OF(end, struct watch, end);

    loop_stop(watch->d->loop);
}

/* Waits for the answer to the backend's own probe of the API's base. */
static void await_probe(struct doctor *d, struct vault_state *state)
{
    struct watch watch = {.hook = {.iteration = on_iteration}, .d = d};
    uint64_t limit = d->vault_conf->connect_timeout_ms + d->vault_conf->call_timeout_ms + PATIENCE_MS;

    loop_on_iteration(d->loop, &watch.hook);
    if (!timer_start(loop_timers(d->loop), &watch.end, limit, on_patience_over))
        (void)loop_run(d->loop);
    timer_stop(loop_timers(d->loop), &watch.end);
    loop_off_iteration(d->loop, &watch.hook);
    d->vault->ops->state(d->vault, state);
}

bool doctor_api(struct doctor *d)
{
    struct vault_state state;

    await_probe(d, &state);
    if (state.known && state.reachable) {
        report_ok(d, "the API's base answers");
        return true;
    }
    report_failed(d, "the API's base does not answer: %s", state.known ? state.detail : "not in time");
    report_cause(d, "%s",
                 d->proxied ? "the proxy does not let the gateway through, or the vault behind it is away, "
                              "or its certificate is refused"
                            : "something else than the vault listens there, or it is overloaded");
    report_remedy(d,
                  "open %s/ in a browser: a page of BeyondInsight or a plain HTTP error is right, anything "
                  "else is not the vault",
                  d->vault_conf->url);
    return false;
}

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
};

static enum verdict judge_registration(const struct refusal *f)
{
    return f->second_factor || f->others_get_in || f->status == 403 ? RULED_OUT : POSSIBLE;
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
    {"the Password Safe licence is not valid", "have the administrators look at the licence in BeyondInsight",
     judge_licence},
    {"the user is in no group with this API registration",
     "tick the API registration in the features of a group (the requesters group) and put the user into it",
     judge_person},
    {"the vault does not know the user by this name, or has him disabled",
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

static void explain_refusal(struct doctor *d, const struct refusal *f)
{
    const struct cause *first = NULL;
    size_t possible = 0;

    for (size_t i = 0; i < NCAUSES; i++) {
        enum verdict verdict = causes[i].judge(f);
        report_note(d, "%s: %s", verdicts[verdict], causes[i].text);
        possible += verdict >= POSSIBLE;
        if (!first && verdict >= POSSIBLE)
            first = &causes[i];
    }
    if (!first)
        return;
    report_cause(d, "%s%s", first->text, possible > 1 ? "; or another of those called possible above" : "");
    report_remedy(d, "%s%s", first->remedy,
                  possible < 2 ? ""
                  : f->others_get_in || f->others_refused
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
        .second_factor = fault->second_factor,
        .password = d->vault_conf->run_as_password_file != NULL,
    };

    report_failed(d, "the vault refuses the sign-in of every name tried (%d)", f.status);
    if (d->vault_conf->oauth_client_id) {
        explain_oauth(d);
        return;
    }
    ask_directory_user(d, &f);
    explain_refusal(d, &f);
}

/* The sign-in failed without a refusal by the vault. */
static void explain_broken(struct doctor *d, const struct fault *fault)
{
    if (fault->foreign && fault->vault_status < 500) {
        report_cause(d, "something between the gateway and the vault answers in the vault's place");
        report_remedy(d, "have the proxy, firewall or load balancer on the way let the gateway through to "
                         "the API; or the `url` is not that of the API");
    } else if (fault->code == FAULT_VAULT_REFUSED_USER && fault->vault_status) {
        report_cause(d, "the vault lets the user sign in and does not know the session afterwards");
        report_remedy(d, "give the load balancer before the vault stickiness by cookie");
    } else if (fault->code == FAULT_VAULT_REFUSED_USER) {
        report_cause(d, "the name that `run_as` makes of this user cannot be sent to the vault");
        report_remedy(d, "change `run_as`, `user_map` or the user's name");
    } else {
        report_cause(d, "the vault answers, but cannot do its work now");
        report_remedy(d, "try again; if it stays, the vault's own logs know more");
    }
}

static void report_broken(struct doctor *d, const struct fault *fault)
{
    if (blame_api(d, fault))
        return;
    report_failed(d, "%s", fault->detail);
    explain_broken(d, fault);
}

bool doctor_sign_in(struct doctor *d)
{
    struct account_query all = {.kind = KIND_NKINDS};
    struct fault last = {0};

    for (size_t i = 0; i < d->users.n; i++) {
        struct doctor_call asked;
        const char *user = d->users.user[i];
        doctor_ask_list(d, user, &all, &asked);
        if (asked.call.result == VAULT_OK) {
            d->user = user;
            d->all = account_list_ref(asked.call.accounts);
            vault_call_free(&asked.call);
            report_ok(d, "the vault lets %s in", user);
            return true;
        }
        bool is_refused = asked.call.result == VAULT_REFUSED;
        last = asked.call.fault;
        report_note(d, "%s: %s", user, is_refused ? "refused" : last.detail);
        vault_call_free(&asked.call);
        if (!is_refused) { /* as in the gateway, no other name takes the place of this one */
            report_broken(d, &last);
            return false;
        }
    }
    report_refusal(d, &last);
    return false;
}

/* ---- role ---- */

bool doctor_role(struct doctor *d)
{
    if (d->all->n) {
        report_ok(d, "%s may request %zu account%s", d->user, d->all->n, d->all->n == 1 ? "" : "s");
        return true;
    }
    report_failed(d, "the vault lets %s in but lists not one account (a valid answer: an empty list)",
                  d->user);
    report_cause(d, "no group of the user has the Requestor role on a Smart Rule with accounts, or none of "
                    "those accounts is enabled for API access");
    report_remedy(d, "give a group of the user the Requestor role and an access policy on the Smart Rule of "
                     "the accounts, and tick \"API enabled\" on these");
    return false;
}

/* ---- clock ---- */

void doctor_clock(struct doctor *d)
{
    struct vault_state state;
    int64_t skew;

    d->vault->ops->state(d->vault, &state);
    if (!state.skew_known) {
        report_unknown(d, "the vault's answers carry no date");
        return;
    }
    skew = state.skew_ms < 0 ? -state.skew_ms : state.skew_ms;
    if (skew < SKEW_BAD_MS) {
        report_ok(d, "%s", skew < SKEW_NOTE_MS ? "this machine and the vault agree" : "a few seconds apart");
        return;
    }
    report_failed(d, "the vault's clock is %" PRId64 " seconds %s this machine's", skew / 1000,
                  state.skew_ms < 0 ? "behind" : "ahead of");
    report_cause(d, "one of the two does not follow a time server");
    report_remedy(d, "look at `timedatectl` here and at the time source of the vault: leases end at wrong "
                     "times, certificates look expired");
}
