/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pi_probe.c - the probe: what of the checklist can be found out by calls; see pi.h.
 *
 *     check-out --> check-out --> check-in --> check-in (--> check-in) --> sign-out, check-out with the dead
 * token
 *
 * It is done with one credential that the operator names, an idle test account, and only while the gateway's
 * store has no row of it. Whatever a step shows: at the end check-ins follow until the vault says that
 * nothing is left, or they are confirmed as often as there were check-outs.
 */
#include "commands/doctor/pi.h"

#include "stores/sqlite.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BACK_MAX 4 /* check-ins at the end */

struct probe {
    struct pi_doctor *p;
    struct checklist *list;
    const struct pi_credential *credential;
    enum pi_operation out, in;
    size_t may_be_out; /* check-outs that were answered or lost, less the check-ins that were done */
    bool repeated;     /* the second check-out gave the password */
};

/* ---- may it be done? ---- */

struct looked_for {
    const char *vault, *key;
    bool found;
};

static int on_request(void *arg, const struct request_row *row)
{
    struct looked_for *l = arg;

    l->found |= strcmp(row->vault, l->vault) == 0 && strcmp(row->name, l->key) == 0;
    return 0;
}

static int on_lease(void *arg, const struct lease_row *row)
{
    (void)arg;
    (void)row;
    return 0;
}

static int on_cursor(void *arg, const struct cursor_row *row)
{
    (void)arg;
    (void)row;
    return 0;
}

/* The gateway has not run yet. */
static bool has_no_store(const struct doctor *d)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/" SQLITE_STORE_FILE, d->conf->gateway.state_dir);
    return access(path, F_OK) != 0 && errno == ENOENT;
}

/* The store of this gateway, whether it runs or not. No store: no row. */
static bool is_free(struct doctor *d, const struct pi_credential *c)
{
    static const struct store_reader reader = {.request = on_request, .lease = on_lease, .cursor = on_cursor};
    char key[PI_KEY_SIZE], why[320] = "";
    struct looked_for l = {.vault = d->vault_conf->name, .key = key};

    if (pi_request_key(d->vault_conf->login_name, d->vault_conf->authenticator, c, key)) {
        report_failed(d, "out of memory");
        return false;
    }
    if (has_no_store(d))
        return true;
    if (sqlite_store_read(d->conf->gateway.state_dir, &reader, &l, why)) {
        report_failed(d, "--access: the lease store cannot be read: %s", why);
        report_cause(d,
                     "without it the doctor cannot know whether the gateway has this credential checked out");
        report_remedy(d, "run the command as the gateway's user or as root");
        return false;
    }
    if (!l.found)
        return true;
    report_failed(d, "--access %s: the gateway has a row of this credential", d->args->access);
    report_cause(d, "it is checked out, or is being given back: the probe would end that check-out");
    report_remedy(d, "name an idle test account, or wait until `jumpgate leases list` does not have it");
    return false;
}

static const struct pi_credential *credential_of(struct doctor *d)
{
    for (size_t i = 0; i < d->conf->naccesses; i++) {
        const struct conf_access *a = &d->conf->accesses[i];
        char key[PI_KEY_SIZE];

        if (strcmp(a->name, d->args->access) != 0 || conf_access_vault(d->conf, a) != d->vault_conf)
            continue;
        return pi_access_key(a, key) ? NULL : pi_access_credential(d->pi->access, key);
    }
    return NULL;
}

/* ---- the steps ---- */

static void note_step(struct probe *b, const char *step, const struct pi_seen *seen)
{
    report_note(b->p->d, "%s: %s", step, seen->text);
}

static bool is_out(const struct pi_seen *seen)
{
    return !seen->err && seen->answer.result == VAULT_OK;
}

/* May the check-out have taken effect? */
static bool may_be_out(const struct pi_seen *seen)
{
    return seen->err ? seen->sent : seen->answer.result == VAULT_OK || seen->answer.unknown;
}

static void check_first(struct probe *b, const struct pi_seen *seen)
{
    enum checklist_item item = b->credential->shared ? CHECK_SHARED : CHECK_STORED;
    const struct doctor *d = b->p->d;

    if (is_out(seen))
        checklist_note(b->list, item, CHECK_VERIFIED, NULL, "%s", seen->text);
    else if (seen->answer.class == PI_CLASS_CONFLICT)
        checklist_note(b->list, item, CHECK_OPEN, NULL, "%s", seen->text);
    else
        checklist_note(b->list, item, seen->err ? CHECK_OPEN : CHECK_REFUTED,
                       seen->err ? NULL : "the names of the [access] section, or the row of the check-out",
                       "%s", seen->text);
    if (seen->answer.class == PI_CLASS_CONFLICT && strcasestr(seen->text, d->vault_conf->login_name)) {
        report_warning(b->p->d, "the credential is checked out under the gateway's own name %s",
                       d->vault_conf->login_name);
        report_cause(b->p->d, "another program, or a second gateway, signs in by this name");
        report_remedy(
            b->p->d, "give each gateway an identity of its own: two of one name end each other's check-outs");
    }
}

