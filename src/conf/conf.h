/*
 * conf.h - the configuration: one table, everything else follows from it.
 *
 * Each row of conf_rows[] says section, name, type, range, default (as text), unit, secret, reload and help.
 * From it come parsing, defaults, `jumpgate config --defaults` (= conf/jumpgate.conf), `--doc`, the messages
 * of `jumpgate check`, and what a reload may change. A struct conf is filled whole or not at all.
 *
 * Life: conf_load() -> struct conf (immutable, owned by the caller) -> conf_free(). A reload loads a second
 * one and swaps. File names in it are checked by conf_load (readable, sane permissions, of use); of secrets
 * nothing is kept.
 */
#ifndef JG_CONF_CONF_H
#define JG_CONF_CONF_H

#include "base/buf.h"
#include "base/log.h"
#include "conf/table/conf_kinds.h"

#include <stdbool.h>
#include <stdint.h>

enum conf_permission { PERMIT_BROKER = 1, PERMIT_OPERATE = 2, PERMIT_OBSERVE = 4 };
enum conf_audit_policy { AUDIT_STRICT, AUDIT_DEGRADED };
enum conf_name_form {
    FORM_HOSTNAME,
    FORM_COMPUTER_NAME,
    FORM_NAME,
    FORM_SHORT_NAME,
    FORM_IP_ADDRESS,
    FORM_NFORMS
};
enum conf_syslog_format { SYSLOG_AUTO, SYSLOG_RFC3164, SYSLOG_RFC5424 };
enum conf_sandbox { SANDBOX_ON, SANDBOX_LOG, SANDBOX_OFF };
enum conf_routes { ROUTES_ALL, ROUTES_EVENTS };
enum conf_username_form { USERNAME_DOMAIN, USERNAME_UPN };
enum conf_store_type { STORE_SQLITE, STORE_ETCD };
enum conf_provisional { PROVISIONAL_NO, PROVISIONAL_YES, PROVISIONAL_GUESSED };
enum conf_spin { SPIN_NO, SPIN_STORED, SPIN_SHARED, SPIN_ALL };

struct conf_gateway {
    char *user; /* to become when root starts it; NULL = stay */
    char *state_dir;
    uint64_t release_duration_ms; /* whole vault minutes are made of it */
    uint64_t list_cache_ms;
    uint64_t request_timeout_ms;
    uint64_t max_connections, max_inflight, max_body;
    uint64_t max_connections_per_peer;                            /* 0 = no limit of its own */
    double failed_logins_per_s;                                   /* for each peer; 0 = no limit */
    uint64_t header_timeout_ms, body_timeout_ms, idle_timeout_ms; /* client connections */
    uint64_t endpoint_limit;
    uint64_t catalogue_cache_ms, catalogue_max_age_ms, catalogue_rows;
    uint64_t drain_timeout_ms;
    uint64_t drain_notice_ms;
    uint64_t explain_entries, explain_memory; /* 0 entries = nothing is kept */
    uint64_t last_errors;                     /* failed requests kept for /status */
    bool release_on_stop;
    uint64_t reconcile_every_ms;
    double reconcile_per_s; /* vault calls; 0 = unlimited */
    enum log_level log_level;
    bool log_json;
    char *log_file;
    char *audit_file;       /* default: state_dir/audit.jsonl */
    char *audit_group;      /* may read trail and head, name or number; NULL = none */
    uint64_t audit_witness; /* bytes of the trail read at the start */
    enum conf_audit_policy audit_policy;
    char *audit_syslog; /* NULL = none */
    enum conf_syslog_format audit_syslog_format;
    uint64_t secret_memory;
    enum conf_sandbox sandbox;
};

struct conf_listener {
    char name[CONF_NAME_MAX];
    char *address; /* as written */
    bool is_unix;
    char *host; /* without brackets; path for unix */
    uint16_t port;
    char *tls_certificate, *tls_key, *client_ca, *client_crl; /* NULL = none */
    uint64_t unix_mode;                                       /* 0660 */
    char *unix_owner, *unix_group;                            /* names or numbers; NULL = as the process */
    enum conf_routes routes;                                  /* what it serves */
};

