/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_access.c - the way to etcd as [store] describes it; see store_access.h.
 *
 * The members are tried in the order of the configuration, from a place that the name of the node chooses, so
 * that the nodes of a cluster do not all begin with the same one.
 */
#include "commands/store_access.h"

#include "base/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* No answer of a member in this part of the ttl, and the next one is asked. */
#define TRIES_PER_TTL 4

static size_t first_place(const struct conf_store *s)
{
    unsigned char sum[DIGEST_SIZE];

    return s->node && digest_sha256(s->node, strlen(s->node), sum) == 0 ? sum[0] : 0;
}

int store_access(const struct conf_store *s, struct etcd_client_opts *out, struct secret *password,
                 char why[STORE_ACCESS_WHY])
{
    char fault[80];
    int err = s->password_file ? secret_read_line(password, s->password_file, fault) : 0;

    if (err) {
        (void)snprintf(why, STORE_ACCESS_WHY, "`password_file`: %.200s %s", s->password_file, fault);
        return err;
    }
    *out = (struct etcd_client_opts){.endpoints = (const char *const *)s->endpoints.item,
                                     .nendpoints = s->endpoints.n,
                                     .first = first_place(s),
                                     .ca_file = s->ca_file,
                                     .client_certificate = s->client_certificate,
                                     .client_key = s->client_key,
                                     .user = s->user,
                                     .password = password->p ? password : NULL,
                                     .timeout_ms = s->ttl_ms / TRIES_PER_TTL};
    return 0;
}
