/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reports_rows.c - every key of the configuration of session reports, one row each.
 *
 * Operators read the help in the printed file and in the documentation: it says what the key decides and when
 * to change it. Ranges allow values for tests and simulators; reports_check.c warns of a legal value that is
 * unwise. The invariants are those of the gateway's table (conf/conf_rows.c), and a test holds them.
 */
#include "reports/conf/reports_sections.h"

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
#define MAIN(key, member)     .section = REPORTS_MAIN, .name = (key), MEMBER(reports_main, member)
#define PRA(key, member)      .section = REPORTS_PRA, .name = (key), MEMBER(reports_site, member)
#define GATEWAY(key, member)  .section = REPORTS_GATEWAY, .name = (key), MEMBER(reports_gateway, member)
#define DATABASE(key, member) .section = REPORTS_DATABASE, .name = (key), MEMBER(reports_database, member)
#define WEB(key, member)      .section = REPORTS_WEB, .name = (key), MEMBER(reports_web, member)
#define USER(key, member)     .section = REPORTS_USER, .name = (key), MEMBER(reports_user, member)
#define READER(key, member)   .section = REPORTS_READER, .name = (key), MEMBER(reports_reader, member)
#define BETWEEN(low, high)    .min = (low), .max = (high)
#define OFTEN                 BETWEEN(100, DAY) /* how often a source is asked */
#define SITES_MAX             256

/* Formatted by hand: clang-format makes tables of texts unreadable. */
/* clang-format off */
static const struct conf_section_info sections[REPORTS_NSECTIONS] = {
    [REPORTS_MAIN] = {
        .name = "reports",
        .size = sizeof(struct reports_main),
        .help = "The program itself: what is collected and kept, limits, logs. Every key has a default.",
    },
    [REPORTS_PRA] = {
        .name = "pra",
        .named = true,
        .size = sizeof(struct reports_site),
        .example = "site",
        .help = "A PRA site whose sessions are collected; one section for each. It needs an API account of its own, "
                "which nothing else uses: Command API read only, Reporting API with access session reports, vault "
                "reports and Syslog, Configuration API with vault accounts. What the account may not do is left out, "
                "and said.",
    },
    [REPORTS_GATEWAY] = {
        .name = "gateway",
        .named = true,
        .size = sizeof(struct reports_gateway),
        .example = "main",
        .help = "A jumpgate gateway whose audit trail is read, so that check-outs stand beside the sessions they were "
                "for; any number, also none. The gateway neither knows of it nor waits for it.",
    },
    [REPORTS_DATABASE] = {
        .name = "database",
        .size = sizeof(struct reports_database),
        .help = "Where the sessions are kept: a file of SQLite, PostgreSQL or SQL Server. Every key has a default, "
                "and each is changed by a restart only.",
    },
    [REPORTS_WEB] = {
        .name = "web",
        .size = sizeof(struct reports_web),
        .help = "The page and the feed. Without this section there is neither. TLS is always on, also on the loopback "
                "address.",
    },
    [REPORTS_USER] = {
        .name = "user",
        .named = true,
        .size = sizeof(struct reports_user),
        .example = "ann",
        .help = "A person who may sign in to the page. `jumpgate-reports user add NAME` prints such a section. A user "
                "has a password, the name in a client certificate, or both, and then needs both.",
    },
    [REPORTS_READER] = {
        .name = "reader",
        .named = true,
        .size = sizeof(struct reports_reader),
        .example = "siem",
        .help = "A machine that reads the feed, metrics or status with a token of its own.",
    },
};

