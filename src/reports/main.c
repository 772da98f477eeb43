/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - where the process of jumpgate-reports begins.
 *
 * Not here: the commands (commands/command_table.c), the words behind the program's name
 * (commands/line/command_line.h).
 */
#include "base/log.h"
#include "reports/commands/commands.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE_BLOCK (1 << 20)

/* A descriptor opened later must not become standard output or error by accident. */
static bool fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

/* By default each thread has an arena of its own, which keeps what its thread has freed: 20 MB more with all
 * readers and a million sessions (bench/report-reports.md). */
static void share_arenas(void)
{
#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 2);
#endif
}

/* By default the first large block that is freed makes later ones part of the heap, which then keeps up to
 * twice their size: 16 MiB of a password's check. With a limit that is said, each is given back. */
static void give_back_large_blocks(void)
{
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
#endif
}

int main(int argc, char **argv)
{
    if (argc < 1 || !fill_standard_streams())
        return EXIT_FAILED;
    share_arenas();
    give_back_large_blocks();
    (void)umask(077); /* what is written is for its owner alone */
    log_identify(reports_program.name);
    return command_line(&reports_program, argv + 1);
}
