/*
 * dispatch.h - one call in, one answer out: the vault's web service without a network.
 *
 * Three faces of one service. Order of checks: client certificate, rate, route (404, 405), size of the body,
 * secrets in the URL, body, token, then those of the call itself. dispatch_run() commits: when it returns,
 * the vault has changed. Whether the answer arrives is up to the server.
 */
#ifndef PI_SIM_DISPATCH_H
#define PI_SIM_DISPATCH_H

#include "base/jsonw.h"
#include "pi-sim/checkouts.h"
#include "pi-sim/tokens.h"
#include "sim/answer.h"
#include "sim/params.h"

#include <cJSON.h>

#define DISPATCH_BASE "/ERPMWebService"

struct dispatch_call {
    const char *method, *path, *query; /* query without '?', NULL = none */
    const char *content_type;
    const char *token; /* the header AuthenticationToken; NULL = none */
    bool cookie;       /* there is a Cookie header */
    bool certificate;  /* a verified client certificate was shown */
    const char *body;  /* NUL-terminated */
    size_t body_len;
};

enum operation_flag {
    OPERATION_PUBLIC = 1,  /* no token */
    OPERATION_GUESSED = 2, /* no client was seen using it */
    OPERATION_LISTS = 4,   /* only where the knob serves them */
    OPERATION_SPINS = 8,
    OPERATION_QUERY = 16, /* has a query */
    OPERATION_STORED = 32,
    OPERATION_SHARED = 64
};

struct dispatch;

struct operation {
    const char *name; /* in counts and fault rules: "checkout_shared" */
    enum face face;
    const char *method, *path; /* below the face's base */
    unsigned flags;
    enum operation_kind kind;
    void (*run)(struct dispatch *);
};

struct dispatch { /* what a call works with */
    struct vault *vault;
    const struct dispatch_call *call;
    struct sim_answer *answer;
    const struct operation *operation; /* NULL = none */
    enum face face;
    bool is_probe; /* the service's own page */
    int missing;   /* why there is no operation: 404, 405 */
    struct params query;
    cJSON *body;            /* NULL = none, or it cannot be read */
    const char *token_text; /* where this service looks for it; NULL = none there */
    struct token *token;    /* dead or alive; NULL = never issued */
    struct identity *identity;
    struct credential *credential; /* that the body names */
    bool names_credential;         /* all its members are there */
    struct credential_name name;

    /* What became of the call. */
    enum conduct_answer outcome;
    bool token_refused;
};

/* Names of operations, each once, for counters; the last is "none". */
extern const char *const dispatch_names[];
extern const size_t dispatch_nnames;

/* Reads a call without effect; each is followed by dispatch_close(). */
void dispatch_open(struct dispatch *, struct vault *, const struct dispatch_call *);
void dispatch_close(struct dispatch *);
const char *dispatch_name(const struct dispatch *);
void dispatch_asked(const struct dispatch *, struct conduct_asked *);

struct dispatch_result {
    enum conduct_answer outcome;
    bool token_refused;
};

void dispatch_run(struct vault *, const struct dispatch_call *, struct sim_answer *,
                  struct dispatch_result *);

/* A string member; NULL = absent or none. */
const char *dispatch_text(const cJSON *object, const char *member);
/* A number, or one in quotes where `quoted` allows that. */
bool dispatch_number(const cJSON *object, const char *member, bool quoted, int64_t *out);

/* The names of a credential in the body, into d->name; false where a member is missing. */
bool dispatch_name_shared(struct dispatch *);
bool dispatch_name_stored(struct dispatch *);

/* ---- forms of answers ---- */

extern const char dispatch_json[], dispatch_html[];

struct jsonw answer_json(struct dispatch *, int status);
/* The flag of success, as the knob has it. */
void answer_flag(const struct dispatch *, struct jsonw *, bool good);
/* A web page, as IIS or WCF answers. */
void answer_html(struct dispatch *, int status, const char *title, const char *text);
/* The vault refuses; sets the outcome. `who` has it, where that is the reason. */
void answer_refusal(struct dispatch *, enum text, const char *who);
/* The same in a chosen form. */
void answer_refusal_as(struct dispatch *, enum text, const char *who, enum knob_refusal, int status);
/* A check-in, spin or sign-out worked; sets the outcome. */
void answer_done(struct dispatch *, enum text);
void answer_token_refused(struct dispatch *);
void answer_sign_in_refused(struct dispatch *, enum text);

/* ---- the calls ---- */

void calls_sign_in(struct dispatch *);
void calls_sign_out(struct dispatch *);
void calls_checkout(struct dispatch *);
void calls_checkin(struct dispatch *);
void calls_spin(struct dispatch *);
void calls_list(struct dispatch *);
void calls_sets(struct dispatch *);
void calls_set_systems(struct dispatch *);

#endif
