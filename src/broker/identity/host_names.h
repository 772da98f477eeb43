/*
 * host_names.h - the names under which a session's endpoint is asked for at a vault, and how two names
 * compare.
 *
 * Not here: the queries made of the names (find/find_queries.h).
 */
#ifndef JG_BROKER_IDENTITY_HOST_NAMES_H
#define JG_BROKER_IDENTITY_HOST_NAMES_H

#include "broker/identity/session.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stddef.h>

/* Of each of the four members of the session: as given, and a short name or the usual spelling; at most
 * eight. */
#define HOST_NAMES_MAX 8

struct host_name {
    enum conf_name_form form;
    bool ip;     /* an address literal: asked for by address */
    char *value; /* as asked: without trailing dot or brackets */
};

struct host_names {
    struct host_name name[HOST_NAMES_MAX];
    size_t n;
};

/* All names the session gives for its endpoint. 0 or -ENOMEM. */
int host_names_make(const struct session *, struct host_names *);
void host_names_free(struct host_names *);

/* The form's word in the configuration: "hostname". */
const char *host_name_form_word(enum conf_name_form);

/* The names of the forms in a vault's `match`, in its order, equal values once. Returns how many. */
size_t host_names_select(const struct host_names *, const struct conf_vault *,
                         const struct host_name *out[HOST_NAMES_MAX]);

/* The same endpoint name: case, a trailing dot, brackets and the spelling of an address aside. NULL = no. */
bool host_name_equal(const char *, const char *);
/* Exact host match (docs/find.md): one of the session's names is host_name_equal() to this one. */
bool session_has_host_name(const struct session *, const char *name);
/* The name is the first label of a full domain name that the session gives. */
bool session_has_short_name(const struct session *, const char *name);
/* The session names an endpoint, or at least an application. */
bool session_has_target(const struct session *);

#endif
