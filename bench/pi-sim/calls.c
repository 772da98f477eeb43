/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls.c - the operations of the service, one function each; see dispatch.h.
 *
 * Route, body and token have been checked before a function runs; it sets the answer and the outcome.
 */
#include "pi-sim/dispatch.h"

#include "base/text.h"

#include <string.h>

/* ---- sign-in and sign-out ---- */

static void note_sign_in(struct dispatch *d, const char *outcome)
{
    const char *name = dispatch_text(d->body, "Username");

    history_add(d->vault, &(struct history_event){.what = "sign_in",
                                                  .identity = d->identity,
                                                  .who = d->identity ? NULL : name,
                                                  .outcome = outcome});
}

static void refuse(struct dispatch *d, enum text why, const char *outcome)
{
    note_sign_in(d, outcome);
    answer_sign_in_refused(d, why);
}

static bool is_locked(struct dispatch *d)
{
    struct identity *i = d->identity;

    if (i->locked && vault_now(d->vault) >= i->locked_until_ms) {
        i->locked = false;
        i->failures = 0;
    }
    return i->locked;
}

static void wrong_password(struct dispatch *d)
{
    const struct vault_settings *s = &d->vault->settings;
    struct identity *i = d->identity;

    i->failures++;
    if (s->lockout_failures && i->failures >= s->lockout_failures) {
        i->locked = true;
        i->locked_until_ms = vault_now(d->vault) + s->lockout_ms;
        if (s->knob[KNOB_LOCKED_TOKENS])
            (void)tokens_end_all(d->vault, i);
    }
    refuse(d, TEXT_LOGIN, "wrong");
}

static bool second_factor_good(const struct dispatch *d)
{
    const char *code = dispatch_text(d->body, "MFATokenCode");

    if (!d->identity->mfa.p)
        return true;
    if (d->vault->settings.knob[KNOB_MFA_FACES] && d->face != FACE_REST)
        return false;
    return code && secret_equal(&d->identity->mfa, code, strlen(code));
}

static void hand_out_token(struct dispatch *d)
{
    const struct token *t = tokens_issue(d->vault, d->identity, d->face);
    struct jsonw w;

    if (!t) {
        answer_html(d, 500, "500 - Internal server error", "");
        return;
    }
    d->identity->failures = 0;
    note_sign_in(d, "done");
    d->outcome = ANSWER_DONE;
    w = answer_json(d, 200);
    if (d->face != FACE_JSON_V2) {
        jsonw_str(&w, NULL, t->text);
        return;
    }
    jsonw_object(&w, NULL);
    answer_flag(d, &w, true);
    jsonw_str(&w, "OperationMessage", t->text);
    jsonw_end(&w);
}

void calls_sign_in(struct dispatch *d)
{
    const char *password = dispatch_text(d->body, "Password");
    struct identity *i = d->identity;

    if (!i || !i->enabled || !password)
        refuse(d, TEXT_LOGIN, "wrong");
    else if (is_locked(d))
        refuse(d, d->vault->settings.knob[KNOB_LOCKED] ? TEXT_LOCKED : TEXT_LOGIN, "locked");
    else if (!secret_equal(&i->password, password, strlen(password)))
        wrong_password(d);
    else if (!second_factor_good(d))
        refuse(d, TEXT_MFA, "second_factor");
    else
        hand_out_token(d);
}

void calls_sign_out(struct dispatch *d)
{
    struct token *t = d->token;
    bool alive = t && t->state == TOKEN_ALIVE;

    if (!alive && d->vault->settings.knob[KNOB_SIGN_OUT_DEAD] == 0) {
        answer_token_refused(d);
        return;
    }
    if (alive) {
        tokens_end(t, TOKEN_SIGNED_OUT);
        history_add(d->vault,
                    &(struct history_event){.what = "sign_out", .identity = t->identity, .outcome = "done"});
    }
    answer_done(d, TEXT_DONE);
}

/* ---- check-out, check-in, spin ---- */