static const struct conf_row rows[] = {
    /* ---- [reports] ---- */
    { MAIN("state_dir", state_dir), .type = &conf_text, .fallback = "/var/lib/jumpgate-reports",
      .flags = CONF_STATIC,
      .help = "Directory for the file of SQLite, the collector's lock, the audit trail, and archives while they are "
              "read." },
    { MAIN("collect", collect), .type = &conf_choice, .choices = "no yes", .fallback = "yes", .flags = CONF_STATIC,
      .help = "Whether this process asks the sites. no: it serves the page alone, from the database that another one "
              "fills. One process collects for each database." },
    { MAIN("backfill", backfill_ms), .type = &conf_days, BETWEEN(0, 3650 * DAY), .fallback = "30d",
      .help = "How far back the first start of a site reaches. Older sessions come with `jumpgate-reports collect "
              "--once --since`." },
    { MAIN("keep", keep_ms), .type = &conf_days, BETWEEN(MINUTE, 3650 * DAY), .fallback = "400d",
      .help = "How long sessions, activity and check-outs are kept after their end. Nothing older is fetched." },
    { MAIN("keep_syslog", keep_syslog_ms), .type = &conf_days, BETWEEN(MINUTE, 3650 * DAY), .fallback = "90d",
      .help = "How long lines of the sites' syslog are kept." },
    { MAIN("poll_interval", poll_interval_ms), .type = &conf_days, OFTEN, .fallback = "60s",
      .help = "How often each site is asked which sessions have ended." },
    { MAIN("running_interval", running_interval_ms), .type = &conf_days, OFTEN, .fallback = "60s",
      .help = "How often each site is asked for the sessions that run." },
    { MAIN("inventory_interval", inventory_interval_ms), .type = &conf_days, OFTEN, .fallback = "15m",
      .help = "How often vault accounts, Jump Items and Jumpoints are read, and the activity of teams and of the "
              "site's vault." },
    { MAIN("syslog_interval", syslog_interval_ms), .type = &conf_days, OFTEN, .fallback = "30m",
      .help = "How often the archive of a site's syslog is read. It comes whole each time." },
    { MAIN("overlap", overlap_ms), .type = &conf_days, BETWEEN(0, DAY), .fallback = "15m",
      .help = "How far each poll looks back behind the last one, for what a site reports late." },
    { MAIN("sweep", sweep_ms), .type = &conf_days, BETWEEN(SECOND, 90 * DAY), .fallback = "7d",
      .help = "How far back all sessions are listed again once a day, for those that came late or out of order." },
    { MAIN("recheck", recheck), .type = &conf_durations, .min = SECOND, .max = 30 * DAY, .fallback = "30m 24h",
      .flags = CONF_EMPTY,
      .help = "Ages after its end at which a stored session is read again: recordings and notes come later than the "
              "end. Empty: never." },
    { MAIN("running_max", running_max_ms), .type = &conf_days, BETWEEN(MINUTE, 30 * DAY), .fallback = "24h",
      .help = "How far back running sessions are looked for, and the age at which one without an end counts as "
              "closed abnormally where the Command API is denied, or where the site is not asked any more." },
    { MAIN("abnormal_after", abnormal_after_ms), .type = &conf_days, BETWEEN(0, DAY), .fallback = "10m",
      .help = "How long a session may be inactive at the site without an end in its report before it counts as closed "
              "abnormally." },
    { MAIN("late_release", late_release_ms), .type = &conf_days, BETWEEN(0, 30 * DAY), .fallback = "5m",
      .help = "A check-in so long after the end of its session is late (tile Late releases)." },
    { MAIN("unmatched_after", unmatched_after_ms), .type = &conf_days, BETWEEN(0, 30 * DAY), .fallback = "1h",
      .help = "A check-out so old that belongs to no session is shown (tile Check-outs without a session)." },
    { MAIN("time_zone", time_zone), .type = &reports_zone, .fallback = "UTC",
      .help = "Time zone of the page where the address names none, and of sites that have none of their own: a name "
              "of the IANA database, such as Europe/Berlin." },
    { MAIN("working_hours", working_hours), .type = &reports_hours, .fallback = "mon-fri 07:00-19:00",
      .help = "When people of a site work: days, then hours, several separated by blanks and commas, such as mon-fri "
              "07:00-19:00, sat 08:00-12:00. Sessions that begin at other times are counted apart. A change counts "
              "for stored sessions as well." },
    { MAIN("query_timeout", query_timeout_ms), .type = &conf_days, BETWEEN(10, 10 * MINUTE), .fallback = "10s",
      .help = "Time for one query of the page; then it is interrupted and answered 504." },
    { MAIN("export_timeout", export_timeout_ms), .type = &conf_days, BETWEEN(100, DAY), .fallback = "10m",
      .help = "Time for one export." },
    { MAIN("drain_timeout", drain_timeout_ms), .type = &conf_days, BETWEEN(0, HOUR), .fallback = "10s",
      .help = "How long SIGTERM waits for transactions, exports and answers." },
    { MAIN("readers", readers), .type = &conf_count, BETWEEN(1, 16), .fallback = "2", .flags = CONF_STATIC,
      .help = "Threads that answer queries of the page and the feed, each with a connection to the database." },
    { MAIN("log_level", log_level), .type = &conf_choice, .choices = "error warn info debug", .fallback = "info",
      .help = "How much is logged. debug follows every call; no level logs secrets, URLs' queries or what people did "
              "in a session." },
    { MAIN("log_format", log_json), .type = &conf_choice, .choices = "text json", .fallback = "text",
      .help = "Form of a log line: key=value text, or one JSON object for each line." },
    { MAIN("log_file", log_file), .type = &conf_text, .fallback = "-",
      .help = "Where the log goes; - is standard error (the journal under systemd). SIGUSR1 opens the file again "
              "after rotation." },
    { MAIN("audit_file", audit_file), .type = &conf_text, .flags = CONF_STATIC,
      .example = "/var/lib/jumpgate-reports/audit.jsonl", .unset = "audit.jsonl in `state_dir`; with `collect` no, audit.ADDRESS/audit.jsonl there, by `address` of [web]",
      .help = "The audit trail: who signed in and who looked at what, one JSON object for each line, chained by "
              "hashes. `jumpgate audit verify` checks it. A trail has one process that writes it: where it is named "
              "here, each process needs a file of its own." },
    { MAIN("audit_policy", audit_policy), .type = &conf_choice, .choices = "strict degraded", .fallback = "strict",
      .flags = CONF_STATIC,
      .help = "What happens when the audit trail cannot be written. strict: no page of a session, no grid, export or "
              "feed. degraded: they are served and the gap is counted." },
    { MAIN("sandbox", sandbox), .type = &conf_choice, .choices = "on log off", .fallback = "on",
      .flags = CONF_STATIC,
      .help = "Whether the process gives up what it does not need: capabilities, files other than its own, system "
              "calls. log only notes such calls in the kernel's log and limits no files; off is for looking for a "
              "fault." },

    /* ---- [pra NAME] ---- */
    { PRA("url", url), .type = &conf_url, .flags = CONF_REQUIRED, .example = "https://pra.example.com",
      .help = "Address of the site, without a path. It must be https, except to this machine for a simulator." },
    { PRA("insecure_http", insecure_http), .type = &conf_choice, .choices = "no yes", .fallback = "no",
      .help = "Allows http:// to a simulator on this machine." },
    { PRA("client_id", client_id), .type = &conf_text, .max = 256, .flags = CONF_REQUIRED,
      .example = "0123456789abcdef0123456789abcdef01234567",
      .help = "OAuth client id of the API account." },
    { PRA("client_secret_file", client_secret_file), .type = &conf_file,
      .flags = CONF_REQUIRED | CONF_FILE | CONF_SECRET, .example = "$CREDENTIALS_DIRECTORY/pra-secret",
      .help = "File with the OAuth client secret of `client_id`." },
    { PRA("ca_file", ca_file), .type = &conf_file, .flags = CONF_FILE,
      .example = "/etc/jumpgate/tls/site-ca.pem", .unset = "the system's authorities are trusted",
      .help = "PEM file with the authorities that the site's certificate is checked against. The check itself cannot "
              "be turned off." },
    { PRA("proxy", proxy), .type = &conf_proxy, .example = "http://proxy.example.com:3128", .unset = "none",
      .help = "Proxy on the way to the site: http://, https://, socks5:// or socks5h://HOST:PORT. The environment "
              "(https_proxy) is never asked." },
    { PRA("host_name", host_name), .type = &reports_host, .example = "pra.example.com", .unset = "the host of `url`",
      .help = "Name of the site in its sessions (column host_name); of one section only. It stays the same when the "
              "site gets another address, so that its sessions stay together." },
    { PRA("enabled", enabled), .type = &conf_choice, .choices = "no yes", .fallback = "yes",
      .help = "Whether the site is asked. no: what is stored of it stays." },
    { PRA("fetch", fetch), .type = &conf_permissions, .choices = "sessions team vault syslog inventory",
      .fallback = "sessions team vault syslog inventory",
      .help = "What is asked: sessions, activity of teams, activity of the site's vault, syslog, inventory (vault "
              "accounts, Jump Items, Jumpoints)." },
    { PRA("rate", rate_per_s), .type = &conf_call_rate, BETWEEN(1, 20), .fallback = "5/s",
      .help = "Most calls to the site, such as 5/s or 100/m. The site allows 20/s for each account." },
    { PRA("hourly", hourly), .type = &conf_count, BETWEEN(10, 15000), .fallback = "5000",
      .help = "Most calls in an hour. The site allows 15,000 for each account." },
    { PRA("batch", batch), .type = &conf_count, BETWEEN(1, 500), .fallback = "100",
      .help = "Sessions of one report." },
    { PRA("parallel", parallel), .type = &conf_count, BETWEEN(1, 8), .fallback = "2",
      .help = "Calls to the site at once." },
    { PRA("connect_timeout", connect_timeout_ms), .type = &conf_days, BETWEEN(10, 5 * MINUTE), .fallback = "10s",
      .help = "Time for name resolution, connect and TLS handshake." },
    { PRA("stall_timeout", stall_timeout_ms), .type = &conf_days, BETWEEN(10, HOUR), .fallback = "60s",
      .help = "An answer of which no byte comes for so long is given up." },
    { PRA("call_timeout", call_timeout_ms), .type = &conf_days, BETWEEN(10, DAY), .fallback = "30m",
      .help = "Time for a whole answer. A report of a busy day takes minutes." },
    { PRA("max_answer", max_answer), .type = &conf_size, BETWEEN(4 * KILO, 64 * GIGA), .fallback = "1G",
      .help = "Largest answer accepted from the site." },
    { PRA("max_session", max_session), .type = &conf_size, BETWEEN(64 * KILO, GIGA), .fallback = "64M",
      .help = "Largest session accepted. A larger one is left out, counted and named on the page Collector." },
    { PRA("time_zone", time_zone), .type = &reports_zone, .example = "America/New_York",
      .unset = "that of [reports]",
      .help = "Time zone of the site's people, for their working hours." },
    { PRA("working_hours", working_hours), .type = &reports_hours, .example = "mon-fri 08:00-18:00",
      .unset = "those of [reports]",
      .help = "Working hours of the site's people." },

    /* ---- [gateway NAME] ---- */
    { GATEWAY("audit", audit), .type = &conf_text, .max = 4000, .flags = CONF_REQUIRED,
      .example = "/var/log/jumpgate/audit.jsonl*",
      .help = "Pattern of the files of the gateway's audit trail, rotated ones included. The gateway's `audit_group` "
              "makes them readable for the group of this program." },

    /* ---- [database] ---- */
    { DATABASE("type", type), .type = &conf_choice, .choices = "sqlite postgresql sqlserver", .fallback = "sqlite",
      .flags = CONF_STATIC,
      .help = "The engine. sqlite needs nothing else, and serves one machine; the others are reached through ODBC." },
    { DATABASE("path", path), .type = &conf_text, .flags = CONF_STATIC,
      .example = "/var/lib/jumpgate-reports/reports.db", .unset = "reports.db in `state_dir`",
      .help = "File of SQLite." },
    { DATABASE("driver", driver), .type = &conf_text, .max = 255, .flags = CONF_STATIC,
      .example = "ODBC Driver 18 for SQL Server", .unset = "PostgreSQL Unicode, or FreeTDS",
      .help = "Name of the ODBC driver, as odbcinst.ini has it." },
    { DATABASE("server", server), .type = &conf_text, .max = 255, .flags = CONF_STATIC,
      .example = "db.example.com", .unset = "localhost",
      .help = "Name or address of the server, or the folder of its Unix socket. TLS is required, but for a "
              "Unix socket; `options` may turn it off for a server on this machine. For a Unix socket the sandbox lets Unix streams be made." },
    { DATABASE("port", port), .type = &conf_count, BETWEEN(1, 65535), .flags = CONF_STATIC,
      .example = "5432", .unset = "5432, or 1433 of SQL Server",
      .help = "Port of the server." },
    { DATABASE("database", database), .type = &conf_text, .max = 128, .fallback = "BGSessions", .flags = CONF_STATIC,
      .help = "Name of the database. It must be there, and empty or made by this program." },
    { DATABASE("user", user), .type = &conf_text, .max = 128, .flags = CONF_STATIC,
      .example = "jumpgate_reports", .unset = "the engine's own default",
      .help = "Login that collects: it makes the tables and writes them." },
    { DATABASE("password_file", password_file), .type = &conf_file, .flags = CONF_FILE | CONF_SECRET | CONF_STATIC,
      .example = "$CREDENTIALS_DIRECTORY/database-password", .unset = "none",
      .help = "File with the password of `user`. A reload reads the file of this name again: connections that "
              "are made from then on have the new password." },
    { DATABASE("ca_file", ca_file), .type = &conf_file, .flags = CONF_FILE | CONF_STATIC,
      .example = "/etc/jumpgate/tls/database-ca.pem", .unset = "the system's authorities are trusted",
      .help = "PEM file with the authorities that the server's certificate is checked against." },
    { DATABASE("options", options), .type = &conf_text, .max = 1024, .flags = CONF_STATIC,
      .example = "ApplicationName=reports;", .unset = "none",
      .help = "Appended to the connection string as it is. It must not contain a password." },
    { DATABASE("read_user", read_user), .type = &conf_text, .max = 128, .flags = CONF_STATIC,
      .example = "jumpgate_reader", .unset = "`user`, with a warning",
      .help = "Login of the page: it needs no right but to read." },
    { DATABASE("read_password_file", read_password_file), .type = &conf_file,
      .flags = CONF_FILE | CONF_SECRET | CONF_STATIC,
      .example = "$CREDENTIALS_DIRECTORY/database-read-password", .unset = "none",
      .help = "File with the password of `read_user`. A reload reads the file of this name again." },
    { DATABASE("connect_timeout", connect_timeout_ms), .type = &conf_days, BETWEEN(SECOND, 5 * MINUTE),
      .fallback = "10s", .flags = CONF_STATIC,
      .help = "Time for connecting to the server." },
    { DATABASE("vendor_indexes", vendor_indexes), .type = &conf_choice, .choices = "no yes", .fallback = "yes",
      .flags = CONF_STATIC,
      .help = "Whether the indexes of the vendor's database are made too, for programs that were written for it. no "
              "spares a third of the disk." },
    { DATABASE("full_check_max", full_check_max), .type = &conf_size, BETWEEN(0, 64 * 1024 * GIGA), .fallback = "256M",
      .flags = CONF_STATIC,
      .help = "A file of SQLite up to this size is checked whole for damage at each start, which takes about 3 s of "
              "CPU for a gigabyte, and the time to read it. Of a larger one a start checks both ends of every table "
              "and index; `check --connect` and `migrate` check any file whole." },

    /* ---- [web] ---- */
    { WEB("address", address), .type = &conf_endpoint, .flags = CONF_REQUIRED | CONF_STATIC,
      .example = "127.0.0.1:8444",
      .help = "IP:PORT to listen on, [IPv6]:PORT as well." },
    { WEB("tls_certificate", tls_certificate), .type = &conf_file, .flags = CONF_REQUIRED | CONF_FILE,
      .example = "/etc/jumpgate/tls/reports.pem",
      .help = "PEM file with the server's certificate, followed by the intermediate ones." },
    { WEB("tls_key", tls_key), .type = &conf_file, .flags = CONF_REQUIRED | CONF_FILE | CONF_SECRET,
      .example = "$CREDENTIALS_DIRECTORY/reports.key",
      .help = "PEM file with the private key of `tls_certificate`, without passphrase." },
    { WEB("client_ca", client_ca), .type = &conf_file, .flags = CONF_FILE | CONF_STAYS,
      .example = "/etc/jumpgate/tls/people-ca.pem", .unset = "client certificates are not asked for",
      .help = "PEM file with the authorities that sign client certificates. With it the handshake needs one." },
    { WEB("client_crl", client_crl), .type = &conf_file, .flags = CONF_FILE,
      .example = "/etc/jumpgate/tls/people.crl", .unset = "revocation is not checked",
      .help = "PEM file with the revocation lists of `client_ca`, one for each authority in the chain." },
    { WEB("public_url", public_url), .type = &reports_origin, .example = "https://reports.example.com",
      .unset = "https:// and `address`",
      .help = "Origin of the page as browsers see it. Signing in, and each request that changes something, must come "
              "from there. Needed where people open the page by a name, where `address` is 0.0.0.0 or [::], and "
              "behind a proxy." },
    { WEB("session_idle", session_idle_ms), .type = &conf_days, BETWEEN(100, 7 * DAY), .fallback = "30m",
      .help = "A sign-in ends when it is not used for so long." },
    { WEB("session_max", session_max_ms), .type = &conf_days, BETWEEN(100, 30 * DAY), .fallback = "12h",
      .help = "A sign-in ends after so long in any case." },
    { WEB("sign_in_attempts", sign_in_attempts), .type = &conf_count, BETWEEN(1, 1000), .fallback = "5",
      .help = "Failed sign-ins of one user from one network before that pair is locked out." },
    { WEB("lock_out", lock_out_ms), .type = &conf_days, BETWEEN(100, DAY), .fallback = "15m",
      .help = "How long it is locked out, right password or not. The same user from another network is not." },

    /* ---- [user NAME] ---- */
    { USER("password", password), .type = &reports_password, .flags = CONF_SECRET,
      .example = "$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      .unset = "the certificate alone",
      .help = "The password in scrypt form, as `jumpgate-reports user add NAME` prints it; never the password "
              "itself." },
    { USER("certificate_san", certificate_san), .type = &conf_san, .max = 300,
      .example = "email:ann@example.com", .unset = "the password alone",
      .help = "Subject alternative name of the user's certificate: DNS:name, URI:..., email:... or IP:..., compared "
              "exactly. Needs `client_ca` in [web]. With `password` too, both are needed." },
    { USER("allow", allow), .type = &conf_permissions, .choices = "view export recordings admin",
      .fallback = "view",
      .help = "What the user may do: view (dashboard, grids, sessions), export (whole grids as files), recordings "
              "(links to chats and recordings), admin (the collector's state)." },
    { USER("sites", sites), .type = &conf_words, .max = SITES_MAX, .example = "site", .unset = "all sites",
      .help = "Names of the [pra NAME] sections that every answer to this user is limited to." },
    { USER("enabled", enabled), .type = &conf_choice, .choices = "no yes", .fallback = "yes",
      .help = "no: the user cannot sign in, and is signed out by the reload." },

    /* ---- [reader NAME] ---- */
    { READER("token_sha256", token), .type = &conf_digests, .max = CONF_DIGESTS,
      .flags = CONF_REQUIRED | CONF_SECRET,
      .example = "0000000000000000000000000000000000000000000000000000000000000000",
      .help = "SHA-256 of the reader's bearer token, as 64 hexadecimal digits: printf %s \"$TOKEN\" | sha256sum. Two "
              "of them while the token is being changed. The token itself is never written here; make it long and "
              "random, such as openssl rand -hex 32." },
    { READER("allow", allow), .type = &conf_permissions, .choices = "feed observe", .flags = CONF_REQUIRED,
      .example = "feed",
      .help = "What the reader may do: feed (records), observe (metrics and status)." },
    { READER("sites", sites), .type = &conf_words, .max = SITES_MAX, .example = "site", .unset = "all sites",
      .help = "Names of the [pra NAME] sections that the reader's feed is limited to." },
    { READER("rate", rate_per_s), .type = &conf_rate, BETWEEN(1, 1000000), .fallback = "off",
      .help = "Most requests of this reader, such as 10/s or 60/m. More are answered 429. off: no limit." },
};
/* clang-format on */

