/* SPDX-License-Identifier: Apache-2.0 */
/* failing_libc.c - the C library's calls that can fail: the rows of failing_libc.def. */
#include "failing_table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAILS(error, result) (errno = (error), (result))

#include "failing_libc.def"

int __wrap_asprintf(char **to, const char *form, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **to, const char *form, ...)
{
    va_list args;

    va_start(args, form);
    int n = __wrap_vasprintf(to, form, args);

    va_end(args);
    return n;
}

int plain_asprintf(char **to, const char *form, ...) __attribute__((format(printf, 2, 3)));
int plain_asprintf(char **to, const char *form, ...)
{
    va_list args;

    va_start(args, form);
    int n = __real_vasprintf(to, form, args);

    va_end(args);
    return n;
}

/* The mode is there where it counts. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;

    va_end(args);
    return failing_call("open") ? FAILS(EMFILE, -1) : __real_open(path, flags, mode);
}

int plain_open(const char *path, int flags, ...);
int plain_open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;

    va_end(args);
    return __real_open(path, flags, mode);
}
