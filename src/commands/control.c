/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.c - where the control socket is, and listening on it; see control.h.
 *
 * A Unix socket's path is limited to 107 bytes, and a state directory may be longer. So the directory is
 * opened, and the socket is bound and connected to as /proc/self/fd/N/control.sock. The file itself is in the
 * state directory.
 */
#include "commands/control.h"

#include "handlers/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

int control_directory(const char *state_dir)
{
    int fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

void control_path(int directory, char out[CONTROL_PATH_SIZE])
{
    (void)snprintf(out, CONTROL_PATH_SIZE, "/proc/self/fd/%d/control.sock", directory);
}

int control_listen(struct http_server *server, int directory, char why[CONTROL_WHY_SIZE])
{
    char path[CONTROL_PATH_SIZE], address[128];
    struct http_listen_opts opts = {
        .name = CONTROL_LISTENER, .host = path, .is_unix = true, .unix_mode = 0600, .separate = true};

    control_path(directory, path);
    return http_listen(server, &opts, address, why);
}
