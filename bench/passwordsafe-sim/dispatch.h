/*
 * dispatch.h - one call in, one answer out: the vault's API without a network.
 *
 * Order of checks for any call: route (404, 405), session (401), permission (403), body type (415), body
 * (400), then those of the call itself. The route table names each call; fault rules and counters use the
 * same names
 * ("POST Requests", "GET Credentials/{id}").
 *
 * dispatch_run() commits: when it returns, the model has changed. Whether the answer arrives is up to the
 * server.
 */
#ifndef SIM_DISPATCH_H
#define SIM_DISPATCH_H

#include "passwordsafe-sim/body.h"
#include "passwordsafe-sim/model.h"
#include "passwordsafe-sim/wire.h"
#include "sim/answer.h"
#include "sim/params.h"

#define DISPATCH_BASE "/BeyondTrust/api/public/v3"

struct dispatch_call {
    const char *method, *path, *query; /* query without '?', NULL = none */
    const char *authorization, *cookie, *content_type;
    size_t cookie_lines;
    bool has_length;  /* Content-Length or chunked */
    bool certificate; /* a verified client certificate was shown */
    const char *peer; /* source address without port */
    const char *body;
    size_t body_len;
};

#define DISPATCH_IDS 2

struct dispatch { /* what a call works with */
    struct model *model;
    const struct dispatch_call *call;
    struct sim_answer *answer;
    struct session *session; /* NULL in public calls without one */
    struct model_user *user;
    int ids[DISPATCH_IDS]; /* from the path */
    struct params query;
    cJSON *body; /* NULL = none given */
    bool lenient;
};

enum dispatch_flag {
    DISPATCH_PUBLIC = 1, /* no session needed */
    DISPATCH_BODY = 2,   /* a body must be there */
    DISPATCH_RAW = 4     /* the call reads its body itself */
};

struct dispatch_route {
    const char *method, *pattern; /* pattern below the base; `{id}` stands for a number */
    const char *name;
    unsigned flags, permission;
    void (*run)(struct dispatch *);
};

extern const struct dispatch_route dispatch_routes[];
extern const size_t dispatch_nroutes;

/* NULL = none; then *status is 404 or 405. `ids` may be NULL. */
const struct dispatch_route *dispatch_match(const char *method, const char *path, int ids[DISPATCH_IDS],
                                            int *status);
/* The cookie of the session in a Cookie header; false = none, or a header the vault rejects. */
bool dispatch_cookie(const struct dispatch_call *, char out[], size_t size);

void dispatch_run(struct model *, const struct dispatch_call *, struct sim_answer *);

/* ---- forms of answers ---- */

extern const char dispatch_json[]; /* the content type */

void answer_empty(struct dispatch *, int status);
void answer_text(struct dispatch *, int status, const char *text);    /* a JSON string */
void answer_message(struct dispatch *, int status, const char *text); /* {"Message":…} */
void answer_number(struct dispatch *, int status, int number);
void answer_code(struct dispatch *, int code); /* 4031…4035: 403; 4091: 409; form by setting 15 */
void answer_unauthenticated(struct dispatch *);
/* Starts a JSON body of status 200; the caller writes into it. */
struct jsonw answer_json(struct dispatch *, int status);

#endif
