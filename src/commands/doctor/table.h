/*
 * table.h - the stages of the doctor, one row each: the word in page and JSON, the exit code, and what
 * is checked, as docs/doctor.md says it.
 *
 * The exit codes are part of the interface: a stage keeps its number. 2 is not used: it means a wrong command
 * line.
 */
#ifndef JG_COMMANDS_DOCTOR_TABLE_H
#define JG_COMMANDS_DOCTOR_TABLE_H

#include "base/buf.h"

enum doctor_stage {
    STAGE_CONFIGURATION,
    STAGE_SECRETS,
    STAGE_MAPPING,
    STAGE_DNS,
    STAGE_TCP,
    STAGE_TLS,
    STAGE_API,
    STAGE_SIGN_IN,
    STAGE_ROLE,
    STAGE_LIST,
    STAGE_POLICY,
    STAGE_STORE_REACH, /* the first of a store on etcd */
    STAGE_STORE_API,
    STAGE_STORE_SIGN_IN,
    STAGE_STORE_QUORUM,
    STAGE_STORE_WRITE,
    STAGE_STORE_HISTORY,
    STAGE_STORE_CLUSTER,
    STAGE_CLOCK,
    STAGE_PROBE,      /* of a Privileged Identity */
    STAGE_PRA_SECRET, /* the first of the PRA site's */
    STAGE_PRA_DNS,
    STAGE_PRA_TCP,
    STAGE_PRA_TLS,
    STAGE_PRA_PROBE,
    STAGE_PRA_TOKEN,
    STAGE_PRA_COMMAND,
    STAGE_PRA_PERMISSIONS,
    STAGE_PRA_ROLE,
    STAGE_PRA_CLOCK,
    STAGE_PRA_REPORTING,
    STAGE_PRA_JUMPOINT,
    STAGE_LISTENER, /* the first of the gateway's own */
    STAGE_CERTIFICATE,
    STAGE_STATE,
    STAGE_DISK,
    STAGE_N
};

struct doctor_row {
    const char *name;
    int exit_code;
    const char *what; /* in Markdown, without `|` */
};

extern const struct doctor_row doctor_rows[STAGE_N];

/* The rows of the stages [from, to) as docs/doctor.md has them. */
void doctor_table_print(enum doctor_stage from, enum doctor_stage to, struct buf *out);

#endif
