/*
 * doctor.h - `jumpgate doctor`: a dry run of one find, stage by stage, with causes and remedies.
 */
#ifndef JG_DOCTOR_H
#define JG_DOCTOR_H

#include <stdbool.h>

struct doctor_args {
    const char *conf;
    const char *user; /* U or DOMAIN\U; NULL with `pra` */
    const char *host;
    const char *vault; /* NULL = the only one */
    bool json;
    bool pra; /* the PRA site alone */
};

/* Exit code: 0 all is well, else that of the first stage that failed (docs/doctor.md). */
int command_doctor(const struct doctor_args *);

#endif
