/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the command line of the simulated vault; see options.h.
 */
#include "passwordsafe-sim/options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

/* 128 letters, as new-style keys have. */
#define SIXTEEN     "K1example0key000"
#define DEFAULT_KEY SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static const struct option_row option_rows[] = {
#define AT(member) offsetof(struct options, member)
    {"listen", OPTION_TEXT, AT(listen), "HOST:PORT", "API listener (127.0.0.1:0)"},
    {"admin", OPTION_TEXT, AT(admin), "HOST:PORT", "admin listener, plain HTTP (127.0.0.1:0)"},
    {"certificate", OPTION_TEXT, AT(certificate), "FILE", "PEM certificate: the API speaks TLS"},
    {"key", OPTION_TEXT, AT(key), "FILE", "PEM key of the certificate"},
    {"client-ca", OPTION_TEXT, AT(client_ca), "FILE", "ask for client certificates of this CA"},
    {"tls12", OPTION_FLAG, AT(tls12), NULL, "TLS 1.2 at most"},
    {"fixture", OPTION_TEXT, AT(fixture), "NAME", "built-in data: worked"},
    {"scenario", OPTION_TEXT, AT(scenario), "FILE", "data from a JSON file (docs/simulator.md)"},
    {"api-key", OPTION_TEXT, AT(api_key), "KEY", "key of the registration (K1example0key000 x 8)"},
    {"api-key-file", OPTION_TEXT, AT(api_key_file), "FILE", "the same, from a file"},
    {"oauth-client", OPTION_TEXT, AT(oauth_client), "ID:SECRET", "client of the user oauth-client"},
    {"require-user-password", OPTION_FLAG, AT(require_password), NULL, "sign-in needs pwd=[..]"},
    {"require-mfa", OPTION_FLAG, AT(require_mfa), NULL, "second factor, also of generated users"},
    {"verification-cookie", OPTION_FLAG, AT(verification_cookie), NULL, "a second session cookie"},
    {"seed", OPTION_COUNT, AT(seed), "N", "of generated data and of chance (1)"},
    {"users", OPTION_COUNT, AT(generate.users), "N", "generated requestors (20)"},
    {"approvers", OPTION_COUNT, AT(generate.approvers), "N", "generated approvers (2)"},
    {"systems", OPTION_COUNT, AT(generate.systems), "N", "generated systems (50)"},
    {"local-accounts", OPTION_COUNT, AT(generate.local_accounts), "N", "per system (2)"},
    {"domain-accounts", OPTION_COUNT, AT(generate.domain_accounts), "N", "in the directory (20)"},
    {"domain-links", OPTION_COUNT, AT(generate.domain_links), "N", "directory accounts per system (1)"},
    {"databases", OPTION_COUNT, AT(generate.databases), "N", "database systems (4)"},
    {"applications", OPTION_COUNT, AT(generate.applications), "N", "application accounts (4)"},
    {"ssh-keys", OPTION_COUNT, AT(generate.ssh_keys), "N", "systems with a key account (4)"},
    {"approval-systems", OPTION_COUNT, AT(generate.approval_systems), "N", "wanting approval (2)"},
    {"reason-systems", OPTION_COUNT, AT(generate.reason_systems), "N", "wanting a reason (2)"},
    {"ticket-systems", OPTION_COUNT, AT(generate.ticket_systems), "N", "wanting a ticket (2)"},
    {"max-concurrent", OPTION_COUNT, AT(generate.max_concurrent), "N",
     "requests per generated account, 0 = any (1)"},
    {"minute", OPTION_TIME, AT(minute_ms), "TIME", "length of a request minute (60s)"},
    {"session-idle", OPTION_TIME, AT(session_idle_ms), "TIME", "idle life of sessions (20m)"},
    {"rotation-delay", OPTION_TIME, AT(rotation_delay_ms), "TIME", "until a password changed (2s)"},
    {"latency", OPTION_TIME, AT(latency_ms), "TIME", "of every call (0)"},
    {"jitter", OPTION_TIME, AT(jitter_ms), "TIME", "chance on top of it (0)"},
    {"idle-timeout", OPTION_TIME, AT(idle_timeout_ms), "TIME", "idle connections are closed (120s)"},
    {"knob", OPTION_LIST, AT(settings), "N=VALUE", "one behaviour of the vault, see below; repeatable"},
    {"fault", OPTION_LIST, AT(faults), "JSON", "a fault rule (docs/simulator.md); repeatable"},
    {"help", OPTION_FLAG, AT(help), NULL, "this text"},
#undef AT
};
#define NOPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

void options_help(void)
{
    struct buf settings = BUF_INIT(16384);

    printf("passwordsafe-sim: a simulator of the Password Safe API for tests, demos and benchmarks.\n\n");
    option_help(option_rows, NOPTIONS);
    settings_help(&settings);
    printf("\nWithout --fixture, --scenario and numbers, a small company is generated.\n\nKnobs:\n%s",
           buf_cstr(&settings));
    buf_free(&settings);
}

static void defaults(struct options *o)
{
    *o = (struct options){.listen = "127.0.0.1:0",
                          .admin = "127.0.0.1:0",
                          .api_key = DEFAULT_KEY,
                          .seed = 1,
                          .generate = generate_defaults,
                          .minute_ms = 60000,
                          .session_idle_ms = 20 * 60000,
                          .rotation_delay_ms = 2000,
                          .idle_timeout_ms = 120000};
}

/* A number of the generator: its place is in the part of the struct that the generator reads. */
static bool generates(const struct option_row *row)
{
    return row->kind == OPTION_COUNT && row->at >= offsetof(struct options, generate) &&
           row->at < offsetof(struct options, generate) + sizeof(struct generate_opts);
}

int options_read(struct options *o, int argc, char **argv)
{
    bool given[NOPTIONS] = {false};
    int rc;

    defaults(o);
    rc = option_read(option_rows, NOPTIONS, o, given, argc, argv);
    for (size_t i = 0; i < NOPTIONS; i++)
        o->generate_given |= given[i] && generates(&option_rows[i]);
    return rc;
}
