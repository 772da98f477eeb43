/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errors.c - what the vault's refusals mean: status and sub-code become a result and a fault.
 *
 * ps_error_text_read() reduces the many forms of the vault's reason to a sub-code and a text. The text only
 * chooses between faults. It is quoted for one thing: a 400 to a call that has no vault request id in it. A
 * vault session and a request id are enough to read the password, so no id may reach an error or a log.
 *
 * The table is in docs/password-safe.md; what a status means for one operation is in its row (operations.c).
 * Only a genuine refusal (answer_form.c) becomes one of the vault's results. All else is FAILED, with the
 * faults of http_vault/errors.c.
 *
 * Not here: what a 401 does to a session (calls.c, signin.c).
 */
#include "backends/password_safe/internal.h"
#include "base/json.h"

#include <ctype.h>
#include <string.h>

/* ---- the vault's reason ---- */

static int code_of(const char *text)
{
    int code = 0, digits = 0;

    while (isdigit((unsigned char)text[digits]) && digits < 6)
        code = code * 10 + (text[digits++] - '0');
    if (digits != 4 || isalnum((unsigned char)text[digits]))
        return 0;
    return code;
}

static void text_of_object(const char *object, size_t len, bool is_secret, struct ps_error_text *out)
{
    static const char *const names[] = {"Message", "error_description", "error", "Code"};
    const char *why, *text = NULL;
    cJSON *tree =
        json_parse(object, len, 32, JSON_DUPLICATES_OK | JSON_MEND | (is_secret ? JSON_SECRET : 0), &why);
    int64_t code;

    for (size_t i = 0; !text && i < sizeof(names) / sizeof(names[0]); i++) {
        const cJSON *member = json_get_nocase(tree, names[i]);

        text = cJSON_GetStringValue(member);
        if (!out->code && json_int(member, &code) && code > 0 && code < 10000)
            out->code = (int)code;
    }
    if (text)
        http_vault_clean_text(out->text, sizeof(out->text), text, strlen(text));
    cJSON_Delete(tree);
}

void ps_error_text_read(const struct buf *body, struct ps_error_text *out)
{
    size_t len;
    const char *text = http_vault_trimmed(body, &len);
    struct secret string = {0};

    *out = (struct ps_error_text){0};
    if (!len || *text == '<') /* nothing, or a page for a browser */
        return;
    if (*text == '{')
        text_of_object(text, len, body->secret, out);
    else if (*text == '"' && !json_unescape(text, len, &string))
        http_vault_clean_text(out->text, sizeof(out->text), string.p, string.len);
    else
        http_vault_clean_text(out->text, sizeof(out->text), text, len);
    secret_clear(&string);
    if (!out->code)
        out->code = code_of(out->text);
}

static bool mentions(const struct ps_error_text *reason, const char *what)
{
    return strcasestr(reason->text, what) != NULL;
}

/* ---- refusals of an operation ---- */

static enum fault_code fault_of_bad_values(const struct ps_op *op, const struct ps_error_text *reason)
{
    if (!op->effects)
        return FAULT_VAULT_ERROR;
    if (mentions(reason, "ticket"))
        return FAULT_TICKET_REQUIRED;
    if (mentions(reason, "duration"))
        return FAULT_DURATION_TOO_LONG;
    if (mentions(reason, "reason") && !mentions(reason, "1000") && !mentions(reason, "characters") &&
        !mentions(reason, "long"))
        return FAULT_REASON_REQUIRED;
    return FAULT_VAULT_ERROR;
}

static void set_bad_values(const struct ps_op *op, const struct ps_error_text *reason, struct vault_call *out)
{
    enum fault_code code = op->quotes ? fault_of_bad_values(op, reason) : FAULT_VAULT_ERROR;

    out->result = op->on_400;
    if (out->result == VAULT_ABSENT)
        fault_set(&out->fault, FAULT_CREDENTIAL_NOT_FOUND,
                  "the account has no credential of this type in the vault");
    else if (op->quotes && *reason->text)
        fault_set(&out->fault, code, "the vault did not accept the values of the %s: %s", op->name,
                  reason->text);
    else
        fault_set(&out->fault, code, "the vault did not accept the values of the %s", op->name);
}

