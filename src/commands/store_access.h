/*
 * store_access.h - the way to etcd as [store] describes it, for the gateway and for commands beside it.
 */
#ifndef JG_COMMANDS_STORE_ACCESS_H
#define JG_COMMANDS_STORE_ACCESS_H

#include "conf/conf.h"
#include "stores/etcd_client.h"

#define STORE_ACCESS_WHY 320

/* The options of a client; their texts are the configuration's, and the password is read into `password`,
 * which outlives the opening of the client. 0, or -errno and why. */
int store_access(const struct conf_store *, struct etcd_client_opts *out, struct secret *password,
                 char why[STORE_ACCESS_WHY]);

#endif
