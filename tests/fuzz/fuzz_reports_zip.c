/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_reports_zip.c - the archive of the appliance's log, as bytes of a file.
 *
 * Promises: reading ends, with one of the outcomes that it names, and says why where it fails; once it has
 * ended it stays so; no more is read than the limits allow.
 */
#include "fuzz.h"

#include "reports/pra/syslog_archive.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES_MAX (1u << 20)

static const struct syslog_archive_limits limits = {20, BYTES_MAX, 2 * BYTES_MAX, 200};

static void give(void *ctx, struct report_batch *batch)
{
    size_t *bytes = ctx;

    for (size_t i = 0; i < batch->n; i++)
        for (const char *p = batch->syslog[i].line; *p; p++)
            (*bytes)++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes = 0, steps = 0;
    struct batch_out out = {.give = give, .ctx = &bytes};
    int fd = memfd_create("archive", MFD_CLOEXEC), state;

    FUZZ_ASSERT(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    struct syslog_archive *a = syslog_archive_new(fd, 1700000000, &limits);
    FUZZ_ASSERT(a);
    do {
        state = syslog_archive_step(a, &out);
        batch_flush(&out);
        FUZZ_ASSERT(++steps < 1000);
    } while (state == 1);
    FUZZ_ASSERT(state == 0 || state == -EINVAL || state == -EMSGSIZE);
    FUZZ_ASSERT(state == 0 || *syslog_archive_why(a));
    FUZZ_ASSERT(syslog_archive_step(a, &out) == state);
    FUZZ_ASSERT(bytes <= 3 * 2 * BYTES_MAX); /* a byte may become U+FFFD */
    syslog_archive_free(a);
    batch_free(&out);
    (void)close(fd);
    return 0;
}