struct conf_client {
    char name[CONF_NAME_MAX];
    bool has_token;
    uint8_t token_sha256[32];
    char *certificate_san; /* "DNS:name" etc., normalised; NULL = none */
    int64_t peer_uid;      /* -1 = none */
    unsigned allow;        /* enum conf_permission bits */
    double rate_per_s;     /* 0 = unlimited */
};

struct conf_vault {
    char name[CONF_NAME_MAX];
    char *type;
    char *url; /* without trailing slash */
    bool insecure_http;
    char *api_key_file, *run_as_password_file;
    char *oauth_client_id, *oauth_client_secret_file;
    bool oauth_shared_identity; /* all PRA users act as the application user, and that is meant */
    char *client_certificate, *client_key, *ca_file;
    char *proxy; /* NULL = none; the environment is never asked */
    struct conf_list run_as;
    char *default_domain;
    enum conf_name_form match[FORM_NFORMS];
    size_t nmatch;
    uint64_t session_idle_ms;
    uint64_t sessions_per_user, max_calls, connections;
    uint64_t max_wait_ms; /* 0 = as the deadline allows */
    uint64_t connect_timeout_ms, call_timeout_ms, connection_idle_ms, connection_max_age_ms, retries;
    uint64_t max_answer; /* bytes of one vault answer */
    uint64_t max_rows;   /* of one list, over all its pages */
    char *directory_user;
    uint64_t minute_ms; /* length of a vault minute */
    enum conf_username_form username_form;
    bool ask_policy;
    uint64_t approval_wait_ms;             /* 0 = not waited for */
    char *reason;                          /* template; "" = none */
    struct conf_list user_map, domain_map; /* LEFT:RIGHT */
    struct conf_list platform_method;      /* PLATFORM:rdp, PLATFORM:shell */
    struct conf_list hide, favourites;     /* patterns over account names */
    unsigned kinds;                        /* bits of enum account_kind that find asks for; 0 = the default */
    char *display;                         /* template; NULL or "" = the default */
    uint64_t credential_limit;             /* 0 = none */
    bool restrict_network;
    /* Of Privileged Identity alone. */
    enum conf_provisional provisional;
    char *base_path, *profile, *profile_file; /* profile_file: NULL = none */
    char *login_name, *login_password_file, *authenticator;
    uint64_t token_max_age_ms, max_duration_ms, settle_ms;
    uint64_t checkout_life_ms; /* 0 = unknown, or without end */
    bool repeat_checkout, checkin_each;
    enum conf_spin spin;
    uint64_t spin_delay_ms;
};

/* Who may get which credential of Privileged Identity where: a stored one, or an entry of a shared list. */
struct conf_access {
    char name[CONF_NAME_MAX];
    char *vault; /* NULL = the only one of this type */
    char *stored_system, *stored_account, *stored_custom_type;
    uint64_t stored_type;
    char *shared_list, *shared_system, *shared_account;
    struct conf_list users; /* as conf_access_user_refusal() lets them pass */
    char *users_file;
    struct conf_list hosts;
    char *username, *label; /* NULL = derived */
};

struct conf_jumpoints {
    bool all;
    struct conf_list names; /* empty with `all` */
};

struct conf_pra {
    char name[CONF_NAME_MAX];
    char *url; /* scheme://host[:port] */
    bool insecure_http;
    char *client_id, *client_secret_file;
    char *ca_file, *proxy; /* NULL = the system's authorities; none */
    uint64_t connect_timeout_ms, call_timeout_ms, report_timeout_ms;
    uint64_t max_answer; /* bytes */
    double rate_per_s;   /* calls to the site */
    uint64_t probe_interval_ms, check_interval_ms;
    uint64_t poll_interval_ms; /* 0 = no polling */
    uint64_t poll_overlap_ms, catch_up_ms;
    struct conf_digests events_token; /* none = the route is not there */
    struct conf_list events_from;     /* networks (base/address.h); empty = any peer */
    bool terminate;
    struct conf_jumpoints jumpoints;
    bool ecm;
};

