/*
 * bare.h - the least server that OpenSSL and epoll make: the fair measure of what a TLS connection must cost.
 */
#ifndef LOAD_BARE_H
#define LOAD_BARE_H

/* Says its address, then "ready", and answers until it is told to end (SIGTERM). 0 or 1. */
int bare_run(const char *certificate, const char *key);

#endif
