/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operations.c - the operations of backend.h as calls of the service. Everything handed in is copied before
 * the operation returns.
 *
 * A check-out takes the names of its credential from the map; all that follows it takes them from the handle
 * in the request's row, so it needs no section of the configuration.
 */
#include "backends/privileged_identity/comment.h"
#include "backends/privileged_identity/internal.h"
#include "base/jsonw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- keys ---- */

static bool is_account_key(const char *key)
{
    static const char *const kinds[] = {"stored.", "shared."};

    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(kinds[i]);

        if (strncmp(key, kinds[i], n) == 0)
            return strlen(key + n) == 32 && strspn(key + n, "0123456789abcdef") == 32;
    }
    return false;
}

static int request_key(const struct pi *pi, const struct pi_credential *c, char out[PI_KEY_SIZE])
{
    const struct conf_vault *conf = pi->http.vault.conf;

    return pi_request_key(conf->login_name, conf->authenticator, c, out);
}

static int identify(const struct vault *vault, const char *account_key, char key[REQUEST_KEY_SIZE],
                    char **handle)
{
    const struct pi *pi = pi_of(vault);
    const struct pi_credential *c = pi_access_credential(pi->access, account_key);
    char made[PI_KEY_SIZE];

    *handle = NULL;
    if (!c)
        return -EINVAL;
    int err = request_key(pi, c, made);
    if (!err)
        err = pi_handle_write(c, handle);
    if (!err)
        (void)snprintf(key, REQUEST_KEY_SIZE, "%s", made);
    return err;
}

/* ---- calls ---- */

/* Takes the names. */
static int new_call(struct pi *pi, enum pi_operation op, struct vault_call *out, struct pi_names *names,
                    char *comment, const char *key, struct pi_call **call)
{
    if (!comment) {
        pi_names_free(names);
        return -ENOMEM;
    }
    int err = pi_call_new(pi, op, out, names, comment, call);

    if (!err)
        (void)snprintf((*call)->key, sizeof((*call)->key), "%s", key);
    return err;
}

/* Such a key has no ssh key and no passphrase; nothing is sent. */
static int answer_no_type(struct pi_call *call)
{
    struct fault fault;

    fault_set(&fault, FAULT_CREDENTIAL_NOT_FOUND, "a Privileged Identity has passwords alone");
    return pi_call_start_ended(call, VAULT_ABSENT, &fault);
}

static int answer_absent(struct pi *pi, struct vault_call *out)
{
    struct pi_names none = {.shared = false};
    struct pi_call *call;
    struct fault fault;
    int err = pi_call_new(pi, PI_CHECKOUT_STORED, out, &none, NULL, &call);

    if (err)
        return err;
    fault_set(&fault, FAULT_CREDENTIAL_NOT_FOUND, "no [access] section has this credential");
    return pi_call_start_ended(call, VAULT_ABSENT, &fault);
}

static int checkout(struct vault *vault, const struct checkout_want *want, struct vault_call *out)
{
    struct pi *pi = pi_of(vault);
    const struct pi_credential *c = pi_access_credential(pi->access, want->account_key);
    struct pi_names names;
    struct pi_call *call;
    char key[PI_KEY_SIZE];

    if (!is_account_key(want->account_key))
        return -EINVAL;
    if (!c)
        return answer_absent(pi, out);
    int err = request_key(pi, c, key);
    if (!err)
        err = pi_names_copy(c, &names);
    if (!err)
        err = new_call(pi, c->shared ? PI_CHECKOUT_SHARED : PI_CHECKOUT_STORED, out, &names,
                       pi_comment(want->reason, want->ticket_number, want->lease_id), key, &call);
    if (err)
        return err;
    return want->type == CREDENTIAL_PASSWORD ? pi_call_start(call) : answer_no_type(call);
}

/* The call of a request that is there. */
static int call_of(struct vault *vault, const struct request_ref *ref, enum pi_operation stored,
                   enum pi_operation shared, struct vault_call *out, struct pi_call **call)
{
    struct pi_names names;
    int err = pi_handle_read(ref->handle, &names);

