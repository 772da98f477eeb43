/*
 * vault.h - Password Safe in a world: users, accounts, requests, approvals, rotation, vault sessions.
 *
 * vault.c keeps the state and decides, vault_api.c speaks HTTP, vault_link.c is the network between gateway
 * and vault with its faults. The simulated vault is always right in what it does; what goes wrong goes wrong
 * on the way. It follows docs/password-safe.md.
 */
#ifndef JG_TESTS_SIM_VAULT_H
#define JG_TESTS_SIM_VAULT_H

#include "world.h"

#include "base/buf.h"

#include <sys/queue.h>

#define VAULT_SECRET_SIZE 64
#define VAULT_REASON_SIZE 1024
#define VAULT_BASE        "/BeyondTrust/api/public/v3"
#define VAULT_COOKIE      "session-of-the-vault-" /* and its number */

enum vault_call_kind {
    VAULT_PROBE,
    VAULT_SIGN_IN,
    VAULT_SIGN_OUT,
    VAULT_LIST,
    VAULT_POLICY,
    VAULT_REQUEST,
    VAULT_CREDENTIAL,
    VAULT_CHECKIN,
    VAULT_REQUESTS,
    VAULT_ISA,
    VAULT_NCALLS,
    SITE_PROBE = VAULT_NCALLS, /* of the PRA site: site_sim.h */
    SITE_TOKEN,
    SITE_COMMAND,
    SITE_LISTING,
    SITE_SESSION,
    SITE_TERMINATE,
    SITE_NCALLS,
    ETCD_TXN = SITE_NCALLS, /* of etcd: etcd_sim.h */
    ETCD_RANGE,
    ETCD_SIGN_IN,
    ETCD_STATUS,
    ALL_NCALLS
};
const char *vault_call_word(enum vault_call_kind);

/* What happens to one call on its way. The number c of the act says how long, or which. */
#define VAULT_FAULTS(X)                                                                                      \
    X(SLOW, "slow")               /* takes c ms */                                                           \
    X(LOST_BEFORE, "lost-before") /* the connection ends before the vault has it */                          \
    X(LOST_AFTER, "lost-after")   /* ... before its answer is sent */                                        \
    X(STUCK, "stuck")             /* reaches the vault after c ms, answered then */                          \
    X(SILENT, "silent")           /* done, and never answered */                                             \
    X(DONE_TWICE, "done-twice")   /* the vault does it twice */                                              \
    X(ANSWERED_TWICE, "answered-twice")                                                                      \
    X(LATE_ANSWER, "late-answer")     /* done at once, answered after c ms */                                \
    X(CUT, "cut")                     /* the connection ends within the answer */                            \
    X(PAGE_BEFORE, "page-before")     /* another box answers with its page; not done */                      \
    X(PAGE_AFTER, "page-after")       /* the same, and done */                                               \
    X(WRONG_JSON, "wrong-json")       /* done, and answered with JSON of another form */                     \
    X(REFUSED, "refused")             /* 4xx by number, not done */                                          \
    X(FAILED_BEFORE, "failed-before") /* 5xx by number, not done */                                          \
    X(FAILED_AFTER, "failed-after")   /* 5xx by number, done */                                              \
    X(EMPTY, "empty")                 /* done, and answered 200 with nothing */

enum vault_fault_kind {
    VAULT_FINE = -1,
#define X(name, word) VAULT_FAULT_##name,
    VAULT_FAULTS(X)
#undef X
        VAULT_NFAULTS
};

enum vault_request_state { VAULT_PENDING, VAULT_ACTIVE, VAULT_ENDED };
enum vault_request_end {
    VAULT_END_NONE,
    VAULT_END_CHECKIN,
    VAULT_END_EXPIRED,
    VAULT_END_DENIED,
    VAULT_END_ADMIN
};

