/* SPDX-License-Identifier: Apache-2.0 */
/*
 * calls_credentials.c - reading secrets: by request, by ISA access, and tickets for proxied sessions.
 *
 * Order of checks of GET Credentials: 404 for an id that is unknown, of another user or ended; 4031 when the
 * account is no longer API-enabled; 4034 while pending; then the type. The owner of an approved request needs
 * no further permission.
 */
#include "passwordsafe-sim/calls.h"

#include "base/id.h"
#include "base/text.h"
#include "passwordsafe-sim/access.h"
#include "passwordsafe-sim/credentials.h"
#include "passwordsafe-sim/requests.h"

#include <string.h>

#define ISA_MINUTES 120

static bool read_type(const struct dispatch *d, enum credential_type *out)
{
    static const char *const names[] = {"password", "dsskey", "passphrase", "totp"};
    const char *type = params_get(&d->query, "type");

    *out = CREDENTIAL_PASSWORD;
    if (!type || !*type)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (text_equal_nocase(type, names[i])) {
            *out = (enum credential_type)i;
            return true;
        }
    }
    return false;
}

static void answer_absent(struct dispatch *d)
{
    switch (d->model->settings.settings.value[SETTING_ABSENT_TYPE]) {
    case 1: answer_text(d, 200, ""); break;
    case 2: answer_text(d, 400, "Credential type is not available for this account"); break;
    default: answer_text(d, 404, "Credential not found"); break;
    }
}

/* True when the answer holds the secret. */
static bool answer_secret(struct dispatch *d, const struct model_account *a, enum credential_type type,
                          int status)
{
    struct buf plain = BUF_INIT(65536);
    int got = credentials_get(d->model, a, type, &plain);
    struct jsonw w;

    if (got > 0) {
        bool wrapped = d->model->settings.settings.value[SETTING_SECRET_FORM];
        w = answer_json(d, status);
        if (wrapped)
            jsonw_object(&w, NULL);
        jsonw_strn(&w, wrapped ? "Credentials" : NULL, plain.data ? plain.data : "", plain.len);
        if (wrapped)
            jsonw_end(&w);
    } else if (got == 0) {
        answer_absent(d);
    } else {
        answer_message(d, 500, "An error has occurred.");
    }
    buf_free(&plain);
    return got > 0;
}

/* The request of the path if its secret may be shown now; else NULL and the answer. */
static struct request *readable(struct dispatch *d)
{
    const struct settings *k = &d->model->settings.settings;
    struct request *r = requests_find(d->model, d->ids[0]);

    if (r && r->user != d->user && k->value[SETTING_OTHERS])
        answer_code(d, 4031);
    else if (r && r->user == d->user && r->state == REQUEST_DENIED && k->value[SETTING_DENIED])
        answer_code(d, 4031);
    else if (!r || r->user != d->user || !request_live(r))
        answer_text(d, 404, "Request has been released or is expired");
    else if (!r->pair->account->api_enabled)
        answer_code(d, 4031);
    else if (r->state == REQUEST_PENDING)
        answer_code(d, 4034);
    else
        return r;
    return NULL;
}

void calls_credential(struct dispatch *d)
{
    enum credential_type type;
    bool known = read_type(d, &type);
    struct request *r = readable(d);

    if (!r)
        return;
    if (!known)
        answer_text(d, 400, "Invalid value for type");
    else if (answer_secret(d, r->pair->account, type, 200))
        r->reads++;
}

/* ---- ISA ---- */

/* A request whose id is not in the answer. */
static void leave_request(struct dispatch *d, struct model_pair *pair)
{
    struct request_wish wish = {
        .user = d->user, .pair = pair, .access = ACCESS_VIEW, .conflict = CONFLICT_IGNORED, .rotate = true};
    int64_t minutes = 0;
    int id;

    wish.minutes = body_int(d->body, "DurationMinutes", d->lenient, &minutes) == BODY_GOOD && minutes > 0
                       ? (int)minutes
                       : ISA_MINUTES;
    (void)body_str(d->body, "Reason", &wish.reason);
    if (requests_create(d->model, &wish, &id) < 0)
        d->model->requests->refused++;
}

void calls_isa_request(struct dispatch *d)
{
    int64_t system_id = 0, account_id = 0;
    enum credential_type type;
    const struct model_system *s;
    const struct model_account *a;

    if (!read_type(d, &type) || body_int(d->body, "SystemID", d->lenient, &system_id) != BODY_GOOD ||
        body_int(d->body, "AccountID", d->lenient, &account_id) != BODY_GOOD) {
        answer_text(d, 400, "type, SystemID or AccountID is invalid");
        return;
    }
    s = model_system(d->model, (int)system_id);
    a = model_account(d->model, (int)account_id);
    if (!s || !a) {
        answer_text(d, 404, "Managed Account not found");
        return;
    }
    struct model_pair *pair = model_pair(s, a->id);
    if (!pair || !access_flags_ok(d->user, pair) || !(access_roles(d->model, d->user, a) & ROLE_ISA)) {
        answer_code(d, 4031);
        return;
    }
    if (answer_secret(d, a, type, 201) && d->model->settings.settings.value[SETTING_ISA_REQUEST])
        leave_request(d, pair);
}

/* ---- POST Requests/{id}/Sessions ---- */

/* The access type a kind of session needs; ACCESS_NTYPES = unknown kind. */
static enum model_access access_of_session(const char *kind)
{
    static const struct {
        const char *kind;
        enum model_access access;
    } kinds[] = {{"ssh", ACCESS_SSH},       {"sshticket", ACCESS_SSH}, {"rdp", ACCESS_RDP},
                 {"rdpticket", ACCESS_RDP}, {"rdpfile", ACCESS_RDP},   {"app", ACCESS_APP},
                 {"appfile", ACCESS_APP}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (text_equal_nocase(kind, kinds[i].kind))
            return kinds[i].access;
    return ACCESS_NTYPES;
}

static void put_ticket(struct dispatch *d, const struct request *r, const char *ticket)
{
    struct jsonw w = answer_json(d, 201);
    bool ssh = r->access == ACCESS_SSH;

    jsonw_object(&w, NULL);
    jsonw_str(&w, "ID", ticket);
    jsonw_str(&w, "Ticket", ticket);
    jsonw_str(&w, "Host", "127.0.0.1");
    jsonw_str(&w, "Port", ssh ? "4422" : "4489");
    if (ssh) {
        jsonw_str(&w, "TicketAtHost", ticket);
        jsonw_null(&w, "Link");
        jsonw_null(&w, "Command");
    }
    jsonw_int(&w, "SessionID", r->id);
    jsonw_str(&w, "NodeID", r->pair->account->node);
    jsonw_end(&w);
}

void calls_session_create(struct dispatch *d)
{
    const char *kind = NULL;
    enum model_access wanted = ACCESS_NTYPES;
    char ticket[ID_SIZE];
    struct request *r;

    if (body_str(d->body, "SessionType", &kind) == BODY_GOOD)
        wanted = access_of_session(kind);
    if (wanted == ACCESS_NTYPES) {
        answer_text(d, 400, "SessionType is invalid");
        return;
    }
    r = readable(d);
    if (!r)
        return;
    if (r->access != wanted)
        answer_code(d, 4031);
    else if (id_new(ticket))
        answer_message(d, 500, "An error has occurred.");
    else
        put_ticket(d, r, ticket);
}
