/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exit.c - which failure of a start may end by itself; see exit.h.
 *
 * docs/service.md has the same table for operators.
 */
#include "commands/line/exit.h"

#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const struct {
    int err;
    const char *cause;
} retried[] = {
    {EADDRINUSE, "another process has the port or the socket"},
    {EADDRNOTAVAIL, "the address is not on this machine, or not yet"},
    {EMFILE, "descriptors of the process"},
    {ENFILE, "descriptors of the machine"},
    {ENOMEM, "memory"},
    {ENOBUFS, "memory of the network"},
    {EAGAIN, "threads, or an audit file that another process has locked"},
    {EBUSY, "another jumpgate, perhaps one that is ending, has the state directory"},
    {ENOSPC, "the disk is full"},
    {EDQUOT, "the user's quota is used up"},
    {EFBIG, "a file is at the limit of its size"},
    {EIO, "the disk does not answer, or answers with an error"},
    {ETIMEDOUT, "something did not answer in time"},
    {EINTR, "a signal came in between"},
};

enum run_exit run_exit_of(int err)
{
    for (size_t i = 0; i < sizeof(retried) / sizeof(retried[0]); i++)
        if (retried[i].err == -err)
            return RUN_RETRY;
    return RUN_REFUSED;
}

enum run_exit run_failed(const char *what, const char *why, const char *log_file, int err)
{
    log_complaint(what, why);
    if (log_file && strcmp(log_file, "-") != 0)
        log_error("start_failed", "what=%s why=%s", what, why);
    return run_exit_of(err);
}
