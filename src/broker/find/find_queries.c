/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find_queries.c - the queries of a find: each name for each kind of account that the endpoint may have.
 *
 * Local, domain-linked and database accounts are asked for by name or by address. Cloud accounts have no
 * address and are asked for by name, unless the jump method reaches no cloud. Applications are asked for by
 * their display name, where the session gives one. Aliases cannot be asked for by system: all aliases of the
 * user are listed once, and find_rows.c leaves out what does not belong to the endpoint.
 */
#include "broker/find/find_queries.h"

#define DEFAULT_KINDS                                                                                        \
    (1U << KIND_LOCAL | 1U << KIND_DOMAIN_LINKED | 1U << KIND_APPLICATION | 1U << KIND_DATABASE |            \
     1U << KIND_CLOUD)

static const enum account_kind host_kinds[] = {KIND_LOCAL, KIND_DOMAIN_LINKED, KIND_DATABASE};
#define NHOST_KINDS (sizeof(host_kinds) / sizeof(host_kinds[0]))
_Static_assert(HOST_NAMES_MAX *(NHOST_KINDS + 1) + 2 <= FANOUT_QUERIES_MAX,
               "every name, every kind, application and aliases");

static unsigned kinds_of(const struct conf_vault *conf)
{
    return conf->kinds ? conf->kinds : DEFAULT_KINDS;
}

bool find_queries_has_kind(const struct conf_vault *conf, enum account_kind kind)
{
    return kinds_of(conf) & 1U << kind;
}

static bool given(const char *text)
{
    return text && *text;
}

static bool may_be_cloud(const struct session *session)
{
    return session->method == METHOD_NONE || session->method == METHOD_WEB || session->method == METHOD_OTHER;
}

size_t find_queries_make(const struct session *session, const struct conf_vault *conf,
                         const struct host_name *const *names, size_t nnames,
                         struct account_query out[FANOUT_QUERIES_MAX])
{
    unsigned kinds = kinds_of(conf);
    const char *workgroup = conf->restrict_network && given(session->network_id) ? session->network_id : NULL;
    size_t n = 0;

    for (size_t i = 0; i < nnames; i++)
        for (size_t k = 0; k < NHOST_KINDS; k++)
            if (kinds & 1U << host_kinds[k])
                out[n++] = (struct account_query){
                    .kind = host_kinds[k],
                    .system = names[i]->ip ? NULL : names[i]->value,
                    .ip = names[i]->ip ? names[i]->value : NULL,
                    .workgroup = workgroup,
                };
    for (size_t i = 0; i < nnames && kinds & 1U << KIND_CLOUD && may_be_cloud(session); i++)
        if (!names[i]->ip)
            out[n++] =
                (struct account_query){.kind = KIND_CLOUD, .system = names[i]->value, .workgroup = workgroup};
    if (kinds & 1U << KIND_APPLICATION && given(session->application))
        out[n++] = (struct account_query){
            .kind = KIND_APPLICATION, .application = session->application, .workgroup = workgroup};
    if (kinds & 1U << KIND_ALIAS && (nnames || given(session->application)))
        out[n++] = (struct account_query){.kind = KIND_ALIAS};
    return n;
}

bool find_queries_alias_fits(const struct session *session, const struct account *alias)
{
    return session_has_host_name(session, alias->system) || session_has_host_name(session, alias->alias) ||
           host_name_equal(session->application, alias->alias) ||
           session_has_short_name(session, alias->system) || session_has_short_name(session, alias->alias);
}
