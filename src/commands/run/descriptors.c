/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptors.c - how many file descriptors clients may use; see descriptors.h.
 */
#include "commands/run/descriptors.h"

#include "base/log.h"
#include "loop/server/server.h"

#include <inttypes.h>
#include <sys/resource.h>

#define OWN_FILES   64 /* store, audit trail, log, loop, listeners, resolver, files being read */
#define OF_STORE    64 /* connections to etcd */
#define LEAST_SHARE 8  /* clients get at least 1/LEAST_SHARE of the limit */

static uint64_t reserve(const struct conf *conf)
{
    uint64_t n = OWN_FILES + HTTP_MAX_SEPARATE;

    for (size_t i = 0; i < conf->nvaults; i++)
        n += conf->vaults[i].connections;
    if (conf->store.type == STORE_ETCD)
        n += OF_STORE;
    return n;
}

void descriptors_raise(const struct conf *conf)
{
    struct rlimit limit;
    uint64_t wanted = conf->gateway.max_connections + reserve(conf);

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            return;
    }
    if (limit.rlim_cur < wanted)
        log_warn("few_descriptors", "limit=%" PRIu64 " wanted=%" PRIu64 " max_connections=%zu hint=%s",
                 (uint64_t)limit.rlim_cur, wanted, descriptors_for_clients(conf),
                 "raise LimitNOFILE or lower max_connections");
}

size_t descriptors_for_clients(const struct conf *conf)
{
    uint64_t all = conf->gateway.max_connections, reserved = reserve(conf), room;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return all;
    room = limit.rlim_cur / LEAST_SHARE;
    if (limit.rlim_cur > reserved && limit.rlim_cur - reserved > room)
        room = limit.rlim_cur - reserved;
    if (room > all)
        room = all;
    return room ? room : 1;
}
