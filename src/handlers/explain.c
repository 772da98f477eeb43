/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain.c - GET /v1/explain/{request_id}: why a list came back as it did.
 *
 * The broker keeps the record (broker/find/explain.h); here it becomes JSON, with conclusions: the name form
 * behind each call, a sum over the caches, and for an empty list the likely causes. To it come the requests
 * of the person that wait for their approver: why a credential that is listed is not handed out. A vault
 * lists only what a user may request and not what it leaves out, so the causes are possibilities, the most
 * likely first; `jumpgate doctor` asks further. Where the sections of the configuration decide, the cause is
 * known.
 */
#include "broker/find/explain.h"

#include "handlers/gateway.h"
#include "handlers/lease_json.h"
#include "handlers/url_target.h"

#include <stdio.h>
#include <string.h>

bool explain_read_target(struct request_context *ctx, union route_args *args, struct fault *f)
{
    ctx->target = url_target_segment(ctx->route->path, ctx->req->path, f);
    args->explained_id = ctx->target;
    return ctx->target != NULL;
}

/* NULL if no name form of this find has this value. */
static const char *form_of(const struct explain_view *view, const struct explain_note *call)
{
    for (size_t i = 0; call->value && i < view->nnotes; i++) {
        const struct explain_note *name = &view->notes[i];
        if (name->kind == EXPLAIN_NAME && !strcmp(name->value ? name->value : "", call->value) &&
            !strcmp(name->vault ? name->vault : "", call->vault ? call->vault : ""))
            return name->form;
    }
    return NULL;
}

static void write_user(struct jsonw *w, const struct explain_note *note)
{
    jsonw_str(w, "vault", note->vault);
    jsonw_str(w, "user", note->user);
    jsonw_str(w, "outcome", note->outcome);
    jsonw_str(w, "detail", note->detail);
}

static void write_name(struct jsonw *w, const struct explain_note *note)
{
    jsonw_str(w, "vault", note->vault);
    jsonw_str(w, "form", note->form);
    jsonw_str(w, "value", note->value);
}

static void write_call(struct jsonw *w, const struct explain_view *view, const struct explain_note *note)
{
    jsonw_str(w, "vault", note->vault);
    jsonw_str(w, "user", note->user);
    jsonw_str(w, "call", note->what);
    jsonw_str(w, "kind", note->kind_asked);
    jsonw_str(w, "form", form_of(view, note));
    jsonw_str(w, "value", note->value);
    jsonw_str(w, "result", note->outcome);
    jsonw_int_or_null(w, "status", note->status, !note->status);
    jsonw_int(w, "rows", (int64_t)note->rows);
    jsonw_int(w, "took_ms", (int64_t)note->took_ms);
    jsonw_str(w, "source", note->source);
    jsonw_int(w, "age_ms", (int64_t)note->age_ms);
    jsonw_str(w, "detail", note->detail);
}

static void write_section(struct jsonw *w, const struct explain_note *note)
{
    jsonw_str(w, "vault", note->vault);
    jsonw_str(w, "section", note->value);
}

static void write_filter(struct jsonw *w, const struct explain_note *note)
{
    jsonw_str(w, "vault", note->vault);
    jsonw_str(w, "filter", note->what);
    jsonw_str(w, "value", note->value);
    jsonw_int(w, "removed", (int64_t)note->rows);
    jsonw_int(w, "left", (int64_t)note->left);
    jsonw_str(w, "detail", note->detail);
}

static void write_absent(struct jsonw *w, const struct explain_note *note)
{
    jsonw_str(w, "vault", note->vault);
    jsonw_str(w, "code", note->outcome);
    jsonw_str(w, "detail", note->detail);
}

static void write_notes(struct jsonw *w, const char *name, const struct explain_view *view,
                        enum explain_kind kind)
{
    jsonw_array(w, name);
    for (size_t i = 0; i < view->nnotes; i++) {
        const struct explain_note *note = &view->notes[i];
        if (note->kind != kind)
            continue;
        jsonw_object(w, NULL);
        if (kind == EXPLAIN_USER)
            write_user(w, note);
        else if (kind == EXPLAIN_NAME)
            write_name(w, note);
        else if (kind == EXPLAIN_CALL)
            write_call(w, view, note);
        else if (kind == EXPLAIN_ABSENT)
            write_absent(w, note);
        else if (kind == EXPLAIN_SECTION)
            write_section(w, note);
        else
            write_filter(w, note);
        jsonw_end(w);
    }
    jsonw_end(w);
}

/* The number of calls from that source; NULL = the rows of all calls. */
static int64_t count_calls(const struct explain_view *view, const char *source)
{
    int64_t calls = 0, rows = 0;

    for (size_t i = 0; i < view->nnotes; i++) {
        const struct explain_note *note = &view->notes[i];
        if (note->kind != EXPLAIN_CALL)
            continue;
        rows += (int64_t)note->rows;
        calls += source && note->source && !strcmp(note->source, source);
    }
    return source ? calls : rows;
}

static void write_cache(struct jsonw *w, const struct explain_view *view)
{
    jsonw_object(w, "cache");
    jsonw_int(w, "age_ms", (int64_t)view->list_age_ms);
    jsonw_int(w, "from_vault", count_calls(view, "vault"));
    jsonw_int(w, "from_cache", count_calls(view, "cache"));
    jsonw_int(w, "shared", count_calls(view, "shared"));
    jsonw_end(w);
}

static bool has_user(const struct explain_view *view, const char *outcome)
{
    for (size_t i = 0; i < view->nnotes; i++)
        if (view->notes[i].kind == EXPLAIN_USER && view->notes[i].outcome &&
            !strcmp(view->notes[i].outcome, outcome))
            return true;
    return false;
}

