/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vault.c - the stages that use the gateway's own backend: API, role, clock; and its calls.
 *
 * The backend signs in and lists exactly as for a find, on a loop that runs until the answer has come. So a
 * result here is a result of the gateway.
 *
 * A list that failed after a sign-in is a fault of the stage role: the sign-in is in order.
 *
 * No check-out is made: the calls are sign-in, ManagedAccounts, AccessPolicies/Test and, as directory_user,
 * ManagedSystems.
 *
 * Not here: the sign-in and the causes of its refusal (sign_in.c).
 */
#include "commands/doctor/stages.h"

#include "base/container_of.h"
#include "commands/vault_kinds.h"
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
        d->vault = vault_kind_of(d->vault_conf->type)->open(d->loop, d->conf, d->vault_conf, why);
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
        vault_kind_of(d->vault_conf->type)->close(d->vault, on_closed, d->loop);
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
    wait_for(out, d->vault->ops->list ? d->vault->ops->list(d->vault, query, &out->call) : -ENOTSUP);
}

void doctor_ask_policy(struct doctor *d, const struct account *account, int64_t minutes,
                       struct doctor_call *out)
{
    prepare_call(d, d->user, out);
    wait_for(out, d->vault->ops->policy ? d->vault->ops->policy(d->vault, account->key, minutes, &out->call)
                                        : -ENOTSUP);
}

void doctor_ask_systems(struct doctor *d, const char *user, struct doctor_call *out)
{
    prepare_call(d, user, out);
    wait_for(out, d->vault->ops->directory ? d->vault->ops->directory(d->vault, DIRECTORY_SYSTEMS, &out->call)
                                           : -ENOTSUP);
}

const char *doctor_acting(const struct doctor *d)
{
    return d->vault_conf->oauth_client_id ? "the application" : d->user;
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

/* ---- a call that failed without a refusal ---- */

/* No vault answers a call with such a body: a machine before it does. */
static bool is_written_elsewhere(const struct fault *fault)
{
    return fault->foreign || (fault->code == FAULT_VAULT_ERROR && fault->vault_status / 100 == 2);
}

static void explain_page(struct doctor *d, const struct fault *fault)
{
    if (fault->vault_status >= 500) {
        report_cause(d,
                     "a page for browsers came with %d: the vault cannot do its work now, or is down or in "
                     "maintenance and a load balancer or a proxy answers in its place",
                     fault->vault_status);
        report_remedy(
            d, "ask whether the vault is in maintenance, and whether BeyondInsight opens in a browser; "
               "then see the logs of the vault and of the load balancer or proxy before it");
        return;
    }
    report_cause(d,
                 "something between the gateway and the vault answers in the vault's place: a proxy, a web "
                 "application firewall (WAF), a load balancer, or a page for a maintenance");
    report_remedy(d,
                  "have it let this machine through to the API under %s; or the `url` is not that of the API",
                  d->vault_conf->url);
}

void doctor_explain_fault(struct doctor *d, const struct fault *fault)
{
    if (is_written_elsewhere(fault)) {
        explain_page(d, fault);
    } else if (fault->code == FAULT_VAULT_REFUSED_USER && fault->vault_status) {
        report_cause(d, "the vault lets the user sign in and does not know the session afterwards");
        report_remedy(d, "give the load balancer before the vault stickiness by cookie");
    } else if (fault->code == FAULT_VAULT_REFUSED_USER) {
        report_cause(d, "the name that `run_as` makes of this user cannot be sent to the vault");
        report_remedy(d, "change `run_as`, `user_map` or the user's name");
    } else if (fault->too_large) {
        report_cause(d,
                     "the vault has more to list than `max_answer` in [vault %s] allows, or something "
                     "else than the vault answers",
                     d->vault_conf->name);
        report_remedy(d, "make `max_answer` larger: a list takes about 1k for each account");
    } else {
        report_cause(d, "the vault answers, but cannot do its work now");
        report_remedy(d, "try again; if it stays, look into the vault's own logs");
    }
}

/* ---- role ---- */

/* A find asks for one host at a time, so that its lists may fit all the same. */
static bool has_too_many(struct doctor *d)
{
    d->all = account_list_new();
    if (!d->all) {
        report_unknown(d, "out of memory");
        return false;
    }
    report_warning(d, "%s may request more accounts than fit into `max_answer`", doctor_acting(d));
    report_cause(d,
                 "the list of all accounts of this user is larger than `max_answer` in [vault %s]; a find "
                 "asks for one host at a time",
                 d->vault_conf->name);
    report_remedy(d, "none is needed while finds succeed; with a larger `max_answer` (about 1k for each "
                     "account) the doctor can name systems that are nearly the host");
    return true;
}

bool doctor_role(struct doctor *d)
{
    const struct fault *fault = &d->list_fault;

    if (fault->too_large)
        return has_too_many(d);
    if (fault_is_set(fault)) {
        report_failed(d, "the vault lets %s in and does not list accounts: %s", doctor_acting(d),
                      fault->detail);
        doctor_explain_fault(d, fault);
        return false;
    }
    if (d->all->n) {
        report_ok(d, "%s may request %zu account%s", doctor_acting(d), d->all->n, d->all->n == 1 ? "" : "s");
        return true;
    }
    report_failed(d, "the vault lets %s in but lists not one account (a valid answer: an empty list)",
                  doctor_acting(d));
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
