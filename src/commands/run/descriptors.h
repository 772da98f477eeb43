/*
 * descriptors.h - how many file descriptors clients may use.
 *
 * The limit of the process (RLIMIT_NOFILE) is shared by clients, by connections to vaults, and by the
 * gateway's own files. Clients get the limit less a reserve for every vault connection that the configuration
 * allows, for the control socket, and for store, audit trail, log, resolver and files being read.
 */
#ifndef JG_COMMANDS_RUN_DESCRIPTORS_H
#define JG_COMMANDS_RUN_DESCRIPTORS_H

#include "conf/conf.h"

#include <stddef.h>

/* Raises the limit as far as the system allows; logs a warning if it is too low for the configured
 * connections. */
void descriptors_raise(const struct conf *);
/* max_connections, or fewer if the descriptors are too few; never 0. */
size_t descriptors_for_clients(const struct conf *);

#endif
