/*
 * sandbox.h - the sandbox (base/sandbox.h) of session reports with this configuration.
 *
 * It writes below the state directory and where log and audit trail are, and reads its configuration,
 * certificates, the trails of gateways, and what libraries read. Its system calls are the gateway's list.
 */
#ifndef JG_REPORTS_COMMANDS_RUN_SANDBOX_H
#define JG_REPORTS_COMMANDS_RUN_SANDBOX_H

#include "reports/conf/reports_conf.h"

#define REPORTS_SANDBOX_WHY 256

/* Behind folders_make(), since a rule needs a folder that is there, and before the first thread: restricts
 * capabilities and files. 0, or -errno and why. */
int reports_sandbox_start(const struct reports_conf *, const char *conf_file, char why[REPORTS_SANDBOX_WHY]);
/* With an open listener and database, before the first request: drops the other capabilities, restricts
 * system calls. */
int reports_sandbox_serve(const struct reports_conf *, char why[REPORTS_SANDBOX_WHY]);

#endif
