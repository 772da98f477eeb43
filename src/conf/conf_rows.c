/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf_rows.c - every key of the configuration, one row each.
 *
 * Operators read the help in the printed file and in the documentation: it says what the key decides and when
 * to change it. Ranges allow values for tests and simulators; conf_check.c warns of a legal value that is
 * unwise.
 *
 * Invariants, checked by a test: rows are grouped by section in the order of enum conf_section, names are
 * unique within a section, every default passes its own parser and range, every row has a help text, and a
 * key without default has an example.
 */
#include "conf/conf_sections.h"

#include <assert.h>

#define SECOND 1000ULL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KILO   1024ULL
#define MEGA   (1024 * KILO)
#define GIGA   (1024 * MEGA)

#define MEMBER(kind, member)                                                                                 \
    .offset = offsetof(struct kind, member), .size = sizeof(((struct kind *)0)->member)
#define GATEWAY(key, member)  .section = SECTION_GATEWAY, .name = (key), MEMBER(conf_gateway, member)
#define LISTENER(key, member) .section = SECTION_LISTENER, .name = (key), MEMBER(conf_listener, member)
#define CLIENT(key, member)   .section = SECTION_CLIENT, .name = (key), MEMBER(conf_client, member)
#define VAULT(key, member)    .section = SECTION_VAULT, .name = (key), MEMBER(conf_vault, member)
#define ACCESS(key, member)   .section = SECTION_ACCESS, .name = (key), MEMBER(conf_access, member)
#define PRA(key, member)      .section = SECTION_PRA, .name = (key), MEMBER(conf_pra, member)
#define STORE(key, member)    .section = SECTION_STORE, .name = (key), MEMBER(conf_store, member)
#define BETWEEN(low, high)    .min = (low), .max = (high)

/* Formatted by hand: clang-format makes tables of texts unreadable. */
/* clang-format off */
static const struct conf_section_info sections[SECTION_N] = {
    [SECTION_GATEWAY] = {
        .name = "gateway",
        .size = sizeof(struct conf_gateway),
        .help = "The gateway itself: leases, limits, logs. Every key has a default.",
    },
    [SECTION_LISTENER] = {
        .name = "listener",
        .named = true,
        .size = sizeof(struct conf_listener),
        .example = "main",
        .help = "Where clients connect. One section for each address, at least one. An address that other "
                "machines can reach must have TLS.",
    },
    [SECTION_CLIENT] = {
        .name = "client",
        .named = true,
        .size = sizeof(struct conf_client),
        .example = "pra",
        .help = "Who may call. One section for each client, at least one; there is no anonymous access. A "
                "client is known by its token, its certificate, its Unix user, or several of them; a "
                "section that names several identities requires all of them.",
    },
    [SECTION_VAULT] = {
        .name = "vault",
        .named = true,
        .size = sizeof(struct conf_vault),
        .example = "main",
        .help = "The vault that holds the accounts, at least one. At Password Safe the gateway signs in "
                "with an API key and acts as the requesting user (`api_key_file`), or with OAuth client "
                "credentials (`oauth_client_id` and `oauth_client_secret_file`). A vault of another `type` has keys of its "
                "own.",
    },
    [SECTION_ACCESS] = {
        .name = "access",
        .named = true,
        .many = true,
        .size = sizeof(struct conf_access),
        .example = "web-root",
        .help = "Who may get which credential of a Privileged Identity vault, and on which endpoints. What is in no "
                "section does not exist. One section for each stored credential or entry of a shared list; two for "
                "one credential are one credential with both rights. Only such vaults have these sections.",
    },
    [SECTION_PRA] = {
        .name = "pra",
        .named = true,
        .size = sizeof(struct conf_pra),
        .example = "site",
        .help = "The PRA site whose sessions the leases belong to; at most one. With it a session that ends at the "
                "site gives its leases back early, an operator can end a session, and the site is watched. The site "
                "is never needed to broker. Without this section nothing is asked of any site.",
    },
    [SECTION_STORE] = {
        .name = "store",
        .size = sizeof(struct conf_store),
        .help = "Where vault requests and leases are kept. By default in `state_dir`, for one gateway. With `type = "
                "etcd` several gateways share them in one etcd and stand in for each other (docs/cluster.md). All of "
                "it changes with a restart only.",
    },
};

