/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials.c - find and check out: JSON in, one broker call, JSON out.
 *
 * The secret of a check-out passes through here once, from the broker's memory into the answer's buffer,
 * which the server wipes when the last byte is written. The broker makes every decision about a credential.
 */
#include "base/clock.h"
#include "handlers/gateway.h"
#include "handlers/json_fields.h"

#define REASON_CHARS 1000000 /* the body's limit is the real one: the vault's reason is cut to size later */
#define TICKET_CHARS 256
#define MINUTES_MAX  525600 /* a year */

static void write_requires(struct jsonw *w, const struct vault_policy *policy)
{
    jsonw_array(w, "requires");
    if (policy->reason)
        jsonw_str(w, NULL, "reason");
    if (policy->ticket)
        jsonw_str(w, NULL, "ticket");
    if (policy->approval)
        jsonw_str(w, NULL, "approval");
    jsonw_end(w);
}

static void write_credential(struct jsonw *w, const struct credential *c)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "credential_id", c->credential_id);
    jsonw_str(w, "display_value", c->display_value);
    jsonw_str(w, "kind", account_kind_word(c->account->kind));
    jsonw_str(w, "account", c->account->account);
    jsonw_str(w, "domain", c->account->domain);
    jsonw_str(w, "system", c->account->system);
    jsonw_str(w, "description", c->account->description);
    jsonw_str(w, "secret_type", c->secret_type);
    if (c->policy_asked)
        write_requires(w, &c->policy);
    jsonw_end(w);
}

static void on_found(void *arg, const struct find_answer *answer)
{
    struct request_context *ctx = arg;

    if (!ctx_succeeded(ctx, answer->fault))
        return;
    struct jsonw *w = ctx_object(ctx);
    jsonw_array(w, "credentials");
    for (size_t i = 0; i < answer->n; i++)
        write_credential(w, &answer->credentials[i]);
    jsonw_end(w);
    jsonw_str(w, "request_id", ctx->request_id);
    jsonw_int(w, "age_ms", (int64_t)answer->age_ms);
    jsonw_strs(w, "partial", answer->partial, answer->npartial);
    ctx_json(ctx, 200);
}

void find_start(struct request_context *ctx, const union route_args *args)
{
    ctx_wait(ctx, broker_find(ctx->gateway->broker, &args->by, on_found, ctx));
}

bool checkout_read(const cJSON *body, union route_args *args, struct fault *f)
{
    static const char *const prefer[] = {"password", "ssh_key", NULL};
    struct json_fields top = {.object = body, .path = "", .fault = f};
    struct checkout_args *a = &args->checkout;
    int preferred;

    if (!json_field_text(&top, "credential_id", FIELD_REQUIRED | FIELD_NOT_EMPTY, CREDENTIAL_ID_SIZE - 1,
                         &a->credential_id) ||
        !json_field_int(&top, "duration_minutes", 1, MINUTES_MAX, 0, &a->duration_minutes) ||
        !json_field_text(&top, "reason", FIELD_PROSE, REASON_CHARS, &a->reason) ||
        !json_field_int(&top, "ticket_system_id", 1, INT32_MAX, 0, &a->ticket_system_id) ||
        !json_field_text(&top, "ticket_number", 0, TICKET_CHARS, &a->ticket_number) ||
        !json_field_word(&top, "prefer", prefer, 0, &preferred))
        return false;
    a->prefer_ssh_key = preferred == 1;
    return true;
}

static void write_secret(struct jsonw *w, const char *name, const struct secret *s)
{
    if (s)
        jsonw_strn(w, name, s->p ? s->p : "", s->len);
}

static void write_lease(struct jsonw *w, const struct checkout_answer *answer)
{
    char expires[CLOCK_RFC3339_SIZE];

    jsonw_object(w, "lease");
    jsonw_str(w, "id", answer->lease_id);
    /* null: direct access of which the vault keeps no request */
    jsonw_int_or_null(w, "request_id", answer->request_id, !answer->request_id);
    jsonw_str(w, "request_key", answer->request_key && *answer->request_key ? answer->request_key : NULL);
    jsonw_str(w, "expires_at", clock_rfc3339_or_null(answer->expires_wall_ms, expires));
    if (answer->adopted)
        jsonw_bool(w, "adopted", true);
    jsonw_end(w);
}

static void on_checked_out(void *arg, const struct checkout_answer *answer)
{
    struct request_context *ctx = arg;

    if (!ctx_succeeded(ctx, answer->fault))
        return;
    struct jsonw *w = ctx_secret_object(ctx);
    jsonw_str(w, "credential_id", answer->credential_id);
    jsonw_str(w, "kind", answer->ssh_key ? "ssh_key" : "password");
    jsonw_str(w, "username", answer->username);
    jsonw_str(w, "account", answer->account);
    jsonw_str(w, "domain", answer->domain);
    write_secret(w, "password", answer->password);
    write_secret(w, "private_key", answer->private_key);
    write_secret(w, "passphrase", answer->passphrase);
    write_lease(w, answer);
    ctx_json(ctx, 200);
}

void checkout_start(struct request_context *ctx, const union route_args *args)
{
    ctx_wait(ctx, broker_checkout(ctx->gateway->broker, &args->checkout, on_checked_out, ctx));
}
