/*
 * folders.h - the folders that session reports make: the state directory and what is in it.
 *
 * All of them are made at one place, before the sandbox is set: behind it no folder can be made. So no other
 * file of session reports makes one (tools/check-banned).
 */
#ifndef JG_REPORTS_COMMANDS_RUN_FOLDERS_H
#define JG_REPORTS_COMMANDS_RUN_FOLDERS_H

#include "reports/conf/reports_conf.h"

#define FOLDERS_WHY 320

/* Folders that are there stay as they are. `collects`: this process does; a page alone has a folder for its
 * trail instead. 0, or -errno and why. */
int folders_make(const struct reports_conf *, bool collects, char why[FOLDERS_WHY]);
/* The state directory alone. 0, or -errno and why. */
int folders_make_state(const struct reports_conf *, char why[FOLDERS_WHY]);

#endif
