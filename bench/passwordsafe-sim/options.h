/*
 * options.h - the command line of the simulated vault.
 */
#ifndef SIM_PASSWORDSAFE_OPTIONS_H
#define SIM_PASSWORDSAFE_OPTIONS_H

#include "passwordsafe-sim/generate.h"
#include "sim/options.h"

struct options {
    const char *listen, *admin;
    const char *certificate, *key, *client_ca;
    bool tls12;
    const char *fixture, *scenario;
    const char *api_key, *api_key_file;
    const char *oauth_client; /* ID:SECRET */
    bool require_password, require_mfa, verification_cookie;
    uint64_t seed;
    struct generate_opts generate;
    bool generate_given; /* any number of the generator was named */
    uint64_t minute_ms, session_idle_ms, rotation_delay_ms;
    uint64_t latency_ms, jitter_ms, idle_timeout_ms;
    struct option_list settings, faults;
    bool help;
};

/* 0, or -EINVAL with a message on stderr. */
int options_read(struct options *, int argc, char **argv);
void options_help(void);

#endif
