/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holder.c - is a listening socket the service manager's? With socket activation process 1 holds the
 * addresses of a gateway that does not run, which is no fault.
 *
 * The kernel's tables name the inode of each listening socket, and /proc/1/fd the inodes of process 1. Only
 * root may read the latter; for every other user the answer is no.
 */
#include "commands/doctor/own.h"

#include "conf/conf.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE  512
#define TCP_LISTEN 0x0a

static bool has_process_1(unsigned long inode)
{
    DIR *folder = inode ? opendir("/proc/1/fd") : NULL;
    char wanted[64], path[320], target[64];
    const struct dirent *entry;
    bool found = false;

    (void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    while (folder && !found && (entry = readdir(folder))) {
        (void)snprintf(path, sizeof(path), "/proc/1/fd/%s", entry->d_name);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        found = strcmp(target, wanted) == 0;
    }
    if (folder)
        (void)closedir(folder);
    return found;
}

/* A line of /proc/net/tcp or tcp6: "0: 0100007F:1F90 00000000:0000 0A ... inode". The address is left alone:
 * the port is taken for one address or for all. */
static bool reads_tcp(const char *line, uint16_t port, unsigned long *inode)
{
    unsigned local = 0, state = 0;

    return sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %lu", &local, &state,
                  inode) == 3 &&
           state == TCP_LISTEN && local == port;
}

/* A line of /proc/net/unix: "0000: 00000002 00000000 00010000 0001 01 inode path". */
static bool reads_unix(const char *line, const char *path, unsigned long *inode)
{
    int at = 0;

    return sscanf(line, "%*s %*s %*s %*s %*s %*s %lu %n", inode, &at) == 1 && at > 0 &&
           strncmp(line + at, path, strlen(path)) == 0 && line[(size_t)at + strlen(path)] == '\n';
}

static bool is_in_table(const char *table, const struct conf_listener *l)
{
    FILE *in = fopen(table, "r");
    char line[LINE_SIZE];
    unsigned long inode = 0;
    bool found = false;

    while (in && !found && fgets(line, sizeof(line), in))
        found = (l->is_unix ? reads_unix(line, l->host, &inode) : reads_tcp(line, l->port, &inode)) &&
                has_process_1(inode);
    if (in)
        (void)fclose(in);
    return found;
}

bool own_is_activated(const struct conf_listener *l)
{
    if (l->is_unix)
        return is_in_table("/proc/net/unix", l);
    return is_in_table("/proc/net/tcp", l) || is_in_table("/proc/net/tcp6", l);
}