static const struct conf_row rows[] = {
    /* ---- [gateway] ---- */
    { GATEWAY("user", user), .type = &conf_text, .max = 64, .flags = CONF_STATIC, .example = "jumpgate",
      .unset = "it stays who it is; root gives up its capabilities",
      .help = "The user that a gateway started by root becomes, with its groups, before it reads a secret. "
              "Files that the configuration names must be readable by this user, and `state_dir` must be its "
              "own; one that is missing is made for it. Leave it out where the service manager changes the "
              "user." },
    { GATEWAY("state_dir", state_dir), .type = &conf_text, .fallback = "/var/lib/jumpgate",
      .flags = CONF_STATIC,
      .help = "Directory for the journal of leases and other state. It must survive a restart: what is lost "
              "here can no longer be checked in by the gateway." },
    { GATEWAY("release_duration", release_duration_ms), .type = &conf_duration, BETWEEN(SECOND, 365 * DAY),
      .fallback = "60m",
      .flags = CONF_ALIKE,
      .help = "How long a lease lasts when the caller names no duration, in whole minutes. At its end the "
              "credential is checked in, whatever the session does. Set it to the longest session you "
              "expect." },
    { GATEWAY("list_cache", list_cache_ms), .type = &conf_duration, BETWEEN(0, HOUR), .fallback = "15s",
      .help = "How long a user's list of accounts may be answered from memory. Longer spares the vault, "
              "shorter shows new entitlements sooner. 0s turns the cache off. Secrets are never cached." },
    { GATEWAY("request_timeout", request_timeout_ms), .type = &conf_duration, BETWEEN(10, 10 * MINUTE),
      .fallback = "15s",
      .help = "The gateway's own deadline for one operation. A caller may set a shorter one with "
              "X-Request-Timeout-Ms, never a longer one." },
    { GATEWAY("max_connections", max_connections), .type = &conf_count, BETWEEN(1, 1000000),
      .fallback = "10000",
      .help = "Client connections open at once, over all listeners; fewer where the descriptors "
              "(LimitNOFILE), less a reserve for the vaults and the gateway's own files, allow no more. "
              "Connections that have shown no client have half of it at most, and the one that came first is "
              "closed when room is needed. Where all have shown one, one more is answered 503 and closed. "
              "The control socket does not count." },
    { GATEWAY("max_connections_per_peer", max_connections_per_peer), .type = &conf_count, BETWEEN(0, 1000000),
      .fallback = "0",
      .help = "Client connections open at once from one address (IPv6: from one /64 network). More are "
              "closed at once. 0: no limit but `max_connections`. Set it where clients have addresses of "
              "their own; behind a proxy all share one." },
    { GATEWAY("failed_login_rate", failed_logins_per_s), .type = &conf_rate, BETWEEN(1, 1000000),
      .fallback = "600/m",
      .help = "Most requests without a known client from one address (IPv6: from one /64 network), such as "
              "60/m; a burst of one minute's worth is allowed. More are answered 429 instead of 401, "
              "unlogged, and their connection is closed. Known clients at the same address are not held up. "
              "As many lines in the log may come from one address that shows no client, whatever it sends, "
              "and 16 times as many from all of them together; what is left out is counted. off: no limit." },
    { GATEWAY("max_inflight", max_inflight), .type = &conf_count, BETWEEN(1, 1000000), .fallback = "4096",
      .help = "Operations being worked on at once. More are answered 503 with Retry-After; health and "
              "metrics are answered all the same." },
    { GATEWAY("max_body", max_body), .type = &conf_size, BETWEEN(256, 64 * MEGA), .fallback = "64k",
      .help = "Largest request body. The operations of the interface need a few kilobytes." },
    { GATEWAY("header_timeout", header_timeout_ms), .type = &conf_duration, BETWEEN(10, 10 * MINUTE),
      .fallback = "10s",
      .help = "Time a client has to complete the TLS handshake and the headers of a request." },
    { GATEWAY("body_timeout", body_timeout_ms), .type = &conf_duration, BETWEEN(10, 10 * MINUTE),
      .fallback = "30s",
      .help = "Time a client has to send the body of a request after its headers." },
    { GATEWAY("idle_timeout", idle_timeout_ms), .type = &conf_duration, BETWEEN(10, HOUR), .fallback = "75s",
      .help = "How long a kept-alive client connection may be silent between requests before it is closed." },
    { GATEWAY("endpoint_limit", endpoint_limit), .type = &conf_count, BETWEEN(1, 10000), .fallback = "200",
      .help = "Most endpoints in one answer of endpoints/find; the answer says when there are more." },
    { GATEWAY("catalogue_cache", catalogue_cache_ms), .type = &conf_duration, BETWEEN(0, HOUR),
      .fallback = "60s",
      .help = "Age from which a user's endpoint catalogue is fetched again. 0s fetches it for every "
              "search." },
    { GATEWAY("catalogue_max_age", catalogue_max_age_ms), .type = &conf_duration, BETWEEN(0, DAY),
      .fallback = "10m",
      .help = "Oldest endpoint catalogue that may still be answered while a new one is being fetched or "
              "the vault does not answer." },
    { GATEWAY("catalogue_rows", catalogue_rows), .type = &conf_count, BETWEEN(1, 100000000),
      .flags = CONF_STATIC, .fallback = "1000000",
      .help = "Systems kept in memory for all users together, each counted once for each user who may reach "
              "it. The catalogue least recently searched goes first. A system takes up to 300 bytes." },
    { GATEWAY("explain_entries", explain_entries), .type = &conf_count, BETWEEN(0, 100000),
      .fallback = "2000", .flags = CONF_STATIC,
      .help = "Finds whose explanation is kept (for at most 15 minutes), see GET /v1/explain/{request_id}. 0 "
              "keeps none." },
    { GATEWAY("explain_memory", explain_memory), .type = &conf_size, BETWEEN(64 * KILO, GIGA),
      .flags = CONF_STATIC, .fallback = "8M",
      .help = "Memory for those explanations: the oldest are forgotten first." },
    { GATEWAY("last_errors", last_errors), .type = &conf_count, BETWEEN(0, 1000), .flags = CONF_STATIC,
      .fallback = "50",
      .help = "Failed requests kept for /status and `jumpgate top`; equal ones count as one. 0 keeps none." },
    { GATEWAY("drain_timeout", drain_timeout_ms), .type = &conf_duration, BETWEEN(0, HOUR), .fallback = "30s",
      .help = "How long SIGTERM waits for operations in flight before the gateway stops." },
    { GATEWAY("drain_notice", drain_notice_ms), .type = &conf_duration, BETWEEN(0, MINUTE), .fallback = "1s",
      .help = "With sockets that the service manager passed: how long SIGTERM lets clients send one more "
              "request on a connection that is idle, so that its response can say Connection: close. New "
              "connections are accepted until then. Part of drain_timeout." },
    { GATEWAY("release_on_stop", release_on_stop), .type = &conf_choice, .choices = "no yes",
      .fallback = "no",
      .help = "Whether all leases are checked in at SIGTERM. With no they outlive a restart or an upgrade." },
    { GATEWAY("reconcile_every", reconcile_every_ms), .type = &conf_duration, BETWEEN(SECOND, DAY),
      .fallback = "10m", .flags = CONF_STATIC,
      .help = "How often the journal of leases is compared with what the vault says is checked out. What is "
              "the gateway's own and held by no lease is checked in; what is gone is struck off. It happens "
              "at every start as well. Requests that the gateway did not make are never touched." },
    { GATEWAY("reconcile_rate", reconcile_per_s), .type = &conf_rate, BETWEEN(1, 100000), .fallback = "10/s",
      .flags = CONF_STATIC,
      .help = "Most vault calls spent on that comparison, such as 10/s. People's requests do not wait for "
              "it. off: no limit." },
    { GATEWAY("log_level", log_level), .type = &conf_choice, .choices = "error warn info debug",
      .fallback = "info",
      .help = "How much is logged. debug follows every state change; no level logs secrets." },
    { GATEWAY("log_format", log_json), .type = &conf_choice, .choices = "text json", .fallback = "text",
      .help = "Form of a log line: key=value text, or one JSON object for each line." },
    { GATEWAY("log_file", log_file), .type = &conf_text, .fallback = "-",
      .help = "Where the log goes; - is standard error (the journal under systemd). SIGUSR1 opens the file "
              "again after rotation." },
    { GATEWAY("audit_file", audit_file), .type = &conf_text, .flags = CONF_STATIC,
      .example = "/var/lib/jumpgate/audit.jsonl", .unset = "audit.jsonl in `state_dir`",
      .help = "The audit trail: one JSON object for each line, chained by hashes." },
    { GATEWAY("audit_group", audit_group), .type = &conf_text, .max = 64, .flags = CONF_STATIC,
      .example = "jumpgate-audit", .unset = "the gateway's user alone reads the trail",
      .help = "Group, a name or number, that may read the audit trail and its head (mode 0640), such as that of "
              "jumpgate-reports or of a log collector. The gateway's user must be in it, and the group must be able to "
              "enter the folder of `audit_file`: `state_dir` is the gateway's alone, so the trail then needs a folder "
              "of its own." },
    { GATEWAY("audit_witness", audit_witness), .type = &conf_size, BETWEEN(0, GIGA), .flags = CONF_STATIC,
      .fallback = "16M",
      .help = "How much of the end of the audit trail is read at the start, over its files, to find "
              "check-outs whose row the lease store has lost; a lease takes about 2 kB of it. Raise it where "
              "more than some thousand leases are given back while one lasts. 0: none." },
    { GATEWAY("audit_policy", audit_policy), .type = &conf_choice, .choices = "strict degraded",
      .fallback = "strict", .flags = CONF_STATIC,
      .help = "What happens when the audit trail cannot be written. strict: no audit, no check-out. "
              "degraded: work goes on and the gap is counted." },
    { GATEWAY("audit_syslog", audit_syslog), .type = &conf_text, .flags = CONF_STATIC,
      .example = "unix:/dev/log", .unset = "the audit trail is in its file only",
      .help = "A second place for each audit line, as a syslog message: unix:/PATH of a datagram socket, or "
              "udp:ADDRESS:PORT. Best effort; what it does not take is counted." },
    { GATEWAY("audit_syslog_format", audit_syslog_format), .type = &conf_choice,
      .choices = "auto rfc3164 rfc5424", .fallback = "auto", .flags = CONF_STATIC,
      .help = "Form of these messages. auto: RFC 3164 without host on /dev/log and the journal's sockets, as "
              "the collector of the machine expects it, RFC 5424 elsewhere." },
    { GATEWAY("secret_memory", secret_memory), .type = &conf_size, BETWEEN(4 * MEGA, GIGA), .fallback = "64M",
      .flags = CONF_STATIC,
      .help = "Most memory for secrets: locked into RAM, left out of core dumps, taken a megabyte at a time "
              "as it is needed. Half of it is kept for the vaults' answers. What does not fit is refused as "
              "out of memory. The unit's LimitMEMLOCK should be larger." },
    { GATEWAY("sandbox", sandbox), .type = &conf_choice, .choices = "on log off", .fallback = "on",
      .flags = CONF_STATIC,
      .help = "Whether the gateway gives up what it does not need: capabilities, files other than its own, "
              "system calls. A system call outside the list ends it; a reload can name new files only in "
              "directories that were named at the start. log only notes such calls in the kernel's log and "
              "limits no files; off is for looking for a fault." },

    /* ---- [listener NAME] ---- */
    { LISTENER("address", address), .type = &conf_address, .example = "127.0.0.1:8443",
      .flags = CONF_REQUIRED | CONF_STATIC,
      .help = "IP address and port, such as 127.0.0.1:8443, [::1]:8443 or 0.0.0.0:8443, or unix:/PATH for a "
              "Unix socket, such as unix:/run/jumpgate/broker.sock. Port 0 takes a free one and logs it." },
    { LISTENER("tls_certificate", tls_certificate), .type = &conf_file, .flags = CONF_FILE | CONF_STAYS,
      .example = "/etc/jumpgate/tls/server.pem", .unset = "no TLS",
      .help = "PEM file with the server's certificate, followed by the intermediate ones. Turns TLS on, "
              "together with `tls_key`." },
    { LISTENER("tls_key", tls_key), .type = &conf_file, .flags = CONF_FILE | CONF_SECRET,
      .example = "$CREDENTIALS_DIRECTORY/server.key", .unset = "no TLS",
      .help = "PEM file with the private key of `tls_certificate`, without passphrase." },
    { LISTENER("client_ca", client_ca), .type = &conf_file, .flags = CONF_FILE,
      .example = "/etc/jumpgate/tls/clients-ca.pem", .unset = "client certificates are not asked for",
      .help = "PEM file with the authorities that sign client certificates. Turns mutual TLS on: a client "
              "without a valid certificate is refused in the handshake." },
    { LISTENER("client_crl", client_crl), .type = &conf_file, .flags = CONF_FILE,
      .example = "/etc/jumpgate/tls/clients.crl", .unset = "revocation is not checked",
      .help = "PEM file with the revocation lists of `client_ca`, one for each authority in the chain. A "
              "client with a revoked certificate is refused, and so is every client once a list is past its "
              "next update: fetch it again in time and reload." },
    { LISTENER("unix_mode", unix_mode), .type = &conf_mode, BETWEEN(0, 0777), .fallback = "0660",
      .flags = CONF_STATIC,
      .help = "Permissions of the Unix socket, octal." },
    { LISTENER("unix_owner", unix_owner), .type = &conf_text, .max = 64, .flags = CONF_STATIC,
      .example = "root", .unset = "the user the gateway runs as",
      .help = "Owner of the Unix socket, a user name or number." },
    { LISTENER("unix_group", unix_group), .type = &conf_text, .max = 64, .flags = CONF_STATIC,
      .example = "pra", .unset = "jumpgate-clients, if the gateway is in that group, else the group it runs as",
      .help = "Group of the Unix socket, a group name or number. Its members may connect. The package makes the "
              "group jumpgate-clients, and the unit puts the gateway into it." },
    { LISTENER("routes", routes), .type = &conf_choice, .choices = "all events", .fallback = "all",
      .flags = CONF_STATIC,
      .help = "What the listener serves. events: only POST /v1/events/pra and GET /livez, all else is 404. The site "
              "has no client certificate: where the main listener asks for one, its events need a listener of their "
              "own." },

    /* ---- [client NAME] ---- */
    { CLIENT("token_sha256", token_sha256), .type = &conf_digest, .flags = CONF_SECRET,
      .example = "0000000000000000000000000000000000000000000000000000000000000000",
      .unset = "no token is asked for",
      .help = "SHA-256 of the client's bearer token, as 64 hexadecimal digits: printf %s \"$TOKEN\" | "
              "sha256sum. The token itself is never written here; make it long and random, such as openssl "
              "rand -hex 32." },
    { CLIENT("certificate_san", certificate_san), .type = &conf_san, .max = 300,
      .example = "DNS:pra.example.com", .unset = "no certificate is asked for",
      .help = "Subject alternative name of the client's certificate: DNS:name (the prefix may be left out), "
              "URI:..., email:... or IP:..., compared exactly. Needs a listener with `client_ca`." },
    { CLIENT("peer_uid", peer_uid), .type = &conf_uid, .example = "1000", .unset = "any user",
      .help = "Numeric user id of the process at the other end of a Unix socket. Needs a listener with "
              "unix:." },
    { CLIENT("allow", allow), .type = &conf_permissions, .choices = "broker operate observe",
      .flags = CONF_REQUIRED, .example = "broker",
      .help = "What the client may do: broker (find, check out and release credentials), operate (see and "
              "end leases, explain, reload), observe (status and metrics)." },
    { CLIENT("rate", rate_per_s), .type = &conf_rate, BETWEEN(1, 1000000), .fallback = "off",
      .help = "Most requests of this client, such as 200/s or 600/m; a burst of one second is allowed. More "
              "are answered 429. off: no limit." },

    /* ---- [vault NAME] ---- */
    { VAULT("type", type), .type = &conf_word, .choices = "password_safe privileged_identity", .fallback = "password_safe",
      .flags = CONF_STATIC | CONF_SAME,
      .help = "Kind of vault. privileged_identity is provisional: docs/privileged-identity.md." },
    { VAULT("url", url), .type = &conf_url, .flags = CONF_REQUIRED | CONF_STATIC | CONF_SAME,
      .example = "https://vault.example.com/BeyondTrust/api/public/v3",
      .help = "Base address of the public API; of Privileged Identity https://host[:port] without a path. Must be "
              "https; see `insecure_http` for simulators." },
    { VAULT("insecure_http", insecure_http), .type = &conf_choice, .choices = "no yes", .fallback = "no",
      .flags = CONF_STATIC,
      .help = "Allows a plain http `url` on this machine's loopback addresses, for simulators only." },
    { VAULT("api_key_file", api_key_file), .type = &conf_file, .flags = CONF_FILE | CONF_SECRET,
      .example = "$CREDENTIALS_DIRECTORY/api-key", .unset = "OAuth is used",
      .help = "File with the key of the API registration. The gateway then signs in as the requesting user, "
              "mapped by `run_as`." },
    { VAULT("run_as_password_file", run_as_password_file), .type = &conf_file,
      .flags = CONF_FILE | CONF_SECRET, .example = "$CREDENTIALS_DIRECTORY/run-as-password",
      .unset = "no password is sent",
      .help = "File with the run-as user's password, where the API registration demands one. It is sent for "
              "every user; leave it out if the registration does not ask for passwords." },
    { VAULT("oauth_client_id", oauth_client_id), .type = &conf_text, .max = 256, .flags = CONF_STATIC,
      .example = "6c0b2f4e-0000-0000-0000-000000000000", .unset = "the API key is used",
      .help = "OAuth client id of an application user. All calls then run as that one user." },
    { VAULT("oauth_client_secret_file", oauth_client_secret_file), .type = &conf_file,
      .flags = CONF_FILE | CONF_SECRET, .example = "$CREDENTIALS_DIRECTORY/oauth-secret",
      .unset = "the API key is used",
      .help = "File with the OAuth client secret of `oauth_client_id`." },
    { VAULT("oauth_shared_identity", oauth_shared_identity), .type = &conf_choice, .choices = "no yes",
      .fallback = "no",
      .help = "With OAuth all PRA users act at the vault as the one application user of `oauth_client_id`: what "
              "that user may request, every PRA user may request. yes says that this is meant; without it a "
              "section with OAuth is refused." },
    { VAULT("client_certificate", client_certificate), .type = &conf_file, .flags = CONF_FILE,
      .example = "/etc/jumpgate/tls/vault-client.pem", .unset = "none is offered",
      .help = "PEM file with the certificate shown to the vault, where the API registration demands one." },
    { VAULT("client_key", client_key), .type = &conf_file, .flags = CONF_FILE | CONF_SECRET,
      .example = "$CREDENTIALS_DIRECTORY/vault-client.key", .unset = "none is offered",
      .help = "PEM file with the private key of `client_certificate`, without passphrase." },
    { VAULT("ca_file", ca_file), .type = &conf_file, .flags = CONF_FILE,
      .example = "/etc/jumpgate/tls/vault-ca.pem", .unset = "the system's authorities are trusted",
      .help = "PEM file with the authorities that the vault's certificate is checked against. The check "
              "itself cannot be turned off." },
    { VAULT("proxy", proxy), .type = &conf_proxy, .example = "http://proxy.example.com:3128", .unset = "none",
      .help = "Proxy on the way to the vault: http://, https://, socks5:// or socks5h://HOST:PORT. The "
              "environment (https_proxy) is not used." },
    { VAULT("run_as", run_as), .type = &conf_templates, .max = 8, .choices = "username domain",
      .fallback = "{domain}\\{username}",
      .flags = CONF_ALIKE,
      .help = "How a PRA user becomes a vault user: templates over {username} and {domain}, tried in order. "
              "A candidate advances only on a refusal that the vault itself gave to its own sign-in. One "
              "that needs a domain is skipped where there is none; one whose domain or name cannot be "
              "written into a sign-in ends the list, and the user is refused. The bare {username} is tried only if it is "
              "listed here, since a local vault user could have the same name." },
    { VAULT("default_domain", default_domain), .type = &conf_text, .max = 256, .flags = CONF_EMPTY | CONF_ALIKE,
      .example = "ACME", .unset = "such a session has no domain",
      .help = "Domain of a user whose session names none." },
    { VAULT("domain_map", domain_map), .type = &conf_pairs, .max = 64, .flags = CONF_EMPTY | CONF_ALIKE,
      .example = "CORP:corp.example.com", .unset = "domains are used as they come",
      .help = "Other names of domains: where the session says the left one, the templates of `run_as` get "
              "the right one. The left one is compared in ASCII case and otherwise exactly." },
    { VAULT("user_map", user_map), .type = &conf_pairs, .max = 1024, .flags = CONF_EMPTY | CONF_ALIKE,
      .example = "CORP\\ann:EXT\\ann.lee local-bob:CORP\\bob", .unset = "the templates decide for all users",
      .help = "Users with another name at the vault, as DOMAIN\\user:VAULT-USER, or user:VAULT-USER for a "
              "session without domain. Such a user is tried under that name alone; the templates of `run_as` "
              "are for all others. The left side is compared in ASCII case and otherwise exactly." },
    { VAULT("username_form", username_form), .type = &conf_choice, .choices = "domain upn",
      .fallback = "domain",
      .flags = CONF_ALIKE,
      .help = "How the user name of a directory account is answered for injection: domain gives "
              "DOMAIN\\account, upn gives the user principal name." },
    { VAULT("match", match), .type = &conf_forms,
      .choices = "hostname computer_name name short_name ip_address",
      .fallback = "hostname computer_name name short_name ip_address",
      .flags = CONF_ALIKE,
      .help = "Which names of an endpoint are looked up in the vault. All are asked and the results merged; "
              "leave out those that never match to spare calls. short_name is the host name up to its first "
              "dot." },
    { VAULT("kinds", kinds), .type = &conf_permissions,
      .choices = "local domain_linked application database cloud alias",
      .fallback = "local domain_linked application database cloud",
      .help = "Kinds of accounts that find looks for; leave out those you do not have to spare calls. "
              "application is asked only where the session names one, cloud only where the jump is not by "
              "RDP, shell, tunnel or jump client, alias costs one more call for each user." },
    { VAULT("display", display), .type = &conf_template, .max = 200,
      .choices = "account domain domain_account system where application instance description kind vault",
      .fallback = "{domain_account} ({where})",
      .help = "How a credential is shown to the person choosing, over {account} {domain} {domain_account} "
              "(DOMAIN\\account, or the account alone) {system} {where} (the application, else the system) "
              "{application} {instance} {description} {kind} {vault} (the name of this section). Where rows of "
              "two vaults in one answer would look alike, the name is put behind them by itself." },
    { VAULT("hide", hide), .type = &conf_words, .max = 256, .flags = CONF_EMPTY, .example = "svc-* *\\krbtgt",
      .unset = "all are shown",
      .help = "Accounts never offered by find: patterns with * ? [..] over the account name or "
              "DOMAIN\\account, without case. A caller who knows the credential id may still check it out." },
    { VAULT("favourites", favourites), .type = &conf_words, .max = 256, .flags = CONF_EMPTY,
      .example = "adm-* root", .unset = "the order is the general one",
      .help = "Accounts offered first: patterns as in `hide`, the first pattern's accounts before the "
              "second's." },
    { VAULT("credential_limit", credential_limit), .type = &conf_count, BETWEEN(0, 100000), .fallback = "0",
      .help = "Most credentials answered by one find, after ordering. 0: no limit." },
    { VAULT("restrict_network", restrict_network), .type = &conf_choice, .choices = "no yes",
      .fallback = "no",
      .help = "Whether a session with a network_id sees only the systems of the workgroup of that name. The "
              "search for endpoints needs `directory_user` for it, and leaves out systems whose workgroup is "
              "not known." },
    { VAULT("platform_method", platform_method), .type = &conf_pairs, .max = 256, .choices = "rdp shell",
      .flags = CONF_EMPTY, .example = "Windows*:rdp *Linux*:shell 4:shell",
      .unset = "the vault's session type, else the port decides",
      .help = "Jump method of systems whose platform names no session type: PLATFORM:rdp or PLATFORM:shell, "
              "where PLATFORM is the platform's number, or a pattern over its name, without case (a ? stands "
              "for a blank). The numbers also work without `directory_user`." },
    { VAULT("directory_user", directory_user), .type = &conf_text, .max = 512,
      .example = "ACME\\svc-jumpgate", .unset = "endpoints carry the system name only",
      .help = "Vault user that may read managed systems and platforms, to complete the endpoints found with "
              "DNS name, address and method. It needs no access to accounts." },
    { VAULT("approval_wait", approval_wait_ms), .type = &conf_duration, BETWEEN(0, 24 * HOUR), .fallback = "0s",
      .help = "How long a request is kept that waits for its approver. The check-out is answered at once, and the "
              "next one of the same person and account uses the request. 0s: it is withdrawn at once." },
    { VAULT("ask_policy", ask_policy), .type = &conf_choice, .choices = "no yes", .fallback = "no",
      .help = "Whether find asks the vault what each account requires (reason, ticket, approval). Costs one "
              "call for each account." },
    { VAULT("reason", reason), .type = &conf_template, .max = 500, .choices = "user session jump_item lease",
      .fallback = "", .example = "PRA session {session} of {user}", .flags = CONF_EMPTY, .unset = "none",
      .help = "Reason given to the vault when the caller sends none: a template over {user} {session} "
              "{jump_item} {lease}. While empty, an account whose policy wants a reason is answered "
              "reason_required. With privileged_identity the default is the example." },
    { VAULT("session_idle", session_idle_ms), .type = &conf_duration, BETWEEN(10, 20 * MINUTE),
      .fallback = "10m",
      .help = "When an unused vault session is signed out. Must stay below 20m, when the vault ends it "
              "itself. With privileged_identity the default is 5m." },
    { VAULT("sessions_per_user", sessions_per_user), .type = &conf_count, BETWEEN(1, 64), .fallback = "4",
      .help = "Vault sessions kept for one user. The vault serves the calls of one session one after the "
              "other; more sessions let one user's calls run side by side." },
    { VAULT("max_calls", max_calls), .type = &conf_count, BETWEEN(1, 1000000), .fallback = "4096",
      .help = "Calls to this vault that may wait or be in flight. More are answered 503; when three quarters "
              "of them are used, a vault user with more than an equal share is refused first." },
    { VAULT("max_wait", max_wait_ms), .type = &conf_duration, BETWEEN(0, 10 * MINUTE), .fallback = "0s",
      .help = "Longest wait for a session of, or a connection to, this vault: a request that would wait longer is answered 503 at "
              "once. 0s: half of the time the caller has left. A smaller value keeps answers quick under "
              "lasting load, and refuses bursts that could be served in time." },
    { VAULT("connections", connections), .type = &conf_count, BETWEEN(1, 10000), .fallback = "64",
      .help = "Connections to this vault. Throughput is at most this number divided by the vault's latency. "
              "A connection carries the calls of one vault user; with more users at work than connections, "
              "they are opened more often. With privileged_identity the default is 8." },
    { VAULT("connect_timeout", connect_timeout_ms), .type = &conf_duration, BETWEEN(10, 5 * MINUTE),
      .fallback = "5s",
      .help = "Time for name resolution, connect and TLS handshake with the vault." },
    { VAULT("call_timeout", call_timeout_ms), .type = &conf_duration, BETWEEN(10, 10 * MINUTE),
      .fallback = "10s",
      .help = "Time for one call to the vault, from the request to the last byte of its answer." },
    { VAULT("connection_idle", connection_idle_ms), .type = &conf_duration, BETWEEN(10, HOUR),
      .fallback = "60s",
      .help = "When an unused connection to the vault is closed." },
    { VAULT("connection_max_age", connection_max_age_ms), .type = &conf_duration, BETWEEN(10, DAY),
      .fallback = "5m",
      .help = "No connection to the vault is used longer: the vault's name is resolved again at least that "
              "often. Connections end up to a tenth earlier, so that they do not end all at once." },
    { VAULT("retries", retries), .type = &conf_count, BETWEEN(0, 10), .fallback = "2",
      .help = "How often a failed call that is safe to repeat is repeated within its deadline." },
    { VAULT("max_answer", max_answer), .type = &conf_size, BETWEEN(4 * KILO, GIGA), .fallback = "16M",
      .help = "Largest answer accepted from the vault. A list takes about 1k for each account. At worst each "
              "of `connections` holds one answer of this size. With privileged_identity the default is 64k." },
    { VAULT("max_rows", max_rows), .type = &conf_count, BETWEEN(1, 10000000), .fallback = "100000",
      .help = "Most accounts kept of one list, over all its pages. A longer list is cut, with a warning in "
              "the log." },
    { VAULT("minute", minute_ms), .type = &conf_duration, BETWEEN(1, MINUTE), .fallback = "60s",
      .flags = CONF_STATIC | CONF_SAME,
      .help = "Length of a vault minute. For simulators only." },
#include "conf/conf_rows_access.def"

    /* ---- [pra NAME] ---- */
    { PRA("url", url), .type = &conf_url, .flags = CONF_REQUIRED | CONF_STATIC,
      .example = "https://site.example.com",
      .help = "Address of the site, without a path. Must be https; see `insecure_http` for simulators." },
    { PRA("insecure_http", insecure_http), .type = &conf_choice, .choices = "no yes", .fallback = "no",
      .help = "Allows a plain http `url` on this machine's loopback addresses, for simulators only." },
    { PRA("client_id", client_id), .type = &conf_text, .max = 256, .flags = CONF_REQUIRED | CONF_STATIC,
      .example = "6c0b2f4e00000000000000000000000000000000",
      .help = "OAuth client id of the API account at the site." },
    { PRA("client_secret_file", client_secret_file), .type = &conf_file,
      .flags = CONF_REQUIRED | CONF_FILE | CONF_SECRET, .example = "$CREDENTIALS_DIRECTORY/pra-secret",
      .help = "File with the OAuth client secret of `client_id`. A changed secret is taken with a reload, which also "
              "ends a pause after refused ones." },
    { PRA("ca_file", ca_file), .type = &conf_file, .flags = CONF_FILE,
      .example = "/etc/jumpgate/tls/site-ca.pem", .unset = "the system's authorities are trusted",
      .help = "PEM file with the authorities that the site's certificate is checked against. The check itself cannot "
              "be turned off." },
    { PRA("proxy", proxy), .type = &conf_proxy, .example = "http://proxy.example.com:3128", .unset = "none",
      .help = "Proxy on the way to the site: http://, https://, socks5:// or socks5h://HOST:PORT. The environment "
              "(https_proxy) is never asked." },
    { PRA("connect_timeout", connect_timeout_ms), .type = &conf_duration, BETWEEN(10, 5 * MINUTE),
      .fallback = "5s",
      .help = "Time for name resolution, connect and TLS handshake with the site." },
    { PRA("call_timeout", call_timeout_ms), .type = &conf_duration, BETWEEN(10, 10 * MINUTE), .fallback = "10s",
      .help = "Time for one call to the site, from the request to the last byte of its answer." },
    { PRA("report_timeout", report_timeout_ms), .type = &conf_duration, BETWEEN(10, 10 * MINUTE),
      .fallback = "30s",
      .help = "Time for one call of the Reporting API, which takes longer at a busy site." },
    { PRA("max_answer", max_answer), .type = &conf_size, BETWEEN(4 * KILO, GIGA), .fallback = "16M",
      .help = "Largest answer accepted from the site. A listing takes about 300 bytes for each closed session." },
    { PRA("rate", rate_per_s), .type = &conf_call_rate, BETWEEN(1, 10), .fallback = "5/s",
      .help = "Most calls to the site, tokens and probes included, such as 5/s or 100/m; at most 10/s. Besides, never "
              "more than 3,000 in any hour: the site has one budget for all programs of an account." },
    { PRA("probe_interval", probe_interval_ms), .type = &conf_duration, BETWEEN(SECOND, HOUR), .fallback = "15s",
      .help = "How often the site is asked whether it is healthy, without a token." },
    { PRA("check_interval", check_interval_ms), .type = &conf_duration, BETWEEN(SECOND, DAY), .fallback = "5m",
      .help = "How often permissions, clock, version, failover role and Jumpoints are looked at." },
    { PRA("poll_interval", poll_interval_ms), .type = &conf_duration, BETWEEN(0, HOUR), .fallback = "15s",
      .help = "How often the site is asked which sessions have ended, from 1s, while a lease has a session that could "
              "end. 0s: never; leases then end early by outbound events only." },
    { PRA("poll_overlap", poll_overlap_ms), .type = &conf_duration, BETWEEN(0, HOUR), .fallback = "2m",
      .help = "How far each of those listings looks back behind the last one, for sessions that the site reports "
              "late." },
    { PRA("catch_up", catch_up_ms), .type = &conf_duration, BETWEEN(MINUTE, 30 * DAY), .fallback = "24h",
      .help = "How far back ended sessions are looked for after a time without the site or the gateway." },
    { PRA("events_token_sha256", events_token), .type = &conf_digests, .max = CONF_DIGESTS,
      .flags = CONF_SECRET,
      .example = "0000000000000000000000000000000000000000000000000000000000000000",
      .unset = "POST /v1/events/pra is not there",
      .help = "SHA-256 of the token that the site's outbound events carry in their URL (?token=), as 64 hexadecimal "
              "digits: printf %s \"$TOKEN\" | sha256sum. Two of them while the token is being changed. The token "
              "itself is never written here; make it long and random, such as openssl rand -hex 32." },
    { PRA("events_from", events_from), .type = &conf_networks, .max = 64, .flags = CONF_EMPTY,
      .example = "192.0.2.10 198.51.100.0/24", .unset = "from any address",
      .help = "Addresses and networks that outbound events may come from, as the gateway's socket sees them; headers "
              "of a proxy are not believed." },
    { PRA("terminate", terminate), .type = &conf_choice, .choices = "no yes", .fallback = "no",
      .help = "Whether an operator may end a session at the site together with its lease. The API account needs full "
              "access to the Command API." },
    { PRA("jumpoints", jumpoints), .type = &conf_jumpoints, .max = 64, .flags = CONF_EMPTY,
      .example = "dc1 \"Branch office\"", .unset = "none is looked at",
      .help = "Jumpoints that must be connected, by name (one with blanks in double quotes), or all. The API account "
              "needs the Configuration API." },
    { PRA("ecm", ecm), .type = &conf_choice, .choices = "no yes", .fallback = "no",
      .help = "Whether the ECM service with the plug-in uses the same API account, which then must be allowed to "
              "serve an Endpoint Credential Manager." },

    /* ---- [store] ---- */
    { STORE("type", type), .type = &conf_choice, .choices = "sqlite etcd", .fallback = "sqlite",
      .flags = CONF_STATIC,
      .help = "sqlite: a file in `state_dir`. etcd: keys in an etcd of three or five members, version 3.4.16 to 3.6. "
              "`jumpgate store copy` moves the leases from one to the other." },
    { STORE("endpoints", endpoints), .type = &conf_store_endpoints, .max = 8, .flags = CONF_STATIC,
      .example = "https://etcd1.example.com:2379 https://etcd2.example.com:2379 https://etcd3.example.com:2379",
      .unset = "needed with etcd",
      .help = "The client addresses of etcd's members, each with its port. They are tried in this order, from a place "
              "that the name of the node chooses. Plain http is for this machine's loopback addresses; see "
              "`insecure_http`." },
    { STORE("prefix", prefix), .type = &conf_store_prefix, .max = 64, .fallback = "/jumpgate/",
      .flags = CONF_STATIC,
      .help = "All keys stand below it; it begins and ends with /. Gateways of one cluster have the same one, two "
              "clusters in one etcd need two. Keep it short: it stands in every key." },
    { STORE("node", node), .type = &conf_store_node, .flags = CONF_STATIC, .example = "gw1",
      .unset = "the name of this host",
      .help = "Name of this gateway in the cluster, of A-Z a-z 0-9 . _ -. No other living gateway may have it." },
    { STORE("ttl", ttl_ms), .type = &conf_duration, BETWEEN(3 * SECOND, 8 * SECOND), .fallback = "6s",
      .flags = CONF_STATIC | CONF_ALIKE,
      .help = "Silence after which the other gateways count this one as dead and take its leases over. Shorter is "
              "quicker after a death, and takes shorter pauses of a machine for one. The same at all gateways: `jumpgate "
              "cluster` shows where it differs." },
    { STORE("ca_file", ca_file), .type = &conf_file, .flags = CONF_FILE | CONF_STATIC,
      .example = "/etc/jumpgate/tls/etcd-ca.pem", .unset = "the system's authorities are trusted",
      .help = "PEM file with the authorities that etcd's certificates are checked against. The check itself cannot be "
              "turned off." },
    { STORE("client_certificate", client_certificate), .type = &conf_file, .flags = CONF_FILE | CONF_STATIC,
      .example = "/etc/jumpgate/tls/etcd-client.pem", .unset = "none is shown",
      .help = "PEM file with the certificate shown to etcd. It has no Common Name where `user` is set: etcd refuses "
              "both together." },
    { STORE("client_key", client_key), .type = &conf_file, .flags = CONF_FILE | CONF_SECRET | CONF_STATIC,
      .example = "/etc/jumpgate/tls/etcd-client.key", .unset = "none",
      .help = "PEM file with the private key of `client_certificate`." },
    { STORE("user", user), .type = &conf_text, .max = 128, .flags = CONF_STATIC, .example = "jumpgate",
      .unset = "no sign-in",
      .help = "User of etcd (RBAC). It needs to read and write below `prefix`." },
    { STORE("password_file", password_file), .type = &conf_file,
      .flags = CONF_FILE | CONF_SECRET | CONF_STATIC, .example = "$CREDENTIALS_DIRECTORY/etcd-password",
      .unset = "none",
      .help = "File with the password of `user`." },
    { STORE("insecure_http", insecure_http), .type = &conf_choice, .choices = "no yes", .fallback = "no",
      .flags = CONF_STATIC,
      .help = "Allows plain http to other machines. Who can read along then sees who has which account, and who can "
              "write can end every lease; no secret of an account is ever in etcd." },
};
/* clang-format on */

