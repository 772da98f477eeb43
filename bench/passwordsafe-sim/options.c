/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - the command line; see options.h.
 *
 * Each row names where its value goes and how it is read. Durations take a unit (500ms, 10s, 15m, 2h), bare
 * numbers are milliseconds.
 */
#include "passwordsafe-sim/options.h"

#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* 128 letters, as new-style keys have. */
#define SIXTEEN     "K1example0key000"
#define DEFAULT_KEY SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN

enum option_kind { OPTION_TEXT, OPTION_FLAG, OPTION_COUNT, OPTION_TIME, OPTION_SETTING, OPTION_FAULT };

static const struct option_row {
    const char *name;
    enum option_kind kind;
    size_t at; /* place in struct options */
    bool generates;
    const char *argument, *help;
} option_rows[] = {
#define AT(member) offsetof(struct options, member)
    {"listen", OPTION_TEXT, AT(listen), false, "HOST:PORT", "API listener (127.0.0.1:0)"},
    {"admin", OPTION_TEXT, AT(admin), false, "HOST:PORT", "admin listener, plain HTTP (127.0.0.1:0)"},
    {"certificate", OPTION_TEXT, AT(certificate), false, "FILE", "PEM certificate: the API speaks TLS"},
    {"key", OPTION_TEXT, AT(key), false, "FILE", "PEM key of the certificate"},
    {"client-ca", OPTION_TEXT, AT(client_ca), false, "FILE", "ask for client certificates of this CA"},
    {"tls12", OPTION_FLAG, AT(tls12), false, NULL, "TLS 1.2 at most"},
    {"fixture", OPTION_TEXT, AT(fixture), false, "NAME", "built-in data: worked"},
    {"scenario", OPTION_TEXT, AT(scenario), false, "FILE", "data from a JSON file (docs/simulator.md)"},
    {"api-key", OPTION_TEXT, AT(api_key), false, "KEY", "key of the registration (K1example0key000 x 8)"},
    {"api-key-file", OPTION_TEXT, AT(api_key_file), false, "FILE", "the same, from a file"},
    {"oauth-client", OPTION_TEXT, AT(oauth_client), false, "ID:SECRET", "client of the user oauth-client"},
    {"require-user-password", OPTION_FLAG, AT(require_password), false, NULL, "sign-in needs pwd=[..]"},
    {"require-mfa", OPTION_FLAG, AT(require_mfa), false, NULL, "second factor, also of generated users"},
    {"verification-cookie", OPTION_FLAG, AT(verification_cookie), false, NULL, "a second session cookie"},
    {"seed", OPTION_COUNT, AT(seed), false, "N", "of generated data and of chance (1)"},
    {"users", OPTION_COUNT, AT(generate.users), true, "N", "generated requestors (20)"},
    {"approvers", OPTION_COUNT, AT(generate.approvers), true, "N", "generated approvers (2)"},
    {"systems", OPTION_COUNT, AT(generate.systems), true, "N", "generated systems (50)"},
    {"local-accounts", OPTION_COUNT, AT(generate.local_accounts), true, "N", "per system (2)"},
    {"domain-accounts", OPTION_COUNT, AT(generate.domain_accounts), true, "N", "in the directory (20)"},
    {"domain-links", OPTION_COUNT, AT(generate.domain_links), true, "N", "directory accounts per system (1)"},
    {"databases", OPTION_COUNT, AT(generate.databases), true, "N", "database systems (4)"},
    {"applications", OPTION_COUNT, AT(generate.applications), true, "N", "application accounts (4)"},
    {"ssh-keys", OPTION_COUNT, AT(generate.ssh_keys), true, "N", "systems with a key account (4)"},
    {"approval-systems", OPTION_COUNT, AT(generate.approval_systems), true, "N", "wanting approval (2)"},
    {"reason-systems", OPTION_COUNT, AT(generate.reason_systems), true, "N", "wanting a reason (2)"},
    {"ticket-systems", OPTION_COUNT, AT(generate.ticket_systems), true, "N", "wanting a ticket (2)"},
    {"max-concurrent", OPTION_COUNT, AT(generate.max_concurrent), true, "N",
     "requests per generated account, 0 = any (1)"},
    {"minute", OPTION_TIME, AT(minute_ms), false, "TIME", "length of a request minute (60s)"},
    {"session-idle", OPTION_TIME, AT(session_idle_ms), false, "TIME", "idle life of sessions (20m)"},
    {"rotation-delay", OPTION_TIME, AT(rotation_delay_ms), false, "TIME", "until a password changed (2s)"},
    {"latency", OPTION_TIME, AT(latency_ms), false, "TIME", "of every call (0)"},
    {"jitter", OPTION_TIME, AT(jitter_ms), false, "TIME", "chance on top of it (0)"},
    {"idle-timeout", OPTION_TIME, AT(idle_timeout_ms), false, "TIME", "idle connections are closed (120s)"},
    {"knob", OPTION_SETTING, 0, false, "N=VALUE", "one behaviour of the vault, see below; repeatable"},
    {"fault", OPTION_FAULT, 0, false, "JSON", "a fault rule (docs/simulator.md); repeatable"},
    {"help", OPTION_FLAG, AT(help), false, NULL, "this text"},
#undef AT
};
#define NOPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

