/*
 * options.h - the command line: one table of options, from which parsing and --help come.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "passwordsafe-sim/generate.h"

#define OPTIONS_MANY 32

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
    const char *settings[OPTIONS_MANY], *faults[OPTIONS_MANY];
    size_t nsettings, nfaults;
    bool help;
};

/* 0, or -EINVAL with a message on stderr. */
int options_read(struct options *, int argc, char **argv);
void options_help(void);
/* "127.0.0.1:0", "[::1]:8443" into its parts; false when it is no address. */
bool options_address(const char *text, char *host, size_t size, uint16_t *port);

#endif