static enum text text_of(enum checkout_result result)
{
    switch (result) {
    case RESULT_CONFLICT: return TEXT_CONFLICT;
    case RESULT_APPROVAL: return TEXT_APPROVAL;
    case RESULT_DENIED: return TEXT_DENIED;
    case RESULT_NOT_HELD: return TEXT_NOT_HELD;
    case RESULT_NOT_YOURS: return TEXT_NOT_YOURS;
    case RESULT_NO_PASSWORD: return TEXT_NO_PASSWORD;
    case RESULT_UNREACHABLE: return TEXT_UNREACHABLE;
    case RESULT_DONE: break;
    }
    return TEXT_DONE;
}

static void note_absent(struct dispatch *d, const char *what)
{
    history_add(d->vault,
                &(struct history_event){.what = what, .identity = d->identity, .outcome = "absent"});
}

/* True when the comment can be taken; `room` holds what is left of one that is cut. */
static bool read_comment(struct dispatch *d, struct buf *room, const char **out)
{
    const char *comment = dispatch_text(d->body, "Comment");
    uint64_t max = d->vault->settings.max_comment;

    *out = comment;
    if (!comment || !max || strlen(comment) <= max)
        return true;
    if (d->vault->settings.knob[KNOB_LONG_COMMENT]) {
        answer_refusal(d, TEXT_COMMENT, NULL);
        return false;
    }
    (void)buf_append(room, comment, (size_t)max);
    *out = buf_cstr(room);
    return true;
}

static void put_checkout(struct dispatch *d)
{
    struct buf plain = BUF_INIT(65536);
    int got = credential_password(d->credential, &plain), missing = d->vault->settings.knob[KNOB_NO_PASSWORD];
    struct jsonw w = answer_json(d, 200);

    jsonw_object(&w, NULL);
    answer_flag(d, &w, true);
    jsonw_str(&w, "OperationMessage", "");
    if (got > 0)
        jsonw_strn(&w, "Password", plain.data ? plain.data : "", plain.len);
    else if (missing == NO_PASSWORD_EMPTY)
        jsonw_str(&w, "Password", "");
    else if (missing == NO_PASSWORD_NULL)
        jsonw_null(&w, "Password");
    jsonw_end(&w);
    d->outcome = got > 0 ? ANSWER_DONE : ANSWER_UNCLEAR;
    buf_free(&plain);
}

void calls_checkout(struct dispatch *d)
{
    struct checkout_call call = {.credential = d->credential, .identity = d->identity};
    struct buf room = BUF_INIT(65536);
    enum checkout_result result;

    if (!d->credential) {
        note_absent(d, "checkout");
        answer_refusal(d, TEXT_ABSENT, NULL);
        return;
    }
    if (read_comment(d, &room, &call.comment)) {
        result = checkouts_out(d->vault, &call);
        if (result == RESULT_DONE)
            put_checkout(d);
        else
            answer_refusal(d, text_of(result), call.who);
    }
    buf_free(&room);
}

static void answer_absent_checkin(struct dispatch *d)
{
    int form = d->vault->settings.knob[KNOB_ABSENT_CHECKIN];

    if (form == ABSENT_SUCCESS)
        answer_done(d, TEXT_DONE);
    else if (form == ABSENT_MESSAGE)
        answer_refusal_as(d, TEXT_NOT_HELD, NULL, REFUSAL_MESSAGE_ONLY, 200);
    else
        answer_refusal(d, TEXT_NOT_HELD, NULL);
    if (d->outcome == ANSWER_DONE)
        d->outcome = ANSWER_GONE;
}

void calls_checkin(struct dispatch *d)
{
    struct checkout_call call = {
        .credential = d->credential, .identity = d->identity, .comment = dispatch_text(d->body, "Comment")};
    enum checkout_result result;

    if (!d->credential) {
        note_absent(d, "checkin");
        answer_refusal(d, TEXT_ABSENT, NULL);
        return;
    }
    result = checkouts_in(d->vault, &call);
    if (result == RESULT_DONE)
        answer_done(d, TEXT_DONE);
    else if (result == RESULT_NOT_HELD)
        answer_absent_checkin(d);
    else
        answer_refusal(d, text_of(result), call.who);
}

