/*
 * commands.h - the commands of jumpgate. Each returns its exit code; what failed is on stderr.
 */
#ifndef JG_COMMANDS_COMMANDS_H
#define JG_COMMANDS_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * `jumpgate run`: serves until SIGTERM or SIGINT. 0 stopped cleanly, 1 a failure. With `rebuild` a damaged
 * lease store is moved aside instead of being refused. With `allow_root` a gateway that root starts and no
 * `user` takes over may keep root's capabilities.
 */
int command_run(const char *conf_path, bool rebuild, bool allow_root);

struct doctor_args {
    const char *conf;
    const char *user; /* U or DOMAIN\U; NULL with `pra` */
    const char *host;
    const char *vault; /* NULL = the only one */
    bool json;
    bool pra; /* the PRA site alone */
};

/* `jumpgate doctor`: a dry run of one find, stage by stage, with causes and remedies. 0 all is well, else the
 * code of the first stage that failed (docs/doctor.md). */
int command_doctor(const struct doctor_args *);

struct leases_command {
    const char *conf;         /* name of the configuration */
    const char *const *words; /* "list"; "release" and an id */
    size_t nwords;
    bool json, all;
    bool terminate;                     /* with release: the session at the PRA site too */
    const char *user, *session, *state; /* NULL = any */
};

/* `jumpgate leases`: shows and ends leases, with the gateway running or not. 0 done, 1 failed, 2 the command
 * line was wrong, 4 no such lease, 5 released, and the session was not ended. */
int command_leases(const struct leases_command *);

/* `jumpgate audit verify FILE [FILE...]`: was the audit trail changed? `words` are those behind `audit`,
 * ended by NULL. 0 sound, 1 not sound, 2 not verified: the command line is wrong, or a file cannot be read.
 */
int command_audit(char **words);

#endif
