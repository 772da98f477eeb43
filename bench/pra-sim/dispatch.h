/*
 * dispatch.h - one call in, one answer out: the site's APIs without a network.
 *
 * Order of checks: HTTP rules of the site (connection, credentials in the URL), route (404, 405), token, rate
 * limit, role, permission, body and parameters, then those of the call itself. Each violation against what
 * the vendor documents is refused and counted by name (site.h). dispatch_run() commits: when it returns, the
 * site has changed. Whether the answer arrives is up to the server.
 */
#ifndef PRA_SIM_DISPATCH_H
#define PRA_SIM_DISPATCH_H

#include "pra-sim/site.h"
#include "pra-sim/xml.h"
#include "sim/answer.h"
#include "sim/params.h"

#define DISPATCH_NAME 48

struct dispatch_call {
    const char *method, *path, *query; /* query without '?', NULL = none */
    const char *authorization, *content_type, *accept, *host;
    bool keeps;       /* no `Connection: close` */
    bool has_length;  /* Content-Length or chunked */
    const char *peer; /* source address without port */
    const char *body;
    size_t body_len;
};

enum dispatch_api { API_NONE, API_PROBE, API_TOKEN, API_COMMAND, API_REPORTING, API_CONFIG };

struct dispatch_opts {
    int fault;     /* enum spoil_kind, of those that are made with the answer; 0 = none */
    uint64_t size; /* of the fault; 0 = its usual one */
};

struct dispatch { /* what a call works with */
    struct site *site;
    const struct dispatch_call *call;
    struct sim_answer *answer;
    enum dispatch_api api;
    const char *below;       /* the path below the api's base */
    struct account *account; /* whose token it is; NULL in public calls */
    struct params query, form;
    int violation; /* enum violation; -1 = none */
    struct dispatch_opts opts;
};

/* How counters, the log and fault rules name the call: "token", "probe", the action or report of the XML
 * APIs, "jumpoint", "jumpoint/{id}", …; "none" for what is not there. */
void dispatch_name(const struct dispatch_call *, char out[DISPATCH_NAME]);
/* client_id of the call's token or Basic; "" = none. */
void dispatch_client(struct site *, const struct dispatch_call *, char *out, size_t size);
enum dispatch_api dispatch_api_of(const char *path, const char **below);

/* `violation`: enum violation, or -1. */
void dispatch_run(struct site *, const struct dispatch_call *, const struct dispatch_opts *,
                  struct sim_answer *, int *violation);

/* ---- parameters, of query and form together ---- */

const char *dispatch_param(const struct dispatch *, const char *name); /* NULL = absent */
/* False, and answered, when a parameter is not among the NULL-ended names, or comes twice. */
bool dispatch_params_known(struct dispatch *, const char *const *names);

/* Query and form into the dispatch; false when one cannot be read. */
bool dispatch_read_params(struct dispatch *);
bool dispatch_is_form(const char *content_type);
const char *params_exact(const struct params *, const char *name); /* in that letter case; NULL = absent */

/* ---- admission; each answers when it refuses ---- */

bool dispatch_has_token(struct dispatch *);   /* sets the account */
bool dispatch_role_serves(struct dispatch *); /* not a backup that serves no calls */
/* Counts the call for the account; false, and answered, when it is one too many. */
bool dispatch_within_rate(struct dispatch *);

/* ---- forms of answers ---- */

extern const char dispatch_json[], dispatch_html[];

/* Starts an XML answer of status 200; the caller opens and closes the root. */
struct xml answer_xml(struct dispatch *);
/* `<error>` as root, or below `root`, as the knob has it. */
void answer_error(struct dispatch *, const char *root, const char *text);
/* `<success>` in the same way. */
void answer_success(struct dispatch *, const char *root, const char *text);
struct jsonw answer_json(struct dispatch *, int status);
void answer_message(struct dispatch *, int status, const char *text); /* {"message":…} */
void answer_oauth_error(struct dispatch *, int status, const char *error, const char *text);
void answer_html(struct dispatch *, int status, const char *title);
void answer_denied(struct dispatch *, const char *root); /* a permission is missing */
/* Counts the violation and refuses the call in its api's form. */
void answer_violation(struct dispatch *, enum violation, const char *text);

/* ---- the calls ---- */

void calls_probe(struct dispatch *);
void calls_token(struct dispatch *);
void calls_command(struct dispatch *);
void calls_clients(struct dispatch *, const char *action);
void calls_reporting(struct dispatch *);
void calls_config(struct dispatch *);

/* ---- times in XML ---- */

#define TIME_ISO 32
void time_iso(int64_t wall_ms, char out[TIME_ISO]);  /* 2026-03-10T09:00:12+00:00 */
void time_http(int64_t wall_ms, char out[TIME_ISO]); /* Tue, 10 Mar 2026 09:00:12 GMT */

#endif
