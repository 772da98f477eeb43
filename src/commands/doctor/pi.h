/*
 * pi.h - shared by the stages of a vault of Privileged Identity: its tables, and one call at a time.
 *
 * The calls are made of the gateway's own rows and read by its own code, without the backend: a look at an
 * answer's form is wanted here, and no call may be repeated.
 *
 *     pi.c        order; secrets, API, sign-in, clock
 *     pi_call.c   one call, and what was seen of its answer
 *     pi_list.c   the sections of the map for this user and host
 *     pi_probe.c  the probe: checks one credential out and in
 *     checklist.c the items that a site has to find out
 */
#ifndef JG_COMMANDS_DOCTOR_PI_H
#define JG_COMMANDS_DOCTOR_PI_H

#include "backends/privileged_identity/access.h"
#include "backends/privileged_identity/answers.h"
#include "backends/privileged_identity/profile.h"
#include "commands/doctor/stages.h"
#include "loop/upstream/upstream.h"

#define PI_SEEN_SIZE 320

struct pi_doctor {
    struct doctor *d;
    const struct conf_vault *conf;
    struct upstream *up;
    struct pi_profile *profile;
    struct pi_access *access;
    struct secret password, token;
    bool has_skew;
    int64_t skew_ms, skew_error_ms; /* the vault's clock less this machine's */
};

/* What was seen of one answer: never a value. */
struct pi_seen {
    int err; /* 0 = an answer is here */
    bool sent;
    int status;
    char type[64];
    char text[PI_SEEN_SIZE]; /* status, content type, names and types of members, words of a failure */
    struct pi_answer answer;
};

/* One call of this operation, waited for; pi_seen_free() it. `credential` NULL = it needs none. With the
 * token that is there. */
void pi_doctor_call(struct pi_doctor *, enum pi_operation, const struct pi_credential *, struct pi_seen *);
/* GET of the service's own page. */
void pi_doctor_page(struct pi_doctor *, struct pi_seen *);
void pi_seen_free(struct pi_seen *);

/* Secrets, profile and map; the stages follow in the order of doctor.c. False = no further stage. */
bool pi_doctor_secrets(struct doctor *);
bool pi_doctor_mapping(struct doctor *);
bool pi_doctor_open(struct doctor *);
bool pi_doctor_api(struct doctor *);
bool pi_doctor_sign_in(struct doctor *);
bool pi_doctor_role(struct doctor *);
bool pi_doctor_list(struct doctor *); /* pi_list.c */
bool pi_doctor_policy(struct doctor *);
void pi_doctor_clock(struct doctor *);
bool pi_doctor_probe(struct doctor *); /* pi_probe.c */
void pi_doctor_free(struct doctor *);
/* The token is signed out, if there is one. */
void pi_doctor_sign_out(struct pi_doctor *);

#endif
