/*
 * usermap.h - the vault users that a PRA user is tried as (docs/find.md).
 *
 * A person in `user_map` is the vault user named there and no other. For all others the `run_as` templates of
 * a vault are expanded in order over {username} and {domain}: default_domain where the session has none, and
 * the name that `domain_map` gives it. A template that needs a missing part is skipped; equal results count
 * once. A part that is given and cannot be written ends the candidates at its template. The next candidate is
 * tried only after the vault has refused the sign-in of the present one (VAULT_REFUSED), never because a list
 * was empty; names are never folded for identity. The bare name is tried only where a rule says so. With
 * OAuth there is one identity, the application user: "application:CLIENT_ID".
 */
#ifndef JG_BROKER_IDENTITY_USERMAP_H
#define JG_BROKER_IDENTITY_USERMAP_H

#include "backends/backend.h"
#include "broker/identity/session.h"

#include <stdbool.h>
#include <stddef.h>

#define USERMAP_MAX       8   /* templates per vault; the configuration table says so too */
#define USERMAP_USER_SIZE 520 /* domain 256 + '\' + username 256 and the NUL, in bytes */
#define USERMAP_WHY_SIZE  288

/* The candidates of one session at one vault, and the present one; owns its texts. */
struct usermap {
    char *user[USERMAP_MAX];
    size_t n;
    size_t current;
    char ended[USERMAP_WHY_SIZE]; /* why no candidate follows the last: a part that cannot be written;
                                     "" = the rules are used up */
};

/* 0 (n may be 0: no rule applies) or -ENOMEM. */
int usermap_expand(const struct conf_vault *, const struct session *, struct usermap *);
/* The same at this vault: where all calls act as its principal, that one alone. */
int usermap_at(const struct vault *, const struct session *, struct usermap *);
void usermap_free(struct usermap *);
/* The present candidate; NULL = all are used up. */
const char *usermap_user(const struct usermap *);
/* After a refusal: the next candidate; false = there is none. */
bool usermap_next(struct usermap *);
/* "no run_as rule applies to …", "tried A, B", or why no candidate follows: for the detail of a fault. */
void usermap_explain(const struct usermap *, const struct session *, char *out, size_t size);

#endif
