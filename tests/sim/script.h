/*
 * script.h - everything that will happen to a world, made from its seed before the world begins.
 *
 * A script is its seed, its setup and a list of acts in the order of their times. Any act may be left out and
 * the rest still is a script: an act names sessions, accounts and users by number, and one that finds nothing
 * to act on does nothing. So a failing script is made shorter by leaving acts out (shrink.h), and is kept as
 * a text file, one act a line.
 */
#ifndef JG_TESTS_SIM_SCRIPT_H
#define JG_TESTS_SIM_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCRIPT_HOURS   6 /* of acts */
#define SCRIPT_MS      (SCRIPT_HOURS * UINT64_C(3600000))
#define SETUP_USERS    4
#define SETUP_ACCOUNTS 6
#define SETUP_SESSIONS 64
#define SETUP_NODES    3   /* gateways at most */
#define SETUP_RATE     50  /* of a clock that is right; one less or more is a thousandth */
#define SETUP_AHEAD_S  300 /* the same, of one that shows the right time */

/* In a world of several gateways b of an act also names the gateway for which it is, in its high bits. */
#define ACT_NODE_SHIFT 16
#define ACT_NODE_MASK  0xffffU

/* What a, b and c are: script.c makes them, the file of the act reads them. */
#define SCRIPT_ACTS(X)                                                                                       \
    /* callers.c: a session, b how it is sent (enum send_flags), c account */                                \
    X(FIND, "find")                                                                                          \
    X(CHECKOUT, "checkout")                                                                                  \
    X(RELEASE, "release")                                                                                    \
    X(COMPLETE, "complete")                                                                                  \
    X(STARTED, "started")                                                                                    \
    X(OPERATOR_RELEASE, "operator-release") /* a which of the known leases */                                \
    X(LIST, "list-leases")                                                                                   \
    X(STATUS, "status")                                                                                      \
    X(END_SESSION, "end-session") /* a which of the known leases: released, and its session ended */         \
    X(GARBAGE, "garbage")         /* a which one */                                                          \
    X(LEAVE, "leave")             /* the client of the last a-th open request goes away; b resets */         \
    /* vault.c */                                                                                            \
    X(FAULT, "fault")           /* a kind of call, b kind of fault, c its number */                          \
    X(VAULT_DOWN, "vault-down") /* a seconds, b refused or silent */                                         \
    X(VAULT_FORGET, "vault-forget-sessions")                                                                 \
    X(VAULT_HANG_UP, "vault-hang-up") /* closes its idle connections */                                      \
    X(ENTITLE, "entitle")             /* a user, c account: turns it over */                                 \
    X(APPROVE, "approve")             /* a which of the pending requests */                                  \
    X(DENY, "deny")                                                                                          \
    X(TERMINATE, "terminate") /* a which of the live requests, by the vault's administrator */               \
    X(ROTATE, "rotate")       /* c account */                                                                \
    X(OWN, "own-request")     /* a user asks the vault for account c without the gateway */                  \
    X(OWN_END, "own-end")     /* a which of those */                                                         \
    /* vault_link.c, between gateway and site */                                                             \
    X(SITE_FAULT, "site-fault") /* a kind of call, b kind of fault, c its number */                          \
    X(SITE_DOWN, "site-down")   /* a seconds, b refused or silent */                                         \
    /* site_sim.c */                                                                                         \
    X(SESSION_END, "session-end") /* a session, b how (enum session_end_flags), c ms until its event */      \
    X(SITE_EVENT, "site-event")   /* a session, b an event that ends nothing, c ms until it */               \
    /* world.c */                                                                                            \
    X(JUMP, "clock-jump")           /* a seconds; b 1 = back */                                              \
    X(VAULT_CLOCK, "vault-clock")   /* a seconds the vault is ahead; b 1 = behind */                         \
    X(STORE_FAILS, "store-fails")   /* a seconds */                                                          \
    X(STORE_SLOW, "store-slow")     /* a seconds, b milliseconds for each commit */                          \
    X(TRAIL_FAILS, "trail-fails")   /* a seconds */                                                          \
    X(TRAIL_SLOW, "trail-slow")     /* a seconds, b milliseconds for each write */                           \
    X(ROTATE_TRAIL, "rotate-trail") /* its file gets another name */                                         \
    X(CRASH, "crash") /* a how many writes from now on, b what it loses (enum vdisk_loss), c ms until the    \
                         start */                                                                            \
    X(KILL, "kill")   /* at once, or at the a-th sending, b behind it; c ms until the start */               \
    X(STOP, "stop")   /* SIGTERM; c ms from its end to the start */                                          \
    /* gateway_run.c */                                                                                      \
    X(RELOAD, "reload") /* a which change of the configuration (enum reload_change), b its value */          \
    /* Of several gateways. vault_link.c */                                                                  \
    X(ETCD_FAULT, "etcd-fault") /* a kind of call, b kind of fault, c its number */                          \
    X(ETCD_DOWN, "etcd-down")   /* a seconds, b how (enum etcd_down), c which member; more than all: each */ \
    X(ETCD_SLOW, "etcd-slow")   /* a seconds, c milliseconds for each answer */                              \
    X(PARTITION, "partition")   /* a seconds, b what is cut (enum partition_flags) */                        \
    /* etcd_sim.c */                                                                                         \
    X(ETCD_FORGET, "etcd-forget-tokens")                                                                     \
    X(ETCD_FULL, "etcd-full") /* a seconds at its quota; b how many transactions it does and refuses */      \
    X(ETCD_BACKUP, "etcd-backup")                                                                            \
    X(ETCD_RESTORE, "etcd-restore") /* the last backup; b 1 = as another cluster */                          \
    /* world.c */                                                                                            \
    X(PAUSE, "pause") /* c ms, in which the gateway's process does nothing; at once, or at the a-th sending  \
                       */

