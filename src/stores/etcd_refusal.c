/* SPDX-License-Identifier: Apache-2.0 */
/*
 * etcd_refusal.c - see etcd_refusal.h. The words are those of etcd 3.4.23.
 */
#include "stores/etcd_refusal.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *words;
    struct etcd_refusal refusal;
} known[] = {
    {"permission denied",
     {"the role of the user lacks the prefix",
      "grant it (etcdctl role grant-permission ROLE readwrite PREFIX --prefix)", true}},
    {"invalid user ID or password",
     {"etcd does not know the user or the password", "correct `user` and `password_file`", true}},
    {"user name is empty",
     {"etcd's users are turned on, and [store] has none", "set `user` and `password_file`", true}},
    {"CommonName",
     {"etcd's users are turned on, and it takes no client certificate with a Common Name then",
      "issue `client_certificate` without one", true}},
    {"authentication is not enabled",
     {"etcd's users are turned off, and [store] has one",
      "turn them on (etcdctl auth enable), or take `user` and `password_file` out and restart", true}},
    {"database space exceeded",
     {"etcd's quota is reached", "compact, etcdctl defrag each member, raise the quota, etcdctl alarm disarm",
      false}},
};

const struct etcd_refusal *etcd_refusal_of(const char *words)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(words, known[i].words))
            return &known[i].refusal;
    return NULL;
}