static_assert(sizeof(rows) / sizeof(rows[0]) <= CONF_ROWS_MAX, "raise CONF_ROWS_MAX");

#define OWN_FILE(key) "put it into a file of its own and name that file with `" key "`"
#define HASH          "write the SHA-256 of the token as `token_sha256` (printf %s \"$TOKEN\" | sha256sum)"
#define EVENTS_HASH   "write its SHA-256 as `events_token_sha256` (printf %s \"$TOKEN\" | sha256sum)"

/* Keys that would put a secret into this file, and the keys to use instead. */
static const struct conf_trap traps[] = {
    {SECTION_VAULT, "api_key", OWN_FILE("api_key_file")},
    {SECTION_VAULT, "key", OWN_FILE("api_key_file")},
    {SECTION_VAULT, "password", OWN_FILE("run_as_password_file")},
    {SECTION_VAULT, "run_as_password", OWN_FILE("run_as_password_file")},
    {SECTION_VAULT, "client_secret", OWN_FILE("oauth_client_secret_file")},
    {SECTION_VAULT, "oauth_client_secret", OWN_FILE("oauth_client_secret_file")},
    {SECTION_PRA, "client_secret", OWN_FILE("client_secret_file")},
    {SECTION_PRA, "secret", OWN_FILE("client_secret_file")},
    {SECTION_PRA, "events_token", EVENTS_HASH},
    {SECTION_PRA, "token", EVENTS_HASH},
    {SECTION_VAULT, "login_password", OWN_FILE("login_password_file")},
    {SECTION_CLIENT, "token", HASH},
    {SECTION_CLIENT, "bearer", HASH},
    {SECTION_CLIENT, "password", HASH},
    {SECTION_STORE, "password", OWN_FILE("password_file")},
};

