/*
 * commands.h - the commands of jumpgate-reports, one function for each row of command_table.c. Each returns
 * its exit code; what failed is on stderr. What the codes mean is in the row.
 */
#ifndef JG_REPORTS_COMMANDS_COMMANDS_H
#define JG_REPORTS_COMMANDS_COMMANDS_H

#include "commands/line/command_line.h"

extern const struct program reports_program;
extern const struct command reports_commands[];

#define REPORTS_SOME_FAILED 3 /* of collect: some sources were not complete */

int reports_run(const struct command_args *);
int reports_collect(const struct command_args *);
int reports_export(const struct command_args *);
int reports_migrate(const struct command_args *);
int reports_check_command(const struct command_args *);
int reports_user_add(const struct command_args *);
int reports_user_password(const struct command_args *);
int reports_user_list(const struct command_args *);
int reports_config(const struct command_args *);
int reports_version(const struct command_args *);

#endif