static_assert(sizeof(rows) / sizeof(rows[0]) <= CONF_ROWS_MAX, "raise CONF_ROWS_MAX");

#define OWN_FILE(key) "put it into a file of its own and name that file with `" key "`"
#define SCRYPT        "write the text that `jumpgate-reports user add NAME` prints as `password`"
#define HASH          "write the SHA-256 of the token as `token_sha256` (printf %s \"$TOKEN\" | sha256sum)"

/* Keys that would put a secret into this file, and the keys to use instead. */
static const struct conf_trap traps[] = {
    {REPORTS_PRA, "client_secret", OWN_FILE("client_secret_file")},
    {REPORTS_PRA, "secret", OWN_FILE("client_secret_file")},
    {REPORTS_DATABASE, "password", OWN_FILE("password_file")},
    {REPORTS_DATABASE, "pwd", OWN_FILE("password_file")},
    {REPORTS_DATABASE, "read_password", OWN_FILE("read_password_file")},
    {REPORTS_USER, "passwd", SCRYPT},
    {REPORTS_USER, "pwd", SCRYPT},
    {REPORTS_READER, "token", HASH},
    {REPORTS_READER, "bearer", HASH},
    {REPORTS_READER, "password", HASH},
};

#define OF_GATEWAY "belongs into jumpgate.conf, the configuration of the gateway"