static void check_second(struct probe *b, const struct pi_seen *seen)
{
    bool wanted = b->p->conf->repeat_checkout;

    b->repeated = is_out(seen);
    if (b->repeated)
        checklist_note(b->list, CHECK_REPEAT, wanted ? CHECK_VERIFIED : CHECK_OPEN,
                       wanted ? NULL : "repeat_checkout = yes is possible", "%s", seen->text);
    else if (!seen->err && !seen->answer.unknown)
        checklist_note(b->list, CHECK_REPEAT, wanted ? CHECK_REFUTED : CHECK_VERIFIED,
                       wanted ? "repeat_checkout = no" : NULL, "%s", seen->text);
    else
        checklist_note(b->list, CHECK_REPEAT, CHECK_OPEN, NULL, "%s", seen->text);
}

static bool is_done(const struct pi_seen *seen)
{
    return !seen->err && seen->answer.result == VAULT_OK;
}

static bool is_gone(const struct pi_seen *seen)
{
    return !seen->err && seen->answer.result == VAULT_GONE;
}

static void check_checkin(struct probe *b, const struct pi_seen *seen)
{
    if (is_done(seen))
        checklist_note(b->list, CHECK_CHECKIN, CHECK_VERIFIED, NULL, "%s", seen->text);
    else if (seen->err)
        checklist_note(b->list, CHECK_CHECKIN, CHECK_OPEN, NULL, "%s", seen->text);
    else
        checklist_note(b->list, CHECK_CHECKIN, CHECK_REFUTED,
                       seen->answer.own ? "[texts] done = \"words\"" : "path of the row of the check-in",
                       "%s", seen->text);
}

/* The second check-in came after as many check-outs as `repeated` says. */
static void check_checkins(struct probe *b, const struct pi_seen *second, const struct pi_seen *third)
{
    bool each = b->p->conf->checkin_each;

    if (is_gone(second)) {
        checklist_note(b->list, CHECK_ABSENT_CHECKIN, CHECK_VERIFIED, NULL, "%s", second->text);
        if (b->repeated)
            checklist_note(b->list, CHECK_CHECKINS, each ? CHECK_REFUTED : CHECK_VERIFIED,
                           each ? "checkin_calls = one" : NULL, "the second check-in: %s", second->text);
    } else if (b->repeated && is_done(second) && third && is_gone(third)) {
        checklist_note(b->list, CHECK_CHECKINS, each ? CHECK_VERIFIED : CHECK_REFUTED,
                       each ? NULL : "checkin_calls = each", "the third check-in: %s", third->text);
        checklist_note(b->list, CHECK_ABSENT_CHECKIN, CHECK_VERIFIED, NULL, "%s", third->text);
    } else if (is_done(second)) {
        checklist_note(b->list, CHECK_ABSENT_CHECKIN, CHECK_VERIFIED, NULL,
                       "a check-in of what is not checked out is answered like any other: %s", second->text);
        checklist_note(b->list, CHECK_CHECKINS, CHECK_OPEN, NULL, "the answers do not tell");
    } else if (!second->err) {
        checklist_note(b->list, CHECK_ABSENT_CHECKIN, CHECK_REFUTED, "[texts] gone = \"words\"", "%s",
                       second->text);
    }
}

static void check_in(struct probe *b, const char *step, struct pi_seen *seen)
{
    pi_doctor_call(b->p, b->in, b->credential, seen);
    note_step(b, step, seen);
    if (is_gone(seen))
        b->may_be_out = 0;
    else if (is_done(seen) && b->may_be_out)
        b->may_be_out--;
}

static bool check_out(struct probe *b, const char *step,
                      void (*check)(struct probe *, const struct pi_seen *))
{
    struct pi_seen seen;

    pi_doctor_call(b->p, b->out, b->credential, &seen);
    note_step(b, step, &seen);
    b->may_be_out += may_be_out(&seen);
    check(b, &seen);
    bool out = is_out(&seen);
    pi_seen_free(&seen);
    return out;
}

static void check_ins(struct probe *b)
{
    struct pi_seen first, second, third;

    check_in(b, "check-in", &first);
    check_checkin(b, &first);
    check_in(b, "check-in again", &second);
    bool again = b->repeated && is_done(&second);
    if (again)
        check_in(b, "check-in once more", &third);
    check_checkins(b, &second, again ? &third : NULL);
    pi_seen_free(&first);
    pi_seen_free(&second);
    if (again)
        pi_seen_free(&third);
}