enum act_kind {
#define X(name, word) ACT_##name,
    SCRIPT_ACTS(X)
#undef X
        ACT_NKINDS
};

/* What a seed decides once: numbers alone, so that a file has it as a row of numbers. New ones come last: a
 * file without them is read as if they were 0. */
struct setup {
    unsigned users, accounts;
    unsigned release_minutes; /* of the gateway */
    unsigned approval_wait_s; /* 0 = none */
    unsigned list_cache_ms;
    unsigned session_idle_minutes, connections, sessions_per_user;
    unsigned reconcile_minutes;
    unsigned strict, release_on_stop, ask_policy; /* yes or no */
    struct {
        unsigned concurrent;            /* 0 = unlimited */
        unsigned approval, rotate, isa; /* yes or no */
        unsigned max_minutes;
    } account[SETUP_ACCOUNTS];
    unsigned entitled[SETUP_USERS][SETUP_ACCOUNTS];
    unsigned latency_ms; /* of the vault, usual */
    unsigned site;       /* the PRA site: enum site_use */
    unsigned site_ahead_s, probe_s, poll_s;
    unsigned full_name;    /* bit n: run_as has a domain at node n */
    unsigned checkin_ms;   /* the vault takes so long for each check-in */
    unsigned max_inflight; /* 0 = the default */
    unsigned nodes;        /* gateways with one etcd; 0 = one gateway, which has its store for itself */
    unsigned minutes;      /* of acts; 0 = SCRIPT_HOURS */
    unsigned ttl_s, etcd_users;
    struct {
        unsigned rate, ahead_s; /* of a node's clocks: SETUP_RATE, SETUP_AHEAD_S = right */
    } clock[SETUP_NODES];
    unsigned keyed; /* the vault is one without numbers (keyed_vault.h); yes or no */
};

/* b of ACT_ETCD_DOWN */
enum etcd_down { ETCD_REFUSES, ETCD_SILENT, ETCD_NO_LEADER, ETCD_NDOWNS };

/* b of ACT_PARTITION: nothing flag means both ways. */
enum partition_flags {
    CUT_ETCD = 1,
    CUT_VAULT = 2,
    CUT_TO = 4,    /* only what the gateway sends */
    CUT_BACK = 8,  /* only what is sent to it */
    CUT_KEEPS = 16 /* what is sent meanwhile arrives afterwards, as TCP repeats it */
};

static inline uint64_t script_ms(const struct setup *s)
{
    return s->minutes ? s->minutes * UINT64_C(60000) : SCRIPT_MS;
}

struct act {
    uint64_t at_ms;
    enum act_kind kind;
    unsigned a, b, c;
};

struct script {
    uint64_t seed;
    struct setup setup;
    struct act *act;
    size_t n, cap;
};

enum reload_change {
    RELOAD_DURATION,
    RELOAD_LIST_CACHE,
    RELOAD_RECONCILE, /* refused: it needs a restart */
    RELOAD_APPROVAL_WAIT,
    RELOAD_VAULT_SESSIONS,
    RELOAD_RUN_AS, /* another name of the same user */
    RELOAD_SITE,
    RELOAD_RELEASE_ON_STOP,
    RELOAD_VAULT_GONE, /* refused, and the section is back with the next one */
    RELOAD_MISTAKE,    /* refused */
    RELOAD_NCHANGES,
    RELOAD_FOLLOW = RELOAD_NCHANGES /* of several gateways: what another one has been given */
};

/* a of ACT_STATUS */
enum status_page { STATUS_ALL, STATUS_METRICS, STATUS_HEALTH, STATUS_READY, STATUS_LIVE, STATUS_NPAGES };

enum send_flags {
    SEND_IN_PIECES = 1,
    SEND_ON_OPEN = 2, /* on the session's last connection, behind what waits there */
    SEND_SHORT_TIME = 4,
    SEND_DURATION = 8, /* names a duration */
    SEND_REASON = 16,
    SEND_LSID = 32,
};

void script_make(struct script *, uint64_t seed);
/* The same for a world of several gateways: cluster_script.c. */
void script_make_cluster(struct script *, uint64_t seed);
void script_add(struct script *, uint64_t at_ms, enum act_kind, unsigned a, unsigned b, unsigned c);
/* For a world with a vault without numbers: keyed_script.c. */
void script_make_keyed(struct script *, uint64_t seed);
/* Puts the acts into the order of their times. */
void script_sort(struct script *);
void script_free(struct script *);
/* `from` without the acts from `first` on, `n` of them. */
void script_without(struct script *to, const struct script *from, size_t first, size_t n);
const char *script_word(enum act_kind);
void script_write(const struct script *, FILE *);
/* False = the file is none. */
bool script_read(struct script *, FILE *);

#endif
