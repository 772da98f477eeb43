/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_journal.c - the socket of the journal; see log_journal.h.
 *
 * Not through libsystemd: for a record that is too large its sd_journal_sendv() makes a file in memory, which
 * the sandbox forbids, and it opens its socket when it likes. The log's lines are bounded, so a record always
 * fits a datagram.
 */
#include "base/log_journal.h"

#include "base/text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool log_journal_is_stderr(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char wanted[64];
    struct stat st;

    if (!stream || fstat(STDERR_FILENO, &st) != 0)
        return false;
    (void)snprintf(wanted, sizeof(wanted), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, wanted) == 0;
}

static int connect_to(int fd, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (!text_copy(to.sun_path, sizeof(to.sun_path), path))
        return -ENAMETOOLONG;
    return connect(fd, (const struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
}

int log_journal_open(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = fd < 0 ? -errno : connect_to(fd, path);

    if (err && fd >= 0)
        (void)close(fd);
    return err ? err : fd;
}

static bool is_full(int err)
{
    return err == EAGAIN || err == ENOBUFS || err == EINTR;
}

ssize_t log_journal_send(int fd, const char *path, const char *record, size_t n)
{
    for (int tries = 0; tries < 2; tries++) {
        if (send(fd, record, n - 1, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return (ssize_t)n;
        if (is_full(errno))
            return 0;
        if (errno == EMSGSIZE || connect_to(fd, path))
            return -1;
    }
    return -1;
}

const char *log_journal_next(const char *records, size_t n)
{
    const char *end = memmem(records, n, "\n\n", 2);

    return end ? end + 2 : records + n;
}