void calls_spin(struct dispatch *d)
{
    struct checkout_call call = {
        .credential = d->credential, .identity = d->identity, .comment = dispatch_text(d->body, "Comment")};
    enum checkout_result result;

    if (!d->credential) {
        note_absent(d, "spin");
        answer_refusal(d, TEXT_ABSENT, NULL);
        return;
    }
    result = checkouts_spin(d->vault, &call);
    if (result == RESULT_DONE)
        answer_done(d, TEXT_DONE);
    else
        answer_refusal(d, text_of(result), call.who);
}

/* ---- listings ---- */

static bool is_listed(const struct dispatch *d, const struct credential *c, bool shared, const char *name)
{
    if (shared != (c->kind == KIND_SHARED) || !credential_permits(c, d->identity))
        return false;
    return text_equal_nocase(shared ? c->list : c->system, name);
}

static void put_listed(const struct dispatch *d, struct jsonw *w, const struct credential *c)
{
    if (d->vault->settings.knob[KNOB_LIST_FORM] == LIST_STRINGS) {
        jsonw_str(w, NULL, c->account);
        return;
    }
    jsonw_object(w, NULL);
    jsonw_str(w, "AccountName", c->account);
    jsonw_str(w, "SystemName", c->system);
    jsonw_end(w);
}

/* Of a system, or of a shared list: what the identity may check out. */
void calls_list(struct dispatch *d)
{
    bool shared = strcmp(d->operation->name, "list_shared") == 0;
    bool nested = d->vault->settings.knob[KNOB_LIST_FORM] == LIST_NESTED;
    const char *name = dispatch_text(d->body, shared ? "SharedCredentialListName" : "SystemName");
    struct jsonw w;

    if (!name) {
        conduct_count(d->vault, VIOLATION_BAD_BODY);
        answer_refusal(d, TEXT_BAD_BODY, NULL);
        return;
    }
    w = answer_json(d, 200);
    if (nested)
        jsonw_object(&w, NULL);
    jsonw_array(&w, nested ? "ListValues" : NULL);
    for (size_t i = 0; i < d->vault->credentials.n; i++)
        if (is_listed(d, d->vault->credentials.item[i], shared, name))
            put_listed(d, &w, d->vault->credentials.item[i]);
    jsonw_end(&w);
    if (nested)
        jsonw_end(&w);
    d->outcome = ANSWER_DONE;
}

void calls_sets(struct dispatch *d)
{
    struct jsonw w = answer_json(d, 200);

    jsonw_object(&w, NULL);
    jsonw_array(&w, "ListValues");
    for (size_t i = 0; i < d->vault->sets.n; i++) {
        const struct management_set *s = d->vault->sets.item[i];
        jsonw_object(&w, NULL);
        jsonw_str(&w, "Value", s->name);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    d->outcome = ANSWER_DONE;
}

static void put_systems(struct jsonw *w, const struct management_set *s, const char *kind)
{
    for (size_t i = 0; i < s->systems.n; i++) {
        const struct managed_system *one = s->systems.item[i];
        if (!text_equal_nocase(one->kind, kind))
            continue;
        jsonw_object(w, NULL);
        jsonw_str(w, "SystemName", one->name);
        jsonw_end(w);
    }
}

/* The systems of one kind in a set; none for a set that is not there. */
void calls_set_systems(struct dispatch *d)
{
    const char *name =
        d->face == FACE_REST ? params_get(&d->query, "Name") : dispatch_text(d->body, "ManagementSetName");
    const char *kind = strstr(d->operation->path, "Windows") ? "Windows" : "Linux";
    struct jsonw w = answer_json(d, 200);

    jsonw_array(&w, NULL);
    for (size_t i = 0; name && i < d->vault->sets.n; i++) {
        const struct management_set *s = d->vault->sets.item[i];
        if (text_equal_nocase(s->name, name))
            put_systems(&w, s, kind);
    }
    jsonw_end(&w);
    d->outcome = ANSWER_DONE;
}
