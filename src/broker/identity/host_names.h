/*
 * host_names.h - under which names an endpoint is asked for, and how a name compares. Plain functions, no
 * vault.
 */
#ifndef JG_BROKER_IDENTITY_HOST_NAMES_H
#define JG_BROKER_IDENTITY_HOST_NAMES_H

#include "broker/identity/session.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stddef.h>

/* The four members of the session; of each a short name, or the usual spelling; as many as there is room for.
 */
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

/* As the configuration calls it: "hostname". */
const char *host_names_form_word(enum conf_name_form);

/* Those that a vault's `match` wants, in its order, equal values once. Returns how many. */
size_t host_names_select(const struct host_names *, const struct conf_vault *,
                         const struct host_name *out[HOST_NAMES_MAX]);

/* Exact host match: the system's name is one of the given names (contract 9.5), as host_names_same()
 * compares. */
bool host_names_is_exact(const struct session *, const char *system);
/* The same endpoint name: case, a trailing dot, brackets and the spelling of an address aside. NULL = no. */
bool host_names_same(const char *, const char *);
/* The name is the first label of a full domain name that the session gives. */
bool host_names_is_short(const struct session *, const char *name);
/* Does the session name an endpoint, or at least an application? */
bool host_names_is_possible(const struct session *);

/* Order of texts that are shown: without case first, then byte by byte. */
int host_names_compare(const char *a, const char *b);

/* How well a name fits what somebody typed; less is better. */
enum match_rank { MATCH_EXACT, MATCH_PREFIX, MATCH_WORD_START, MATCH_INSIDE, MATCH_NOT };

#endif
