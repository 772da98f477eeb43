/*
 * etcd.h - the leases of a cluster in etcd, for `jumpgate leases` on a machine whose gateway does not run.
 *
 * Leases end here only while no gateway of the cluster lives: a gateway that does is asked instead. Those
 * that have died are fenced before, so that one which was only paused finds that out, and takes nothing for
 * its own.
 */
#ifndef JG_COMMANDS_LEASES_ETCD_H
#define JG_COMMANDS_LEASES_ETCD_H

#include "commands/leases/offline.h"
#include "commands/store_calls.h"
#include "commands/store_command.h"

struct leases_etcd {
    struct offline_store store;
    struct store_command command;
    struct store_calls calls;
};

/* 0, or an exit code after saying why; leases_etcd_close() in any case. */
int leases_etcd_open(struct leases_etcd *, const struct command_args *);
void leases_etcd_close(struct leases_etcd *);

/* Is a gateway of this name in the cluster, or are its requests taken over? 0 and *is, or an exit code after
 * saying why. */
int leases_etcd_find_node(struct leases_etcd *, const char *node, bool *is);

#endif
