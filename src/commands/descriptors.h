/*
 * descriptors.h - how many file descriptors clients may use.
 *
 * The limit of the process (RLIMIT_NOFILE) is shared by clients, by connections to vaults, and by the
 * gateway's own files. Clients get what the others leave: a reserve for every vault connection that the
 * configuration allows, for the control socket, and for store, audit trail, log, resolver and files being
 * read.
 */
#ifndef JG_COMMANDS_DESCRIPTORS_H
#define JG_COMMANDS_DESCRIPTORS_H

#include "conf/conf.h"

#include <stddef.h>

/* As many as the system grants; a word in the log where they are too few for the configured connections. */
void descriptors_raise(const struct conf *);
/* max_connections, or what the descriptors leave of it; never 0. */
size_t descriptors_for_clients(const struct conf *);

#endif
