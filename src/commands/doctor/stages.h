/*
 * stages.h - shared by the stages of the doctor: the arguments, and the results of earlier stages.
 *
 *     doctor.c         order of the stages, the answer
 *     conf.c    configuration, secrets, user mapping
 *     net.c     name, connection
 *     proxy.c   the tunnel through a proxy
 *     tls.c     certificate
 *     vault.c   API, role, clock: through the gateway's own backend
 *     sign_in.c sign-in, and the causes of its refusal
 *     list.c    list for the host, access policy
 *     pi.h      the same stages of a Privileged Identity, and its probe
 *     store.c   a store on etcd, through the gateway's own client for it
 *     pra.c     the PRA site, through the gateway's own client for it
 *     own.c     the gateway's own side: listener.c, certificate.c, state.c
 *     table.c   names and exit codes of the stages
 *     report.c  findings and how they are shown
 *
 * A stage function writes its finding into the report (doctor.c names the stage) and returns whether the next
 * stage can run. Stages run one after the other and wait for each answer (the loop is run until it is there),
 * which a command may do.
 */
#ifndef JG_COMMANDS_DOCTOR_STAGES_H
#define JG_COMMANDS_DOCTOR_STAGES_H

#include "backends/backend.h"
#include "base/address.h"
#include "base/json.h"
#include "broker/identity/host_names.h"
#include "broker/identity/usermap.h"
#include "commands/commands.h"
#include "commands/doctor/checklist.h"
#include "commands/doctor/report.h"
#include "loop/loop.h"

#include <netdb.h>
#include <openssl/x509.h>

struct doctor_args {
    const char *conf;
    const char *user; /* U or DOMAIN\U; NULL with `pra` */
    const char *host;
    const char *vault; /* NULL = the only one */
    bool json;
    bool pra;           /* the PRA site alone */
    bool probe;         /* the probe of a Privileged Identity, without `user` and `host` */
    const char *access; /* with `probe`: the section whose credential is checked out; NULL = none */
};

struct doctor {
    const struct doctor_args *args;
    struct doctor_report report;
    struct conf *conf;
    struct conf *site_conf; /* read without a look at the files that it names; NULL = not read */
    struct conf *written;   /* read without a look at any file; NULL = not read */
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
    const char *user;                 /* the candidate that could sign in */
    struct account_list *all;         /* all accounts that user may request */
    struct fault list_fault;          /* why there is no such list, after a sign-in */
    struct directory_list *directory; /* the vault's systems; NULL = not read */
    struct account_list *on_host;     /* what find would show for the host */
    size_t hidden;                    /* rows on the host that `hide` takes away */
    struct pi_doctor *pi;             /* of a Privileged Identity; NULL = of another vault, or not begun */
    struct checklist checklist;       /* with `probe` */
};

/* Parts of the finding of the present stage. */
#define report_ok(d, ...)      report_write(&(d)->report, REPORT_OK, __VA_ARGS__)
#define report_unknown(d, ...) report_write(&(d)->report, REPORT_UNKNOWN, __VA_ARGS__)
#define report_warning(d, ...) report_write(&(d)->report, REPORT_WARNING, __VA_ARGS__)
#define report_failed(d, ...)  report_write(&(d)->report, REPORT_FAILED, __VA_ARGS__)
#define report_cause(d, ...)   report_write(&(d)->report, REPORT_CAUSE, __VA_ARGS__)
#define report_remedy(d, ...)  report_write(&(d)->report, REPORT_REMEDY, __VA_ARGS__)
#define report_note(d, ...)    report_write(&(d)->report, REPORT_NOTE, __VA_ARGS__)

/* conf.c */
bool doctor_configuration(struct doctor *);
/* The same for the site alone. In both the site's secret is left to the stage pra_secret. */
bool doctor_site_configuration(struct doctor *);
/* The site's section, also of a configuration whose files are at fault; NULL = there is none. */
const struct conf_pra *doctor_site(struct doctor *);
/* The configuration as it is written, whatever its files are like; NULL = it has mistakes. */
const struct conf *doctor_written(struct doctor *);
bool doctor_secrets(struct doctor *);
bool doctor_mapping(struct doctor *);

/* net.c */
bool doctor_dns(struct doctor *);
bool doctor_tcp(struct doctor *);
uint16_t doctor_url_port(const struct address_url *); /* the scheme's own where none is given */

/* connect.c: a connected, blocking socket with timeouts both ways, or -errno. */
int doctor_connect(const struct addrinfo *, uint64_t timeout_ms);

/* proxy.c */
#define DOCTOR_WORDS_SIZE 512
/* A proxy that is asked in plain HTTP. */
bool doctor_is_http_proxy(const char *proxy, struct address_url *out);
/* Asks for a tunnel on a connection to a proxy: the status of the answer, or -errno. 200 = the tunnel is
 * there. */
int doctor_tunnel(int fd, const char *host, uint16_t port);
/* The same on a connection of its own, which is closed. */
int doctor_ask_proxy(const struct address_url *proxy, const char *host, uint16_t port, uint64_t timeout_ms);
/* What the answer means, for any `status` but 2xx. */
void doctor_proxy_words(int status, const char *host, uint16_t port, char cause[DOCTOR_WORDS_SIZE],
                        char remedy[DOCTOR_WORDS_SIZE]);

/* tls.c */
bool doctor_tls(struct doctor *);
/* Can the vault's client certificate and key be used together? */
bool doctor_own_pair(const struct conf_vault *);
/* "12 days left", "ended 365 days ago", "begins in 2 days". */
#define DOCTOR_WHEN_SIZE 48
enum doctor_validity { VALIDITY_GOOD, VALIDITY_ENDS_SOON, VALIDITY_NOT_BEGUN, VALIDITY_ENDED };
enum doctor_validity doctor_validity_words(const ASN1_TIME *begin, const ASN1_TIME *end,
                                           char out[DOCTOR_WHEN_SIZE]);
void doctor_note_validity(struct doctor *, const X509 *);

/* vault.c */
bool doctor_open(struct doctor *); /* loop and backend */
void doctor_close(struct doctor *);
bool doctor_api(struct doctor *);
bool doctor_role(struct doctor *);
void doctor_clock(struct doctor *);
const char *doctor_acting(const struct doctor *); /* who asks the vault, once one was let in, in words */
/* Cause and remedy of a call that failed without a refusal of the user. */
void doctor_explain_fault(struct doctor *, const struct fault *);

/* sign_in.c */
bool doctor_sign_in(struct doctor *);

/* One call of the backend, waited for; vault_call_free() it. */
struct doctor_call {
    struct vault_call call;
    struct loop *loop;
    bool done;
};
void doctor_ask_list(struct doctor *, const char *user, const struct account_query *, struct doctor_call *);
void doctor_ask_policy(struct doctor *, const struct account *, int64_t minutes, struct doctor_call *);
void doctor_ask_systems(struct doctor *, const char *user, struct doctor_call *);

/* own.c */
void doctor_own(struct doctor *); /* all stages of the gateway's own side */
/* /status of the running gateway, to be freed; NULL where the answer is none. 0, -ECONNREFUSED when no
 * gateway runs, other -errno when it cannot be asked. */
int doctor_ask_gateway(const struct conf *, cJSON **status);

/* store.c */
void doctor_store(struct doctor *); /* all stages of a store on etcd; `conf` is loaded */

/* pra.c */
void doctor_pra(struct doctor *); /* all stages of the site; `conf` is loaded and has a [pra] section */

/* list.c */
bool doctor_list(struct doctor *);
bool doctor_policy(struct doctor *);

#endif
