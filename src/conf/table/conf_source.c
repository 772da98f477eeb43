/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_source.c - the bytes of a configuration; see conf_source.h.
 */
#include "conf/table/conf_source.h"

#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads all of it. 0, -errno, -EMSGSIZE over CONF_SOURCE_MAX. */
static int read_all(int fd, struct buf *text)
{
    char chunk[8192];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
        int err;
        if (n < 0 && errno == EINTR)
            continue;
        err = n < 0 ? -errno : buf_append(text, chunk, (size_t)n);
        if (err)
            return err;
    }
    return 0;
}

int conf_source_read(const char *path, struct buf *text)
{
    int fd =
        open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* a pipe without a writer does not block */
    struct stat st;
    int err;

    if (fd < 0)
        return -errno;
    err = fstat(fd, &st)        ? -errno
          : S_ISREG(st.st_mode) ? read_all(fd, text)
          : S_ISDIR(st.st_mode) ? -EISDIR
                                : -EMEDIUMTYPE;
    close(fd);
    return err;
}

void conf_source_complain(struct buf *errors, const char *path, int err)
{
    utf8_visible(errors, path, strlen(path));
    if (err == -EMSGSIZE)
        (void)buf_str(errors, ": longer than a configuration may be\n");
    else if (err == -ENOMEM)
        (void)buf_str(errors, ": out of memory\n");
    else
        (void)buf_printf(errors, ": cannot read: %s\n",
                         err == -EMEDIUMTYPE ? "it is no regular file" : strerror(-err));
}
