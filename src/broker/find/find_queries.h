/*
 * find_queries.h - the queries of one find to one vault: the selected host names, times the kinds of account
 * that the endpoint may have. Pure functions; the texts of the queries belong to the names and the session.
 *
 * Not here: which names (identity/host_names.h), sending (vault_fanout.h).
 */
#ifndef JG_BROKER_FIND_FIND_QUERIES_H
#define JG_BROKER_FIND_FIND_QUERIES_H

#include "broker/find/vault_fanout.h"
#include "broker/identity/host_names.h"

/* Writes the queries for the selected names; returns how many. */
size_t find_queries_make(const struct session *, const struct conf_vault *,
                         const struct host_name *const *names, size_t nnames,
                         struct account_query out[FANOUT_QUERIES_MAX]);
/* Is this kind asked for at all? */
bool find_queries_has_kind(const struct conf_vault *, enum account_kind);
/* The alias belongs to the endpoint: by its system, or by a name equal to the endpoint's. */
bool find_queries_alias_fits(const struct session *, const struct account *);

#endif