#define OF_REPORTS "belongs into reports.conf, the configuration of jumpgate-reports"

static const struct conf_stranger strangers[] = {
    {"reports", OF_REPORTS}, {"database", OF_REPORTS}, {"web", OF_REPORTS},
    {"user", OF_REPORTS},    {"reader", OF_REPORTS},
};

static int each_section(void *arg_conf, conf_object_fn *fn, void *arg)
{
    struct conf *conf = arg_conf;
    int err = fn(arg, SECTION_GATEWAY, "", &conf->gateway);

    for (size_t i = 0; i < conf->nlisteners && !err; i++)
        err = fn(arg, SECTION_LISTENER, conf->listeners[i].name, &conf->listeners[i]);
    for (size_t i = 0; i < conf->nclients && !err; i++)
        err = fn(arg, SECTION_CLIENT, conf->clients[i].name, &conf->clients[i]);
    for (size_t i = 0; i < conf->nvaults && !err; i++)
        err = fn(arg, SECTION_VAULT, conf->vaults[i].name, &conf->vaults[i]);
    for (size_t i = 0; i < conf->naccesses && !err; i++)
        err = fn(arg, SECTION_ACCESS, conf->accesses[i].name, &conf->accesses[i]);
    for (size_t i = 0; i < conf->npras && !err; i++)
        err = fn(arg, SECTION_PRA, conf->pras[i].name, &conf->pras[i]);
    return err ? err : fn(arg, SECTION_STORE, "", &conf->store);
}

const struct conf_table conf_gateway_table = {
    .runs = "the gateway",
    .sections = sections,
    .nsections = SECTION_N,
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
    .traps = traps,
    .ntraps = sizeof(traps) / sizeof(traps[0]),
    .strangers = strangers,
    .nstrangers = sizeof(strangers) / sizeof(strangers[0]),
    .pages = &conf_gateway_pages,
    .each = each_section,
};