struct vault_entry { /* one request */
    STAILQ_ENTRY(vault_entry) link;
    unsigned id, user, account;
    enum vault_request_state state;
    enum vault_request_end end;
    bool own; /* the user's, not the gateway's */
    bool isa;
    bool asked_back; /* a check-in has reached the vault */
    bool wanted_approval;
    bool stray;  /* made by a call of which the vault got two, or one too late: see docs/simulation.md */
    bool judged; /* by oracle.c, as one that ended by its own time */
    int64_t expires_wall_ms; /* the vault's clock */
    uint64_t made_ms, ended_ms;
    uint64_t unheld_ms;      /* of several gateways: since then no lease holds it; 0 = one does */
    uint64_t waits_until_ms; /* by the longest approval_wait of the gateways when it was made */
    unsigned minutes;        /* asked for */
    uint64_t read_ms;        /* when its secret was last read; 0 = never */
    char reason[VAULT_REASON_SIZE];
};

struct vault_session {
    STAILQ_ENTRY(vault_session) link;
    unsigned id, user;
    uint64_t last_ms;
};

/* The password was read: by whom, when, and what it was. */
struct vault_read {
    STAILQ_ENTRY(vault_read) link;
    unsigned user, account, version;
    struct vault_entry *entry;
    uint64_t at_ms;
    bool answered; /* a check-out has handed it over */
};

struct vault_sim {
    struct world *world;
    unsigned version[SETUP_ACCOUNTS]; /* of the account's password */
    bool entitled[SETUP_USERS][SETUP_ACCOUNTS];
    uint64_t entitled_ms[SETUP_USERS][SETUP_ACCOUNTS]; /* when that last changed */
    int64_t ahead_ms;
    STAILQ_HEAD(, vault_entry) requests; /* all that ever were */
    STAILQ_HEAD(, vault_session) sessions;
    STAILQ_HEAD(, vault_read) reads;
    unsigned last_request, last_session;
    bool strays; /* what it makes now is stray */
    struct link_side *links;
};

struct vault_sim *vault_new(struct world *);
void vault_free(struct vault_sim *);
void vault_act(struct vault_sim *, const struct act *);
void vault_heal(struct vault_sim *);
int64_t vault_wall(const struct vault_sim *);
bool vault_entitles(const struct vault_sim *, unsigned user, unsigned account);

/* Requests end by their time. */
void vault_settle(struct vault_sim *);
static inline bool vault_live(const struct vault_entry *e)
{
    return e->state != VAULT_ENDED;
}
/* A request of this user for this account; NULL = it may not: another's is in the way. */
struct vault_entry *vault_make(struct vault_sim *, unsigned user, unsigned account, unsigned minutes,
                               const char *reason, bool own);
struct vault_entry *vault_find(struct vault_sim *, unsigned id);
void vault_end(struct vault_sim *, struct vault_entry *, enum vault_request_end);
void vault_secret(const struct vault_sim *, unsigned account, unsigned version, char out[VAULT_SECRET_SIZE]);
/* False = it is no secret of this vault. */
bool vault_secret_of(const struct vault_sim *, const char *secret, unsigned *account, unsigned *version);

/* vault_api.c: one HTTP request as the gateway has sent it, and its answer's whole bytes. */
struct vault_http {
    const char *method, *target;
    const char *head; /* all its lines */
    const char *body;
};
enum vault_call_kind vault_api_kind(const struct vault_http *);
/* `kind`: as vault_api_kind() says of it. */
void vault_api(struct vault_sim *, const struct vault_http *, enum vault_call_kind kind, struct buf *answer);
void vault_api_answer(struct buf *, int status, const char *type, const char *lines, const char *body);

/* site_sim.c: the same for the PRA site. */
enum vault_call_kind site_sim_kind(const struct vault_http *);
void site_sim_answer(struct site_sim *, const struct vault_http *, struct buf *answer);

/* etcd_sim.c: the same for etcd. */
enum vault_call_kind etcd_sim_kind(const struct vault_http *);
void etcd_sim_call(struct etcd_sim *, struct node *, const struct vault_http *, struct buf *answer);

/* vault_link.c */
struct link_side *link_side_new(struct world *);
void link_side_free(struct link_side *);
void link_side_act(struct link_side *, const struct act *);
void link_side_heal(struct link_side *);
/* Since when the vault answers nothing and takes no connection; 0 = it is there. */
uint64_t link_side_vault_away_ms(const struct link_side *);
/* The members of etcd have been started again: what was sent to them, and their answers, are lost. */
void link_side_etcd_restored(struct link_side *);
/* A pause of this node is over: what has come for its connections is there now. */
void link_side_wake(struct link_side *, struct node *);

#endif
