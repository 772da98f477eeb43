/*
 * usermap.h - which vault user a PRA user is (contract 4.6, 9.2).
 *
 * A person in `user_map` is the vault user named there and nobody else. For all others the `run_as` templates
 * of a vault are expanded in order over {username} and {domain}: default_domain where the session has none,
 * and the name that `domain_map` gives it. A template that needs a missing part is skipped, equal results are
 * dropped. The first candidate whose sign-in the vault accepts is the user; the next one is tried only when
 * sign-in was refused (VAULT_REFUSED), never because a list was empty. The bare name is never tried unless a
 * rule says so. With OAuth there is one identity, the application user: "application:CLIENT_ID".
 */
#ifndef JG_BROKER_USERMAP_H
#define JG_BROKER_USERMAP_H

#include "base/conf.h"
#include "broker/session.h"

#include <stdbool.h>
#include <stddef.h>

#define USERMAP_MAX       8   /* templates per vault; the configuration table says so too */
#define USERMAP_USER_SIZE 520 /* domain 256 + '\' + username 256 and the NUL */

/* The candidates of one session at one vault and where we are in them; owns its texts. */
struct usermap {
    char *user[USERMAP_MAX];
    size_t n;
    size_t current;
};

/* 0 (n may be 0: no rule applies) or -ENOMEM. */
int usermap_expand(const struct conf_vault *, const struct session *, struct usermap *);
void usermap_free(struct usermap *);
/* NULL when all are used up. */
const char *usermap_user(const struct usermap *);
/* After a refusal: goes to the next one; false when there is none. */
bool usermap_next(struct usermap *);
/* "no run_as rule applies to …" / "tried A, B": for the fault's detail, which names the causes as well. */
void usermap_explain(const struct usermap *, const struct session *, char *out, size_t size);

#endif
