/*
 * fake_vault.h - a vault in memory whose every call can be made to go wrong.
 *
 * It is one more row of struct vault_ops. A call waits in a queue until the test lets it go on, in two
 * steps that may be taken apart: `commit` (the vault does it) and `deliver` (the answer arrives). Delivering
 * commits what is not committed yet. So the order in which the vault works and the order in which answers
 * arrive are the test's choice. `plan` is asked once per call which fault it meets.
 *
 * It is hard on its callers on purpose: a cancelled write is carried out all the same (and counted), texts
 * are read as late as possible, so a text freed too early is found by the sanitizer, and an operation that
 * takes part in no plan never answers before it was let go.
 *
 * It can be any kind of vault (struct vault_can): fake_vault_set_can().
 *
 * Not here: sign-in, cookies, HTTP; those are the real backend's.
 */
#ifndef JG_TESTS_FAKE_VAULT_H
#define JG_TESTS_FAKE_VAULT_H

#include "backends/backend.h"
#include "backends/password_safe/account_key.h"
#include "base/clock.h"

#include <sys/queue.h>

enum fake_op {
    FAKE_LIST,
    FAKE_POLICY,
    FAKE_REQUEST,
    FAKE_CREDENTIAL,
    FAKE_CHECKIN,
    FAKE_REQUESTS,
    FAKE_DIRECTORY,
    FAKE_ISA,
    FAKE_ENTITLED,
    FAKE_SPIN,
    FAKE_NOPS
};

enum fake_fault {
    FAKE_FINE,
    FAKE_CANNOT_START, /* the operation returns -EAGAIN */
    FAKE_UNREACHABLE,  /* VAULT_FAILED, surely not done */
    FAKE_LOST_DID,     /* done, but the answer is lost: VAULT_FAILED, unknown */
    FAKE_LOST_DID_NOT, /* not done, VAULT_FAILED, unknown */
    FAKE_LOST_LATE,    /* the answer is lost, and the vault does it later: fake_vault_land() */
    FAKE_USER_REFUSED, /* VAULT_REFUSED */
    FAKE_DENIED,       /* VAULT_DENIED */
    FAKE_CONFLICT,     /* VAULT_CONFLICT */
    FAKE_CONFLICT_DID, /* done, and its second copy answered: VAULT_CONFLICT */
    FAKE_BAD,          /* VAULT_BAD */
    FAKE_REPLAYED,     /* a request done twice by the transport: it answers its own as reused */
    FAKE_NFAULTS
};

#define FAKE_MAX_LATE     8
#define FAKE_MAX_ACCOUNTS 16
#define FAKE_MAX_REQUESTS 256
#define FAKE_NAME_SIZE    24

struct fake_account {
    struct account row;                      /* texts belong to the test */
    char account_key[PS_KEY_SIZE];           /* row.key */
    const char *user;                        /* whose it is; NULL = every user's */
    const char *password, *key, *passphrase; /* NULL = has none */
    struct vault_policy policy;
    bool approval;   /* requests stay pending */
    bool reuse_dead; /* the vault hands over what it has ended */
    bool isa_kept;   /* direct access (row.isa) leaves a request, as long as a type is there */
    bool no_reuse;   /* concurrency without limit and nothing reused: each request is a new one */
};

struct fake_request {
    int64_t id, system_id, account_id, minutes;
    char user[64];
    char reason[4100];
    char ticket[64];
    int64_t expires_wall;
    bool live, pending;
    bool unlisted;     /* it lives, and the vault's list of requests lacks it */
    unsigned checkins; /* calls that named it while it lived */
    unsigned out;      /* check-outs of it that have no check-in yet; with vault_can.checkins_each */
};

/* A write that is still to come. */
struct fake_late {
    enum fake_op op;
    uint64_t cut_ms; /* when its answer was lost */
    int64_t id;      /* check-in */
    uint32_t checkins;
    enum credential_type type;
    char account_key[PS_KEY_SIZE];
    int64_t minutes;
    char user[64];
    char reason[4100];
};

struct fake_call {
    enum fake_op op;
    enum fake_fault fault;
    struct vault_call *call;
    const struct account_query *query;
    const struct checkout_want *want;
    const struct vault_session *session;
    char account_key[PS_KEY_SIZE]; /* of a request whose key is not unique; entitled: "" = all */
    int64_t id;
    enum credential_type type;
    uint32_t checkins; /* a check-in: as many at most; 0 = all */
    uint32_t confirmed;
    bool committed, lost;
    enum vault_result result;
    int64_t answer_id;
    bool reused;
    TAILQ_ENTRY(fake_call) link;
};

