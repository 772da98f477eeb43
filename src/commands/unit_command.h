/*
 * unit_command.h - how to run a command with the credentials of the systemd unit.
 */
#ifndef JG_COMMANDS_UNIT_COMMAND_H
#define JG_COMMANDS_UNIT_COMMAND_H

#include "base/buf.h"

#include <stdbool.h>

/* Has the process a folder of credentials? */
bool unit_command_has_credentials(void);
/*
 * Where the configuration names credentials, the process is root's and has none of them, and systemd runs the
 * machine: the same command with the same words takes the place of this process, as a transient unit with the
 * credentials of jumpgate.service; `as_gateway`: as the unit's user. Returns in every other case, also where
 * a credential's file is missing or `conf_file` is no absolute path.
 */
void unit_command_run(const char *conf_file, bool as_gateway);
/*
 * Where the configuration names credentials: the one line that runs `command` (what follows "jumpgate ") as
 * the unit's user with the unit's credentials. Nothing is written otherwise. `root`: where the files of
 * systemd are, "" for the machine's own.
 */
void unit_command_write(struct buf *out, const char *root, const char *conf_file, const char *command);
/* Is that a mistake in the configuration about a credential that this process does not have, or cannot read?
 */
bool unit_command_lacks(const char *text);
/* The same line to stderr, for the words of this process, with a word before it. */
void unit_command_hint(const char *conf_file);

#endif