void options_help(void)
{
    struct buf settings = BUF_INIT(16384);

    printf("passwordsafe-sim: a simulator of the Password Safe API for tests, demos and benchmarks.\n\n");
    for (size_t i = 0; i < NOPTIONS; i++) {
        char head[64];
        (void)snprintf(head, sizeof(head), "--%s %s", option_rows[i].name,
                       option_rows[i].argument ? option_rows[i].argument : "");
        printf("  %-30s %s\n", head, option_rows[i].help);
    }
    settings_help(&settings);
    printf("\nWithout --fixture, --scenario and numbers, a small company is generated.\n\nKnobs:\n%s",
           buf_cstr(&settings));
    buf_free(&settings);
}

static bool read_time(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1}};
    size_t n = strspn(text, "0123456789");
    char digits[16];
    int64_t value;

    if (!text_copy_n(digits, sizeof(digits), text, n) || !text_int(digits, 0, INT64_C(1) << 40, &value))
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].unit, text + n) != 0)
            continue;
        *out = (uint64_t)(value * units[i].ms);
        return true;
    }
    return false;
}

static bool add(const char **list, size_t *n, const char *value)
{
    if (*n == OPTIONS_MANY)
        return false;
    list[(*n)++] = value;
    return true;
}

static bool set_option(struct options *o, const struct option_row *row, const char *value)
{
    char *place = (char *)o + row->at;
    int64_t number;
    bool yes = true;

    o->generate_given |= row->generates;
    switch (row->kind) {
    case OPTION_TEXT: memcpy(place, &value, sizeof(value)); return true;
    case OPTION_FLAG: memcpy(place, &yes, sizeof(yes)); return true;
    case OPTION_SETTING: return add(o->settings, &o->nsettings, value);
    case OPTION_FAULT: return add(o->faults, &o->nfaults, value);
    case OPTION_TIME: return read_time(value, (uint64_t *)(void *)place);
    case OPTION_COUNT: break;
    }
    if (!text_int(value, 0, 1000000, &number))
        return false;
    *(uint64_t *)(void *)place = (uint64_t)number;
    return true;
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

int options_read(struct options *o, int argc, char **argv)
{
    struct option list[NOPTIONS + 1] = {{0}};
    int index = 0, got;

    defaults(o);
    for (size_t i = 0; i < NOPTIONS; i++)
        list[i] = (struct option){.name = option_rows[i].name,
                                  .has_arg = option_rows[i].argument ? required_argument : no_argument};
    while ((got = getopt_long(argc, argv, "", list, &index)) != -1) {
        if (got != 0)
            return -EINVAL;
        if (set_option(o, &option_rows[index], optarg))
            continue;
        (void)fprintf(stderr, "--%s: cannot be %s\n", option_rows[index].name, optarg);
        return -EINVAL;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "%s: not an option\n", argv[optind]);
        return -EINVAL;
    }
    return 0;
}

bool options_address(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    int64_t value;

    if (n > 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (!n || !text_copy_n(host, size, text, n) || !text_int(colon + 1, 0, 65535, &value))
        return false;
    *port = (uint16_t)value;
    return true;
}
