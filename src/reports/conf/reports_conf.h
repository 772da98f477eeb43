/*
 * reports_conf.h - the configuration of jumpgate-reports: one table, everything else follows from it.
 *
 * The machinery is that of the gateway (conf/table): each row of the table says section, name, type, range,
 * default, help. A struct reports_conf is filled whole or not at all.
 *
 * Life: reports_conf_load() -> struct reports_conf (immutable, owned by the caller) -> reports_conf_free(). A
 * reload loads a second one, compares the two (reports_conf_compare) and exchanges them as a whole: sites,
 * users and readers may come and go. So whoever keeps a text of a configuration for longer than one operation
 * has a copy.
 *
 * Times are milliseconds, sizes bytes. A NULL text = not set, unless a default is named. Of secrets only the
 * names of their files are here; passwords are in scrypt form, tokens as SHA-256.
 */
#ifndef JG_REPORTS_CONF_REPORTS_CONF_H
#define JG_REPORTS_CONF_REPORTS_CONF_H

#include "base/buf.h"
#include "base/log.h"
#include "conf/table/conf_kinds.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- [reports] ---- */

enum reports_audit_policy { REPORTS_AUDIT_STRICT, REPORTS_AUDIT_DEGRADED };
enum reports_sandbox { REPORTS_SANDBOX_ON, REPORTS_SANDBOX_LOG, REPORTS_SANDBOX_OFF };

struct reports_main {
    char *state_dir;
    bool collect;         /* no: the page alone */
    uint64_t backfill_ms; /* how far the first start reaches back */
    uint64_t keep_ms, keep_syslog_ms;
    uint64_t poll_interval_ms, running_interval_ms, inventory_interval_ms, syslog_interval_ms;
    uint64_t overlap_ms, sweep_ms;
    struct conf_durations recheck; /* ages after its end at which a session is read again, rising */
    uint64_t running_max_ms, abnormal_after_ms;
    uint64_t late_release_ms, unmatched_after_ms;
    char *time_zone, *working_hours; /* defaults of sites and of the page; never NULL */
    uint64_t query_timeout_ms, export_timeout_ms, drain_timeout_ms;
    uint64_t readers; /* threads that answer queries */
    enum log_level log_level;
    bool log_json;
    char *log_file;   /* "-" = standard error */
    char *audit_file; /* never NULL: state_dir/audit.jsonl by default */
    enum reports_audit_policy audit_policy;
    enum reports_sandbox sandbox;
};

/* ---- [pra NAME] ---- */

enum reports_fetch { /* bits of `fetch` */
                     REPORTS_FETCH_SESSIONS = 1,
                     REPORTS_FETCH_TEAM = 2,
                     REPORTS_FETCH_VAULT = 4,
                     REPORTS_FETCH_SYSLOG = 8,
                     REPORTS_FETCH_INVENTORY = 16
};

struct reports_site {
    char name[CONF_NAME_MAX];
    char *url; /* scheme://host[:port] */
    bool insecure_http;
    char *client_id, *client_secret_file;
    char *ca_file, *proxy; /* NULL = the system's authorities; none */
    char *host_name;       /* session.host_name in lower case; never NULL */
    bool enabled;
    unsigned fetch;    /* bits of enum reports_fetch */
    double rate_per_s; /* calls */
    uint64_t hourly;   /* calls in an hour */
    uint64_t batch;    /* lsids of one call */
    uint64_t parallel; /* calls at once */
    uint64_t connect_timeout_ms, stall_timeout_ms, call_timeout_ms;
    uint64_t max_answer, max_session;
    char *time_zone, *working_hours; /* never NULL: those of [reports] by default */
};

/* ---- [gateway NAME] ---- */

struct reports_gateway {
    char name[CONF_NAME_MAX];
    char *audit; /* pattern of the trail's files, rotated ones included */
};

/* ---- [database] ---- */

enum reports_database_type { REPORTS_SQLITE, REPORTS_POSTGRESQL, REPORTS_SQLSERVER };

struct reports_database {
    enum reports_database_type type;
    char *path; /* of SQLite; never NULL: state_dir/reports.db by default */
    char *driver, *server;
    uint64_t port; /* 0 = the engine's own */
    char *database, *user, *password_file, *ca_file, *options;
    char *read_user, *read_password_file; /* NULL = the writer's */
    uint64_t connect_timeout_ms;
    bool vendor_indexes;
    uint64_t full_check_max; /* bytes of a file of SQLite that a start verifies whole */
};

/* ---- [web] ---- */

struct reports_web {
    struct conf_endpoint address; /* text NULL = there is no [web] section, and no page */
    char *tls_certificate, *tls_key, *client_ca, *client_crl;
    char *public_url; /* origin as browsers see it, without a slash at its end; never NULL with [web] */
    uint64_t session_idle_ms, session_max_ms;
    uint64_t sign_in_attempts;
    uint64_t lock_out_ms;
};

/* ---- [user NAME], [reader NAME] ---- */

enum reports_permission { /* bits of a user's `allow` */
                          REPORTS_VIEW = 1,
                          REPORTS_EXPORT = 2,
                          REPORTS_RECORDINGS = 4,
                          REPORTS_ADMIN = 8
};

struct reports_user {
    char name[CONF_NAME_MAX];
    char *password; /* "$scrypt$ln=…,r=…,p=…$SALT$HASH"; NULL = none */
    char *certificate_san;
    unsigned allow;
    struct conf_list sites; /* names of [pra NAME]; empty = all */
    bool enabled;
};

enum reports_reader_permission { REPORTS_FEED = 1, REPORTS_OBSERVE = 2 };

struct reports_reader {
    char name[CONF_NAME_MAX];
    struct conf_digests token; /* one, or two while it is being changed */
    unsigned allow;
    struct conf_list sites; /* as of a user */
    double rate_per_s;      /* 0 = unlimited */
};

struct reports_conf {
    struct reports_main reports;
    struct reports_site *sites;
    size_t nsites;
    struct reports_gateway *gateways;
    size_t ngateways;
    struct reports_database database;
    struct reports_web web;
    struct reports_user *users;
    size_t nusers;
    struct reports_reader *readers;
    size_t nreaders;
    char digest[65]; /* SHA-256 of the effective configuration, hex */
};

enum reports_files { /* which of the files that a configuration names are read and checked */
                     REPORTS_FILES_ALL,
                     REPORTS_FILES_DATABASE /* those of [database] alone: the others may be absent, and are
                                               not to be used */
};

/*
 * Reads and checks `path`. Every mistake becomes a line `file:line: message` in `errors`, all of them at
 * once. 0 and *out, or -EINVAL (mistakes), -errno (cannot read; also explained in `errors`). Warnings are
 * lines that begin `file:line: warning: ` and do not fail.
 */
int reports_conf_load(const char *path, enum reports_files, struct reports_conf **out, struct buf *errors);
/* Does the file want its log as JSON? Whatever mistakes it has: they are to be said in that form. */
bool reports_conf_log_json(const char *path);
void reports_conf_free(struct reports_conf *); /* NULL is fine */

/* What differs, and what of it only a restart can change (conf/table/conf_compare.h). 0 or -ENOMEM; the
 * caller frees the result with conf_change_free() in both cases. */
struct conf_change;
int reports_conf_compare(const struct reports_conf *now, const struct reports_conf *next,
                         struct conf_change *);

void reports_conf_print_defaults(struct buf *); /* the annotated file, conf/reports.conf */
void reports_conf_print_doc(struct buf *);      /* docs/reports-configuration.md */
void reports_conf_print_man(struct buf *);      /* jumpgate-reports.conf(5) */

#endif