    if (err)
        return err;
    return new_call(pi_of(vault), names.shared ? shared : stored, out, &names,
                    pi_comment(ref->reason, ref->ticket_number, ref->lease_id), ref->key, call);
}

static int read_secret(struct vault *vault, const struct request_ref *ref, enum credential_type type,
                       struct vault_call *out)
{
    struct pi_call *call;
    int err = call_of(vault, ref, PI_CHECKOUT_STORED, PI_CHECKOUT_SHARED, out, &call);

    if (err)
        return err;
    return type == CREDENTIAL_PASSWORD ? pi_call_start(call) : answer_no_type(call);
}

static int checkin(struct vault *vault, const struct request_ref *ref, const char *reason,
                   struct vault_call *out)
{
    struct pi_call *call;
    int err = call_of(vault, ref, PI_CHECKIN_STORED, PI_CHECKIN_SHARED, out, &call);

    (void)reason;
    if (err)
        return err;
    call->due = ref->checkins;
    return pi_call_start(call);
}

static int after_checkin(struct vault *vault, const struct request_ref *ref, struct vault_call *out)
{
    struct pi_call *call;
    int err = call_of(vault, ref, PI_SPIN_STORED, PI_SPIN_SHARED, out, &call);

    return err ? err : pi_call_start(call);
}

static int64_t after_checkin_delay(const struct vault *vault, const struct request_ref *ref)
{
    const struct conf_vault *conf = vault->conf;
    struct pi_names names;

    if (conf->spin == SPIN_NO || pi_handle_read(ref->handle, &names))
        return -1;
    bool follows = conf->spin == SPIN_ALL || (conf->spin == SPIN_SHARED) == names.shared;
    pi_names_free(&names);
    return follows ? (int64_t)conf->spin_delay_ms : -1;
}

/* ---- the others ---- */

static int admit(struct vault *vault, const char *user, uint64_t left_ms, struct fault *f)
{
    struct pi *pi = pi_of(vault);

    (void)user;
    return http_vault_admit(&pi->http, &pi->user, left_ms, f);
}

static void cancel(struct vault *vault, struct vault_call *out)
{
    if (out->impl && !pi_question_cancel(pi_of(vault), out))
        http_vault_call_cancel(vault, out);
}

static bool withdraw(struct vault *vault, struct vault_call *out)
{
    if (out->impl && pi_question_cancel(pi_of(vault), out))
        return true;
    return http_vault_call_withdraw(vault, out);
}

static void state(const struct vault *vault, struct vault_state *out)
{
    const struct pi *pi = pi_of(vault);

    http_vault_state(&pi->http, out);
    out->sessions = pi->token ? 1 : 0;
    out->users = 1;
    out->refuses = clock_now(pi->http.clock) < pi->user.refused_until_ms;
    if (out->refuses)
        (void)snprintf(out->detail, sizeof(out->detail), "%.150s", pi->user.last_fault.detail);
}

static void describe(const struct vault *vault, struct jsonw *w)
{
    const struct pi *pi = pi_of(vault);

    jsonw_bool(w, "provisional", true);
    jsonw_str(w, "profile", pi->profile->name);
    jsonw_object(w, "operations");
    for (enum pi_operation op = 0; op < PI_NOPERATIONS; op++)
        jsonw_str(w, pi_operation_name(op), pi_certainty_name(pi->profile->row[op].certainty));
    jsonw_end(w);
    jsonw_bool(w, "signed_in", pi->token != NULL);
    jsonw_int_or_null(w, "token_age_seconds",
                      pi->token ? (int64_t)((clock_now(pi->http.clock) - pi->token->since_ms) / 1000) : 0,
                      !pi->token);
}

static const char *const standings[VAULT_NSTANDINGS] = {"unknown", "down", "refused", "up"};

const struct vault_ops privileged_identity_ops = {
    .name = "privileged_identity",
    .standings = standings,
    .entitled = pi_entitled,
    .each_account = pi_each_account,
    .identify = identify,
    .checkout = checkout,
    .read_secret = read_secret,
    .checkin = checkin,
    .after_checkin = after_checkin,
    .after_checkin_delay = after_checkin_delay,
    .admit = admit,
    .cancel = cancel,
    .withdraw = withdraw,
    .state = state,
    .describe = describe,
};
