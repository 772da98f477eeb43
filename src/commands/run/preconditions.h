/*
 * preconditions.h - what must hold on this machine for a gateway with this configuration to start.
 *
 * One list for both: `jumpgate check` reports all of it, and `jumpgate run` goes through it as its own user
 * before it opens anything. What can only be found out by opening (a port, a lock) stays with the opening;
 * check tries it out (enum preconditions_of).
 *
 * Nothing is changed: no file is made, none is opened for writing.
 */
#ifndef JG_COMMANDS_RUN_PRECONDITIONS_H
#define JG_COMMANDS_RUN_PRECONDITIONS_H

#include "base/json.h"
#include "commands/line/findings.h"
#include "commands/run/passed_sockets.h"
#include "conf/conf.h"

struct preconditions {
    const struct conf *conf;
    const char *file;                    /* the configuration: where the lines are */
    const struct passed_sockets *passed; /* their listeners are the service manager's; NULL = none */
    bool from_root;       /* root starts the gateway: it may change owners, and opens low ports */
    bool makes_state_dir; /* so a missing one is made */
    bool rebuild;         /* a damaged store is moved aside */
    bool runs;            /* a gateway runs on this state directory, */
    const cJSON *running; /* with this configuration (conf_diff.h); NULL = it does not say */
};

/* What the gateway's user must be able to do: state directory, store, log, audit trail, Unix sockets. */
void preconditions_files(const struct preconditions *, struct findings *);
/* The same for `run`: findings go to stderr. 0, or the -errno of the mistake that decides about the exit
 * code. */
int preconditions_at_start(const struct preconditions *);
/* For check, and while the process is who starts the gateway: can the listeners be opened? */
void preconditions_ports(const struct preconditions *, struct findings *);
/* For check: what TLS libraries accept, and certificates that end soon. */
void preconditions_tls(const struct preconditions *, struct findings *);

#endif
