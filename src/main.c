/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - where the process begins.
 *
 * Not here: the commands (commands/command_table.c), the words behind the program's name
 * (commands/line/command_line.h).
 */
#include "commands/commands.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A descriptor opened later must not become standard output or error by accident: output would go into a
 * socket, a store, or a pipe of the loop. */
static bool fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "reports") == 0)
        return command_reports_exec(argv + 1);
    if (argc < 1 || !fill_standard_streams())
        return EXIT_FAILED;
    return command_line(&jumpgate_program, argv + 1);
}