static const struct conf_stranger strangers[] = {
    {"listener", OF_GATEWAY},
    {"client", OF_GATEWAY},
    {"vault", OF_GATEWAY},
};

static int each_section(void *arg_conf, conf_object_fn *fn, void *arg)
{
    struct reports_conf *conf = arg_conf;
    int err = fn(arg, REPORTS_MAIN, "", &conf->reports);

    for (size_t i = 0; i < conf->nsites && !err; i++)
        err = fn(arg, REPORTS_PRA, conf->sites[i].name, &conf->sites[i]);
    for (size_t i = 0; i < conf->ngateways && !err; i++)
        err = fn(arg, REPORTS_GATEWAY, conf->gateways[i].name, &conf->gateways[i]);
    if (!err)
        err = fn(arg, REPORTS_DATABASE, "", &conf->database);
    if (!err)
        err = fn(arg, REPORTS_WEB, "", &conf->web);
    for (size_t i = 0; i < conf->nusers && !err; i++)
        err = fn(arg, REPORTS_USER, conf->users[i].name, &conf->users[i]);
    for (size_t i = 0; i < conf->nreaders && !err; i++)
        err = fn(arg, REPORTS_READER, conf->readers[i].name, &conf->readers[i]);
    return err;
}

const struct conf_table reports_table = {
    .runs = "the program",
    .sections = sections,
    .nsections = REPORTS_NSECTIONS,
    .rows = rows,
    .nrows = sizeof(rows) / sizeof(rows[0]),
    .traps = traps,
    .ntraps = sizeof(traps) / sizeof(traps[0]),
    .strangers = strangers,
    .nstrangers = sizeof(strangers) / sizeof(strangers[0]),
    .pages = &reports_pages,
    .each = each_section,
};
