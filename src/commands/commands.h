/*
 * commands.h - the commands of jumpgate, one function for each row of command_table.h. Each returns its exit
 * code; what failed is on stderr. What the codes mean is in the row.
 */
#ifndef JG_COMMANDS_COMMANDS_H
#define JG_COMMANDS_COMMANDS_H

#include "commands/line/command_line.h"

extern const struct program jumpgate_program;
extern const struct command command_table[]; /* its commands */

/* Exit codes of `jumpgate leases release`. */
#define EXIT_NO_LEASE      4
#define EXIT_ONLY_RELEASED 5
/* Exit codes of `jumpgate cluster`. */
#define EXIT_NOT_WHOLE 3
#define EXIT_ETCD_AWAY 4

int command_setup(const struct command_args *);
int command_run(const struct command_args *);
int command_status(const struct command_args *);
int command_explain(const struct command_args *);
int command_version(const struct command_args *);
int command_check(const struct command_args *);
int command_reload(const struct command_args *);
int command_doctor(const struct command_args *);
int command_cluster_list(const struct command_args *);
int command_cluster_forget(const struct command_args *);
int command_cluster_set_vault(const struct command_args *);
int command_cluster_upgrade(const struct command_args *);
int command_cluster_reconcile(const struct command_args *);
int command_leases_list(const struct command_args *);
int command_leases_release(const struct command_args *);
int command_leases_checkin(const struct command_args *);
int command_store_copy(const struct command_args *);
int command_top(const struct command_args *);
int command_audit_verify(const struct command_args *);
int command_config(const struct command_args *);

/* Runs `jumpgate-reports` with these words in place of this program. Comes back where that fails, after
 * saying why: EXIT_FAILED. */
int command_reports_exec(char **words);

#endif
