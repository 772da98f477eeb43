/*
 * find_queries.h - what a vault is asked for on behalf of a find.
 */
#ifndef JG_BROKER_FIND_FIND_QUERIES_H
#define JG_BROKER_FIND_FIND_QUERIES_H

#include "broker/find/vault_fanout.h"
#include "broker/identity/host_names.h"

/* All questions for the names that were selected; returns how many. */
size_t find_ask(const struct session *, const struct conf_vault *, const struct host_name *const *names,
                size_t nnames, struct account_query out[VAULT_FANOUT_MAX]);
/* Does the alias stand for something on the endpoint, or bear its name? */
bool find_ask_alias_fits(const struct session *, const struct account *);

#endif
