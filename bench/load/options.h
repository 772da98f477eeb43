/*
 * options.h - the command line of the load tool. What a run needs goes straight into its struct load, the
 * rest is here.
 */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include "load/load.h"

struct options {
    struct load *load;
    const char *address, *token_file, *truth_file, *ca_file, *certificate_file, *key_file;
    bool tls, serve;
    int64_t clients, seconds, warmup, users, hosts, first, hold, timeout, count, rate, first_turn, status,
        every, handshakes;
};

extern const char options_usage[];
bool options_parse(struct options *, int argc, char **argv);

#endif
