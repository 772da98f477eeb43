/*
 * own.h - shared by the stages of the gateway's own side: listeners, certificates, state, disk.
 *
 * They look at the configuration as it is written: its files may be at fault, which is what the stages find.
 * A stage goes through all of its objects. Its first problem is the finding, later ones are notes; a failure
 * takes the place of a warning. Nothing is changed, and a running gateway is not disturbed.
 */
#ifndef JG_COMMANDS_DOCTOR_OWN_H
#define JG_COMMANDS_DOCTOR_OWN_H

#include "base/json.h"
#include "commands/doctor/stages.h"

enum gateway_run { GATEWAY_NOT_KNOWN, GATEWAY_RUNS, GATEWAY_STOPPED };

struct own_side {
    struct doctor *d;
    const struct conf *conf;
    enum gateway_run run; /* a gateway with this state directory */
    uid_t uid;            /* of the gateway */
    gid_t gid;
};

struct own_remedy {
    const char *cause, *remedy;
};

/* A problem of the present stage: REPORT_FAILED or REPORT_WARNING, with what was seen as the format. */
void own_problem(struct own_side *, enum report_part, struct own_remedy, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The stage is in order, unless a problem was found. */
void own_good(struct own_side *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* holder.c: the service manager listens there, for socket activation. */
bool own_is_activated(const struct conf_listener *);

/* listener.c, certificate.c, state.c */
void own_listeners(struct own_side *);
void own_certificates(struct own_side *);
void own_state(struct own_side *);
void own_disk(struct own_side *);

#endif
