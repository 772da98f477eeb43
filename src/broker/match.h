/*
 * match.h - under which names an endpoint is asked for, and how a name compares. Plain functions, no vault.
 */
#ifndef JG_BROKER_MATCH_H
#define JG_BROKER_MATCH_H

#include "base/conf.h"
#include "broker/session.h"

#include <stdbool.h>
#include <stddef.h>

/* The four members of the session, and a short name of each of the three that are names. */
#define MATCH_MAX 7

struct match_name {
    enum conf_name_form form;
    bool ip;     /* an address literal: asked for by address */
    char *value; /* as asked: without trailing dot or brackets */
};

struct match_names {
    struct match_name name[MATCH_MAX];
    size_t n;
};

/* All names the session gives for its endpoint. 0 or -ENOMEM. */
int match_names_make(const struct session *, struct match_names *);
void match_names_free(struct match_names *);

/* Those that a vault's `match` wants, in its order, equal values once. Returns how many. */
size_t match_names_select(const struct match_names *, const struct conf_vault *,
                          const struct match_name *out[MATCH_MAX]);

/* Exact host match: the system's name is one of the given names as written, without case (contract 9.5). */
bool match_is_exact(const struct session *, const char *system);
/* Does the session name an endpoint, or at least an application? */
bool match_is_possible(const struct session *);

/* Order of texts that are shown: without case first, then byte by byte. */
int match_compare(const char *a, const char *b);

/* How well a name fits what somebody typed; less is better. */
enum match_rank { MATCH_EXACT, MATCH_PREFIX, MATCH_WORD_START, MATCH_INSIDE, MATCH_NOT };
enum match_rank match_rank(const char *query, const char *name);

#endif
