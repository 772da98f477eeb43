/*
 * list_share.h - which vault users' lists of live requests this gateway asks for, where the store is shared.
 *
 * Each (vault, user) belongs to one of the living gateways: the one whose hash with both is the highest. So
 * when a gateway dies or comes, only its own share moves. A list is compared with the rows of all gateways,
 * which are read before (one scan of the store in each round). The scan also shows the leases for whose
 * sessions the site is to be asked (lsid_index.h).
 *
 * Invariant: every held request belongs to a list that some gateway asks for. So gateways of another
 * configuration do not count, since they may lack the vault: each of two configurations shares all lists
 * among its own gateways; and a gateway that could not read the store asks for all lists of its own requests.
 *
 * Life: list_share_scan() in each round -> list_share_judge() with each list -> list_share_free().
 */
#ifndef JG_BROKER_LEASES_LIST_SHARE_H
#define JG_BROKER_LEASES_LIST_SHARE_H

#include "backends/backend.h"
#include "stores/store.h"

struct leases;

struct list_share {
    struct store_question question;
    struct other_request *others; /* of other gateways, in this gateway's share */
    bool is_unread;               /* the store could not be read in this round */
    void (*done)(struct leases *);
};

/* The list of this user belongs to this gateway. */
bool list_share_is_mine(const struct leases *, const char *vault, const char *user);
/* Expects the requests of other gateways in the lists of the share; then `done`, perhaps at once. While it
 * goes on a further call does nothing. */
void list_share_scan(struct leases *, void (*done)(struct leases *));
/* As active_requests_owner.expected, of a request that is not in the table. */
bool list_share_judge(struct leases *, const struct vault *, const char *name, const struct active_request *);
/* It is the request of another gateway, as the scan has shown. */
bool list_share_has(const struct leases *, const struct vault *, const char *name);
void list_share_free(struct leases *);

#endif
