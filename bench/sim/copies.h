/*
 * copies.h - copies of a request's texts in one block: a call outlives the request it came with.
 */
#ifndef SIM_COPIES_H
#define SIM_COPIES_H

#include <stddef.h>
#include <string.h>

/* Bytes that a copy needs; NULL needs none. */
static inline size_t copies_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Copies n bytes to *at, ends them with a NUL and moves *at behind them. */
static inline const char *copies_put_n(char **at, const char *bytes, size_t n)
{
    char *start = *at;

    memcpy(start, bytes, n);
    start[n] = '\0';
    *at += n + 1;
    return start;
}

static inline const char *copies_put(char **at, const char *text)
{
    return text ? copies_put_n(at, text, strlen(text)) : NULL;
}

/* Length of the host in "HOST:PORT". */
static inline size_t copies_host(const char *address)
{
    const char *colon = strrchr(address, ':');

    return colon ? (size_t)(colon - address) : strlen(address);
}

#endif
