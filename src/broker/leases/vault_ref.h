/*
 * vault_ref.h - the vaults that leases name: those of the configuration, and those that only rows still know.
 *
 * A row names its vault by section name and url. A vault is known by its url, so a section that was renamed
 * is found; where no section has this url, or the row has none, by the name. A vault that is no longer
 * configured is represented by one that refuses to start any call: its rows are kept and shown, their
 * check-ins wait, and all of it goes on when the vault is configured again.
 *
 * Life cycle: made once per section at the start, and once per unknown vault of a row; freed with the lease
 * table.
 */
#ifndef JG_BROKER_LEASES_VAULT_REF_H
#define JG_BROKER_LEASES_VAULT_REF_H

#include "backends/backend.h"
#include "broker/leases/checkin_queue.h"
#include "broker/leases/spin_outcome.h"

struct leases;

struct vault_ref {
    struct leases *leases; /* the table of its requests */
    struct vault *vault;
    size_t number;    /* the same for sections that lead to one vault */
    char *url;        /* address_url_identity(); "" = not known */
    char *moved_from; /* another url, which restored rows name; NULL = none does */
    bool absent;      /* no longer configured; `vault` belongs to this vault_ref */
    struct checkin_queue checkins;
    struct known_user *users;       /* known_users.c */
    uint64_t spins[SPIN_NOUTCOMES]; /* so far */
};

struct vault_refs {
    struct leases *leases;
    struct vault_ref **refs;
    size_t n;
};

int vault_refs_add(struct vault_refs *, struct vault *); /* 0 or -ENOMEM */
/* NULL = not added. */
struct vault_ref *vault_ref_find(const struct vault_refs *, const struct vault *);
/* The vault of a row, made if there is none. `strict`: only where it is at that url. NULL = out of memory. */
struct vault_ref *vault_ref_of_row(struct vault_refs *, const char *name, const char *url, bool strict);
/* Warns that leases wait for a vault that is no longer configured. */
void vault_ref_warn_absent(const struct vault_ref *);
void vault_refs_free(struct vault_refs *);

#endif