struct conf_store {
    enum conf_store_type type;
    struct conf_list endpoints; /* scheme://host:port, in one spelling */
    char *prefix;               /* begins and ends with '/' */
    char *node;                 /* name in the cluster; the host name where etcd is used and none is set */
    uint64_t ttl_ms;            /* silence after which a node counts as dead */
    char *ca_file, *client_certificate, *client_key; /* NULL = the system's authorities; none */
    char *user, *password_file;                      /* NULL = no sign-in */
    bool insecure_http;
};

struct conf {
    struct conf_gateway gateway;
    struct conf_store store;
    struct conf_listener *listeners;
    size_t nlisteners;
    struct conf_client *clients;
    size_t nclients;
    struct conf_vault *vaults;
    size_t nvaults;
    struct conf_access *accesses;
    size_t naccesses;
    struct conf_pra *pras; /* none or one */
    size_t npras;
    char digest[65]; /* SHA-256 of the effective configuration, hex */
};

/*
 * Reads and checks `path`. Every mistake becomes a line `file:line: message` in `errors`, all of them at
 * once. 0 and *out, or -EINVAL (mistakes), -errno (cannot read; also explained in `errors`). Warnings are
 * lines that begin `file:line: warning: ` and do not fail.
 */
int conf_load(const char *path, struct conf **out, struct buf *errors);
/* The same with a look at some of the files alone: for a command that tells the faults of others apart. */
enum conf_files {
    CONF_FILES_ALL,
    CONF_FILES_BUT_SITE_SECRET, /* all but `client_secret_file` of the site */
    CONF_FILES_NONE,
    CONF_FILES_OF_SITE, /* those of the site, but not its secret, and no path */
};
int conf_load_files(const char *path, enum conf_files, struct conf **out, struct buf *errors);
/*
 * For a command that asks a running gateway: the [gateway] section, and which type of store it has, without a
 * look at any secret; credentials need not be there. Mistakes in other keys than `state_dir` are passed over;
 * *sound says whether the section has none. 0 and *out (no listeners, clients, vaults, sites; no digest), or
 * -errno and `errors`.
 */
int conf_load_control(const char *path, struct conf **out, bool *sound, struct buf *errors);
/* The line of the file at `path` that sets the key of a section ("gateway", "client pra"), or where it is not
 * set that of the section's header; 0 = neither is there. */
unsigned conf_line_of(const char *path, const char *section, const char *key);
/* Does the file want its log as JSON? Whatever mistakes it has: they are to be said in that form. */
bool conf_log_json(const char *path);
void conf_free(struct conf *); /* NULL is fine */

bool conf_is_privileged_identity(const struct conf_vault *);
/* The vault of an [access] section; NULL = there is none. */
const struct conf_vault *conf_access_vault(const struct conf *, const struct conf_access *);
/* What keeps the text from naming users, as the end of a sentence that begins with it; NULL = it is
 * `DOMAIN\user`, `user` or `DOMAIN\*`. */
const char *conf_access_user_refusal(const char *text);

#define CONF_DIGEST_SIZE 65
/* SHA-256, in hex, of what all gateways of a cluster have alike where people are to see no difference; its
 * vaults in the order of their names. 0 or -ENOMEM. */
int conf_cluster_digest(const struct conf *, char hex[CONF_DIGEST_SIZE]);
/* The same of what makes a section the same vault: two gateways with one name for two vaults would close each
 * other's requests. 0 or -ENOMEM. */
int conf_vault_digest(const struct conf_vault *, char hex[CONF_DIGEST_SIZE]);

void conf_print_defaults(struct buf *); /* the annotated file */
void conf_print_doc(struct buf *);      /* a Markdown table per section */
void conf_print_man(struct buf *);      /* jumpgate.conf(5) */

#endif
