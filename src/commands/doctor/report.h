/*
 * report.h - the stages of the doctor and the finding of each.
 *
 * A stage is unknown until it is reported ok or failed; the last report counts. Cause and remedy are
 * sentences for a reader who is new to the system. Notes are the observations behind them, one a line. No
 * secret may be written here.
 */
#ifndef JG_COMMANDS_DOCTOR_REPORT_H
#define JG_COMMANDS_DOCTOR_REPORT_H

#include "base/buf.h"
#include "commands/doctor/checklist.h"
#include "commands/doctor/table.h"

#include <stdbool.h>
#include <stdio.h>

enum doctor_state { STATE_UNKNOWN, STATE_OK, STATE_WARNING, STATE_FAILED };

#define REPORT_NOTES 40

struct doctor_finding {
    enum doctor_state state;
    const char *fault; /* a code for programs; NULL = the stage has none */
    char detail[512], cause[768], remedy[768];
    char *note[REPORT_NOTES];
    size_t nnotes;
};

struct doctor_report {
    const char *conf, *vault, *user, *host; /* vault NULL = not known yet; user NULL = the site alone */
    const char *site;                       /* NULL = none is looked at */
    bool etcd;                              /* the store is one */
    bool shared_identity;                   /* the vault's list is the same for every user */
    const struct checklist *checklist;      /* of the probe; NULL = none is made */
    enum doctor_stage stage;                /* the present one */
    struct doctor_finding of[STAGE_N];
};

void report_free(struct doctor_report *);

/*
 * Writes a part of the finding of the present stage. A stage that failed has its observation (REPORT_FAILED),
 * a cause and a remedy. A warning has the same and does not fail.
 */
enum report_part {
    REPORT_OK,
    REPORT_UNKNOWN,
    REPORT_WARNING,
    REPORT_FAILED,
    REPORT_CAUSE,
    REPORT_REMEDY,
    REPORT_NOTE
};
void report_write(struct doctor_report *, enum report_part, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* 0, or the code of the first stage that failed. */
int report_exit_code(const struct doctor_report *);
void report_print(const struct doctor_report *, struct buf *);
void report_json(const struct doctor_report *, struct buf *);

#endif
