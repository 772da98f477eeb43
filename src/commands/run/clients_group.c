/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients_group.c - the default group of the Unix sockets; see clients_group.h.
 *
 * The owner of a file may give it to a group of its own without a privilege, so membership is the condition.
 */
#include "commands/run/clients_group.h"

#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_member(gid_t group)
{
    int n = getgroups(0, NULL);
    gid_t *all = n > 0 ? calloc((size_t)n, sizeof(*all)) : NULL;
    bool found = getegid() == group;

    n = all ? getgroups(n, all) : 0;
    for (int i = 0; i < n; i++)
        found = found || all[i] == group;
    free(all);
    return found;
}

const char *clients_group(void)
{
    const struct group *group = getgrnam(CLIENTS_GROUP);

    return group && is_member(group->gr_gid) ? CLIENTS_GROUP : NULL;
}
