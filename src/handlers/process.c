/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process.c - processor time, memory and descriptors, from getrusage(2) and /proc. Where /proc is not mounted
 * the number is 0.
 */
#include "handlers/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double timeval_seconds(const struct timeval *t)
{
    return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

double process_cpu_seconds(void *unused)
{
    struct rusage usage;
    (void)unused;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return timeval_seconds(&usage.ru_utime) + timeval_seconds(&usage.ru_stime);
}

double process_resident_bytes(void *unused)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    (void)unused;
    if (!f)
        return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    (void)fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

double process_open_fds(void *unused)
{
    DIR *dir = opendir("/proc/self/fd");
    double n = 0;

    (void)unused;
    if (!dir)
        return 0;
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n - 1; /* the directory itself */
}

double process_max_fds(void *unused)
{
    struct rlimit limit;
    (void)unused;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}
