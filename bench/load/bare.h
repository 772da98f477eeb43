/*
 * bare.h - the smallest server that OpenSSL and epoll allow: a measure of what a TLS connection must cost.
 */
#ifndef LOAD_BARE_H
#define LOAD_BARE_H

/* Prints its address, then "ready", and answers until SIGTERM. 0 or 1. */
int bare_run(const char *certificate, const char *key);

#endif