/* A dead token that gives a password is no token of one session. */
static void check_dead(struct probe *b, const struct pi_seen *seen)
{
    if (seen->err || seen->answer.unknown)
        checklist_note(b->list, CHECK_DEAD_TOKEN, seen->err ? CHECK_OPEN : CHECK_REFUTED,
                       seen->err ? NULL : "[texts] token = \"words\"", "%s", seen->text);
    else if (seen->answer.token_refused)
        checklist_note(b->list, CHECK_DEAD_TOKEN, CHECK_VERIFIED, NULL, "%s", seen->text);
    else
        checklist_note(b->list, CHECK_DEAD_TOKEN, CHECK_REFUTED,
                       is_out(seen) ? "a signed-out token still works" : "[texts] token = \"words\"", "%s",
                       seen->text);
}

static void use_dead_token(struct probe *b)
{
    struct secret dead = {0};
    struct pi_seen seen;

    if (secret_set(&dead, b->p->token.p, b->p->token.len))
        return;
    pi_doctor_sign_out(b->p);
    secret_move(&b->p->token, &dead);
    (void)check_out(b, "check-out with a dead token", check_dead);
    secret_clear(&b->p->token);
    pi_doctor_call(b->p, PI_SIGN_IN, NULL, &seen);
    if (!seen.err && seen.answer.result == VAULT_OK)
        secret_move(&b->p->token, &seen.answer.secret);
    pi_seen_free(&seen);
}

/* The end is the same whatever was seen: nothing is left checked out, or it is said. */
static void give_back(struct probe *b)
{
    struct pi_seen seen;

    for (int i = 0; i < BACK_MAX && b->may_be_out; i++) {
        check_in(b, "check-in at the end", &seen);
        pi_seen_free(&seen);
    }
    if (!b->may_be_out)
        return;
    report_warning(b->p->d, "the credential may still be checked out");
    report_cause(b->p->d, "its check-in was not confirmed");
    report_remedy(b->p->d, "check %s in at the vault's web application", b->credential->full_account);
}

static void walk(struct probe *b)
{
    bool out = check_out(b, "check-out", check_first);

    if (out) {
        (void)check_out(b, "check-out again", check_second);
        check_ins(b);
        use_dead_token(b);
    }
    give_back(b);
}

/* ---- all of it ---- */

static bool is_usable(struct doctor *d, enum pi_operation op)
{
    if (pi_row_allowed(&d->pi->profile->row[op], true))
        return true;
    report_failed(d, "--access %s: the row %s is none in profile %s", d->args->access, pi_operation_name(op),
                  d->pi->profile->name);
    report_remedy(d, "write the row into `profile_file`");
    return false;
}

static bool probe_access(struct doctor *d)
{
    const struct pi_credential *c = credential_of(d);
    enum doctor_stage stage = d->report.stage;

    d->report.stage = STAGE_CONFIGURATION;
    if (!c) {
        report_failed(d, "--access %s: there is no such section of vault %s", d->args->access,
                      d->vault_conf->name);
        report_cause(d, "--access names no [access NAME] section of this vault");
        report_remedy(d, "name the section of an idle test account");
        return false;
    }
    struct probe b = {.p = d->pi,
                      .list = &d->checklist,
                      .credential = c,
                      .out = c->shared ? PI_CHECKOUT_SHARED : PI_CHECKOUT_STORED,
                      .in = c->shared ? PI_CHECKIN_SHARED : PI_CHECKIN_STORED};
    if (!is_free(d, c) || !is_usable(d, b.out) || !is_usable(d, b.in))
        return false;
    d->report.stage = stage;
    walk(&b);
    return true;
}

bool pi_doctor_probe(struct doctor *d)
{
    if (d->args->access && !probe_access(d))
        return false;
    size_t refuted = checklist_count(&d->checklist, CHECK_REFUTED);

    if (refuted) {
        report_failed(d, "%zu item%s of the checklist %s refuted", refuted, refuted == 1 ? "" : "s",
                      refuted == 1 ? "is" : "are");
        report_cause(d, "the site's service differs from what the profile and the configuration say");
        report_remedy(d, "see `set` of each item below; docs/privileged-identity.md describes the keys");
    } else if (d->report.of[d->report.stage].state != STATE_WARNING) {
        report_ok(d, "%zu verified, %zu open, %zu by hand", checklist_count(&d->checklist, CHECK_VERIFIED),
                  checklist_count(&d->checklist, CHECK_OPEN), checklist_count(&d->checklist, CHECK_BY_HAND));
    }
    return !refuted;
}