static bool has_absent(const struct explain_view *view)
{
    for (size_t i = 0; i < view->nnotes; i++)
        if (view->notes[i].kind == EXPLAIN_ABSENT)
            return true;
    return false;
}

static void say_of_vault(struct jsonw *w, const char *vault, const char *what)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "vault %s: %s", vault, what);
    jsonw_str(w, NULL, text);
}

/* Of each vault for which sections decide: the first filter that left nothing. */
static void write_emptied(struct jsonw *w, const struct explain_view *view)
{
    const char *emptied = NULL;

    for (size_t i = 0; i < view->nnotes; i++) {
        const struct explain_note *note = &view->notes[i];
        if (note->kind != EXPLAIN_FILTER || !note->vault || note->left ||
            (emptied && !strcmp(emptied, note->vault)))
            continue;
        emptied = note->vault;
        if (!strcmp(note->what, "user"))
            say_of_vault(w, note->vault, "no section names this user; see also default_domain");
        else if (!strcmp(note->what, "host"))
            say_of_vault(w, note->vault, "the `hosts` of no section in `sections` fit a name in `names`");
        else
            say_of_vault(w, note->vault, "the vault lists none of the credentials of these sections");
    }
}

static bool has_list_call(const struct explain_view *view)
{
    for (size_t i = 0; i < view->nnotes; i++)
        if (view->notes[i].kind == EXPLAIN_CALL && strcmp(view->notes[i].what, "entitled") != 0)
            return true;
    return false;
}

static void write_causes_of_none(struct jsonw *w, const struct explain_view *view)
{
    write_emptied(w, view);
    if (!has_list_call(view))
        return;
    jsonw_str(w, NULL, "the system has another name in the vault than those in `names`");
    jsonw_str(w, NULL, "the account is not enabled for API access");
    jsonw_str(w, NULL, "the user has no Requestor role on the account");
    jsonw_str(w, NULL, "`jumpgate doctor` with this user and host tells these apart");
}

/* The likely causes of an empty or failed list. */
static void write_likely(struct jsonw *w, const struct explain_view *view)
{
    bool failed = strcmp(view->outcome, "ok") != 0;

    jsonw_array(w, "likely");
    if (has_user(view, "no_rule"))
        jsonw_str(w, NULL, "no run_as rule applies to this user: set default_domain or add a template");
    if (has_user(view, "unwritable"))
        jsonw_str(w, NULL, "this user's name or domain cannot be written into a sign-in: see `users`");
    if (has_user(view, "refused"))
        jsonw_str(w, NULL,
                  "the vault refused the sign-in: the user is unknown there under this name, or in no group "
                  "with the "
                  "API registration; see the causes in `users`");
    if (failed && (has_user(view, "failed") || !view->nnotes))
        jsonw_str(w, NULL, view->detail ? view->detail : view->outcome);
    if (!failed && has_absent(view))
        jsonw_str(w, NULL, "a vault did not answer, so its rows are missing: see `partial`");
    if (!failed && !view->rows && count_calls(view, NULL))
        jsonw_str(w, NULL, "the vault listed accounts, but all were removed here: see `filters`");
    else if (!failed && !view->rows && has_user(view, "accepted"))
        write_causes_of_none(w, view);
    jsonw_end(w);
}

static void write_lease(void *arg, const struct lease_view *lease)
{
    lease_json(arg, lease);
}

/* As it is now, also where the find was before. */
static void write_pending(struct jsonw *w, struct broker *broker, const struct explain_view *view)
{
    struct session person = {.username = view->username, .domain = view->domain, .id = view->session};

    jsonw_array(w, "pending");
    broker_pending(broker, &person, write_lease, w);
    jsonw_end(w);
}

static void write_view(struct jsonw *w, struct broker *broker, const struct explain_view *view)
{
    char at[CLOCK_RFC3339_SIZE];

    jsonw_str(w, "request_id", view->request_id);
    jsonw_str(w, "operation", view->operation);
    jsonw_str(w, "at", clock_rfc3339(view->began_wall_ms, at));
    jsonw_str(w, "outcome", view->outcome);
    jsonw_str(w, "detail", view->detail);
    jsonw_int(w, "rows", (int64_t)view->rows);
    jsonw_int(w, "took_ms", (int64_t)view->took_ms);
    jsonw_str(w, "username", view->username);
    jsonw_str(w, "domain", view->domain);
    jsonw_str(w, "session", view->session);
    write_notes(w, "users", view, EXPLAIN_USER);
    write_notes(w, "names", view, EXPLAIN_NAME);
    write_notes(w, "sections", view, EXPLAIN_SECTION);
    write_notes(w, "calls", view, EXPLAIN_CALL);
    write_notes(w, "filters", view, EXPLAIN_FILTER);
    write_notes(w, "partial", view, EXPLAIN_ABSENT);
    write_pending(w, broker, view);
    write_cache(w, view);
    write_likely(w, view);
    jsonw_bool(w, "cut", view->cut);
}

void explain_start(struct request_context *ctx, const union route_args *args)
{
    const struct explain_view *view = broker_explain(ctx->gateway->broker, args->explained_id);
    struct fault f;

    if (!view) {
        fault_set(
            &f, FAULT_NOT_FOUND,
            "no find with this request id is remembered: explanations are kept for 15 minutes at most, the "
            "oldest go first (explain_entries, explain_memory), and a restart forgets them");
        ctx_fail(ctx, &f);
        return;
    }
    write_view(ctx_object(ctx), ctx->gateway->broker, view);
    ctx_json(ctx, 200);
}
