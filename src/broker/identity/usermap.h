/*
 * usermap.h - which vault user a PRA user is (docs/find.md).
 *
 * A person in `user_map` is the vault user named there and nobody else. For all others the `run_as` templates
 * of a vault are expanded in order over {username} and {domain}: default_domain where the session has none,
 * and the name that `domain_map` gives it. A template that needs a missing part is skipped, equal results are
 * dropped. A template whose part is there and cannot be written ends the walk, refused. A candidate advances
 * only on a refusal that the vault itself gave to that candidate's own sign-in (VAULT_REFUSED), never because
 * a list was empty; names are never folded for identity. The bare name is never tried unless a rule says so.
 * With OAuth there is one identity, the application user: "application:CLIENT_ID".
 */
#ifndef JG_BROKER_IDENTITY_USERMAP_H
#define JG_BROKER_IDENTITY_USERMAP_H

#include "broker/identity/session.h"
#include "conf/conf.h"

#include <stdbool.h>
#include <stddef.h>

#define USERMAP_MAX       8   /* templates per vault; the configuration table says so too */
#define USERMAP_USER_SIZE 520 /* domain 256 + '\' + username 256 and the NUL, in bytes */
#define USERMAP_WHY_SIZE  288

/* The candidates of one session at one vault and where we are in them; owns its texts. */
struct usermap {
    char *user[USERMAP_MAX];
    size_t n;
    size_t current;
    char ended[USERMAP_WHY_SIZE]; /* why the walk ends behind the last candidate: a part that cannot be
                                     written; "" = it ends with the rules */
};

/* 0 (n may be 0: no rule applies) or -ENOMEM. */
int usermap_expand(const struct conf_vault *, const struct session *, struct usermap *);
void usermap_free(struct usermap *);
/* NULL when all are used up. */
const char *usermap_user(const struct usermap *);
/* After a refusal: goes to the next one; false when there is none. */
bool usermap_next(struct usermap *);
/* "no run_as rule applies to …" / "tried A, B" / why the walk ended: for the fault's detail, which names the
 * causes as well. */
void usermap_explain(const struct usermap *, const struct session *, char *out, size_t size);

#endif