static const char *denied_text(int code)
{
    switch (code) {
    case 4032:
        return "the vault lets only requestors do this: give the user a Requestor role on this account";
    case 4033: return "the vault lets only approvers do this: the user's role on this account does not fit";
    case 4035: return "the access policy wants more approvers than are configured for this account";
    default:
        return "the vault does not let this user request this account: no Requestor role through a Smart "
               "Rule, "
               "account not enabled for API access or not linked to this system, or no access policy open "
               "now";
    }
}

static void set_denied(const struct ps_op *op, const struct ps_error_text *reason, struct vault_call *out)
{
    bool waits = reason->code == 4034 && op->approval;

    out->result = waits ? VAULT_PENDING : op->on_403;
    if (out->result == VAULT_OK)
        return;
    if (out->result == VAULT_PENDING)
        fault_set(&out->fault, FAULT_APPROVAL_PENDING,
                  "the access policy wants an approval first; this request is withdrawn or left to expire. "
                  "Let the policy approve by itself, or have the user request the account in the vault: once "
                  "approved, that request is used here");
    else
        fault_set(&out->fault, FAULT_NOT_ENTITLED, "%s", denied_text(reason->code));
}

static void set_absent(const struct ps_op *op, const struct ps_error_text *reason, struct vault_call *out)
{
    bool over = mentions(reason, "released") || mentions(reason, "expired");

    out->result = op->on_404;
    if (out->result == VAULT_OK)
        return;
    if (out->result == VAULT_ABSENT && !op->quotes && over)
        out->result = VAULT_GONE;
    if (out->result == VAULT_GONE) /* the account is there */
        fault_set(&out->fault, FAULT_VAULT_CONFLICT,
                  "the request has been released or has expired; check out again");
    else
        fault_set(&out->fault, FAULT_CREDENTIAL_NOT_FOUND,
                  "the vault knows no such account or credential for this user");
}

void ps_error_status(const struct ps *ps, const struct ps_op *op, const struct call *http,
                     struct vault_call *out)
{
    struct ps_error_text reason;

    ps_error_text_read(&http->body_in, &reason);
    out->fault = (struct fault){0};
    if (!ps_is_genuine_refusal(op, http)) {
        http_vault_status_error(&ps->http, op->name, http, out);
        out->fault.foreign = http_vault_is_page(http);
        out->fault.vault_status = http->status;
        return;
    }
    switch (http->status) {
    case 400: set_bad_values(op, &reason, out); break;
    case 403: set_denied(op, &reason, out); break;
    case 404: set_absent(op, &reason, out); break;
    case 409:
        out->result = op->on_409;
        fault_set(&out->fault, FAULT_VAULT_CONFLICT,
                  "another request holds this account in the vault, and its limit of concurrent requests is "
                  "reached");
        break;
    default: http_vault_status_error(&ps->http, op->name, http, out); break;
    }
    if (out->result == VAULT_OK)
        return;
    out->fault.vault_status = http->status;
    if (http->status == 403 || http->status == 409)
        out->fault.vault_code = reason.code;
}

/* ---- sign-in ---- */

void ps_error_refused(struct fault *fault, const struct call *http)
{
    if (*http->value[CALL_2FA])
        fault_set(
            fault, FAULT_VAULT_REFUSED_USER,
            "the vault asks for a second factor: multi-factor authentication (MFA) is enforced for this API "
            "registration; a gateway cannot answer it, turn the enforcement off for this registration");
    else
        fault_set(
            fault, FAULT_VAULT_REFUSED_USER,
            "sign-in refused (%d): user not in the requesters group with this API registration, unknown or "
            "disabled; MFA enforced; key wrong or rotated, or source address not allowed; user password "
            "required; or %s",
            http->status, http->status == 403 ? "no valid licence" : "client certificate missing");
    fault->vault_status = http->status;
    fault->second_factor = *http->value[CALL_2FA] != '\0';
}

void ps_error_session_refused(const struct ps_op *op, const struct call *http, struct vault_call *out)
{
    out->result = VAULT_FAILED;
    fault_set(
        &out->fault, FAULT_VAULT_REFUSED_USER,
        "the vault let the user sign in and then answered %d to the %s: the session is not known there (load "
        "balancer without stickiness); user disabled or not in the requesters group; MFA enforced; key "
        "rotated, or source address not allowed",
        http->status, op->name);
    out->fault.vault_status = http->status;
}