struct fake_vault {
    struct vault vault; /* first; give this to what is tested */
    struct conf_vault conf;
    struct vault_ops ops; /* as vault.can wants them */
    const struct clock *clock;
    struct fake_account accounts[FAKE_MAX_ACCOUNTS];
    size_t naccounts;
    struct fake_request requests[FAKE_MAX_REQUESTS];
    size_t nrequests;
    struct fake_late late[FAKE_MAX_LATE];
    size_t nlate;
    int64_t next_id;
    TAILQ_HEAD(, fake_call) calls;
    size_t npending;
    /* Asked once per call; NULL = all fine. `nth` counts all calls from 0. */
    enum fake_fault (*plan)(void *arg, enum fake_op, unsigned nth);
    void *plan_arg;
    /* The directory, part by part; a part without rows may not be read. */
    const struct directory_row *directory[DIRECTORY_NPARTS];
    size_t ndirectory[DIRECTORY_NPARTS];
    const char *refuse_user; /* sign-in as this user is always refused */
    bool bare_users;         /* a user is the same with a domain and without */
    unsigned full_for_s;     /* admits no call, and names this Retry-After; 0 = admits all */
    bool in_line;            /* what waits has not been sent yet: it can be withdrawn */
    unsigned admitted;       /* times it was asked */
    uint64_t last_wait_ms;   /* of the last call begun */
    uint32_t last_checkins;  /* request_ref.checkins of the last check-in */
    bool last_begun;
    unsigned ncalls, count[FAKE_NOPS], cancelled, cancelled_writes, withdrawn;
    int64_t alias[FAKE_NOPS]; /* which the last request, the last secret was asked for; 0 = none */
    char last_user[64];       /* of the last call begun */
    int64_t skew_ms;          /* reported in its state */
    bool clock_unknown;       /* and not known yet */
    const char *word;         /* stands before the number in the names of its requests; NULL = none */
    /* What it answers instead of the truth. */
    int64_t say_id;          /* requests are answered with this id; 0 = with their own */
    bool say_new;            /* and called new */
    bool say_unsure;         /* what is reused may be what a lost sending made */
    bool say_own;            /* its conflicts name the principal as the holder */
    bool say_repeated;       /* requests and direct access were sent more than once */
    unsigned hide_lists;     /* so many lists of requests are empty */
    int64_t say_expires;     /* all live requests end then, by its lists; 0 = when they do */
    int64_t spin_delay_ms;   /* a spin follows the check-in, so long after it; -1 = none does */
    unsigned spun;           /* passwords changed */
    struct fake_vault *twin; /* another address of that vault, which has all calls and rows; NULL = none */
};

/* As a label of a case: "its answer cut". */
const char *fake_fault_name(enum fake_fault);

void fake_vault_init(struct fake_vault *, const struct clock *);
/*
 * Another kind of vault, before the broker is made. Where keys are not unique a request is known by its
 * account, live requests are not told, and a test ends when a check-out and a check-in or spin of one account
 * are on their way together, also where one was lost less than `settle` (30 s) ago, and when an account is
 * spun that its principal has. Where it is not per_user all
 * calls act as FAKE_PRINCIPAL.
 */
#define FAKE_PRINCIPAL "gateway"
void fake_vault_set_can(struct fake_vault *, struct vault_can, uint64_t life_ms);
/* What a vault may be like otherwise than Password Safe. Keys that come again are those of one principal. */
struct fake_kind {
    const char *name;
    struct vault_can can;
    uint64_t life_ms;
    int64_t spin_delay_ms; /* as in struct fake_vault */
};
void fake_vault_set_kind(struct fake_vault *, const struct fake_kind *);
extern const struct fake_kind fake_kinds[];
extern const size_t fake_nkinds;
void fake_vault_free(struct fake_vault *); /* frees calls that are no longer awaited */

/* The row's key, after the test has changed the row. */
void fake_account_set_key(struct fake_account *);
/* A local account with a password on system `system`; adjust what comes back. Never NULL up to the maximum.
 */
struct fake_account *fake_vault_add(struct fake_vault *, int64_t system_id, int64_t account_id,
                                    const char *system, const char *account, const char *password);

size_t fake_vault_pending(const struct fake_vault *);
enum fake_op fake_vault_pending_op(const struct fake_vault *, size_t i);
void fake_vault_commit(struct fake_vault *, size_t i);  /* the vault carries out the i-th waiting call */
void fake_vault_deliver(struct fake_vault *, size_t i); /* and its answer arrives */
bool fake_vault_step(struct fake_vault *);              /* delivers the oldest; false = none waits */

/* The caller's process ends: of the waiting calls those with their bit set are carried out, the others never
 * came. */
void fake_vault_crash(struct fake_vault *, unsigned carried_out);
void fake_vault_land(struct fake_vault *); /* what was lost late happens now */

/* Makes a request outside of any call, as a user does at the vault's own screen. Returns its id. */
int64_t fake_vault_seed(struct fake_vault *, const char *user, int64_t system_id, int64_t account_id,
                        int64_t minutes, const char *reason);
size_t fake_vault_live(struct fake_vault *); /* requests that live now */
/* What it calls the request of this id; `name` has FAKE_NAME_SIZE bytes. Returns it. */
const char *fake_vault_name(int64_t id, char *name);
/* NULL when there never was one. */
struct fake_request *fake_vault_find(struct fake_vault *, int64_t id);

#endif
