/*
 * doctor_stages.h - shared by the stages of the doctor: the arguments, and the results of earlier stages.
 *
 *     doctor.c         order of the stages, the answer
 *     doctor_conf.c    configuration, secrets, user mapping
 *     doctor_net.c     name, connection
 *     doctor_tls.c     certificate
 *     doctor_vault.c   API, sign-in, role, clock: through the gateway's own backend
 *     doctor_list.c    list for the host, access policy
 *     doctor_pra.c     the PRA site, through the gateway's own client for it
 *     doctor_report.c  findings and how they are shown
 *
 * A stage function writes its finding into the report (doctor.c names the stage) and returns whether the next
 * stage can run. Stages run one after the other and wait for each answer (the loop is run until it is there),
 * which a command may do.
 */
#ifndef JG_DOCTOR_STAGES_H
#define JG_DOCTOR_STAGES_H

#include "backends/backend.h"
#include "base/address.h"
#include "broker/identity/host_names.h"
#include "broker/identity/usermap.h"
#include "commands/commands.h"
#include "commands/doctor_report.h"
#include "loop/loop.h"

#include <netdb.h>

struct doctor_args {
    const char *conf;
    const char *user; /* U or DOMAIN\U; NULL with `pra` */
    const char *host;
    const char *vault; /* NULL = the only one */
    bool json;
    bool pra; /* the PRA site alone */
};

struct doctor {
    const struct doctor_args *args;
    struct doctor_report report;
    struct conf *conf;
    struct conf *site_conf; /* read without a look at the files that it names; NULL = not read */
    const struct conf_vault *vault_conf;
    char *username, *domain; /* of --user; domain NULL = none */
    struct session session;
    struct usermap users;
    struct address_url url;
    struct address_url target; /* where to connect: the vault, or the proxy before it */
    uint16_t target_port;
    bool proxied;
    struct addrinfo *addresses;
    struct loop *loop;
    struct vault *vault;
    const char *user;             /* the candidate that could sign in */
    struct account_list *all;     /* all accounts that user may request */
    struct account_list *on_host; /* what find would show for the host */
    size_t hidden;                /* rows on the host that `hide` takes away */
};

/* Parts of the finding of the present stage. */
#define report_ok(d, ...)      report_write(&(d)->report, REPORT_OK, __VA_ARGS__)
#define report_unknown(d, ...) report_write(&(d)->report, REPORT_UNKNOWN, __VA_ARGS__)
#define report_failed(d, ...)  report_write(&(d)->report, REPORT_FAILED, __VA_ARGS__)
#define report_cause(d, ...)   report_write(&(d)->report, REPORT_CAUSE, __VA_ARGS__)
#define report_remedy(d, ...)  report_write(&(d)->report, REPORT_REMEDY, __VA_ARGS__)
#define report_note(d, ...)    report_write(&(d)->report, REPORT_NOTE, __VA_ARGS__)

/* doctor_conf.c */
bool doctor_configuration(struct doctor *);
/* The same for the site alone. In both the site's secret is left to the stage pra_secret. */
bool doctor_site_configuration(struct doctor *);
/* The site's section, also of a configuration whose files are at fault; NULL = there is none. */
const struct conf_pra *doctor_site(struct doctor *);
bool doctor_secrets(struct doctor *);
bool doctor_mapping(struct doctor *);

/* doctor_net.c */
bool doctor_dns(struct doctor *);
bool doctor_tcp(struct doctor *);
/* A connected, blocking socket with timeouts both ways, or -errno. */
int doctor_connect(const struct addrinfo *, uint64_t timeout_ms);

/* doctor_tls.c */
bool doctor_tls(struct doctor *);
/* Can the vault's client certificate and key be used together? */
bool doctor_own_pair(const struct conf_vault *);

/* doctor_vault.c */
bool doctor_open(struct doctor *); /* loop and backend */
void doctor_close(struct doctor *);
bool doctor_api(struct doctor *);
bool doctor_sign_in(struct doctor *);
bool doctor_role(struct doctor *);
void doctor_clock(struct doctor *);

/* One call of the backend, waited for; vault_call_free() it. */
struct doctor_call {
    struct vault_call call;
    struct loop *loop;
    bool done;
};
void doctor_ask_list(struct doctor *, const char *user, const struct account_query *, struct doctor_call *);
void doctor_ask_policy(struct doctor *, const struct account *, int64_t minutes, struct doctor_call *);
void doctor_ask_systems(struct doctor *, const char *user, struct doctor_call *);

/* doctor_pra.c */
void doctor_pra(struct doctor *); /* all stages of the site; `conf` is loaded and has a [pra] section */

/* doctor_list.c */
bool doctor_list(struct doctor *);
bool doctor_policy(struct doctor *);

#endif
