/*
 * vault_contract.h - what every vault must do (backends/backend.h), asked of each of them.
 *
 * The caller brings a stand: a vault at which nothing is checked out, with one account, and what a test must
 * be able to do to it and to the way there. Which operations a vault has, and what they leave, the suite
 * reads from vault_can and from the operations that are NULL; it asks no name.
 *
 * vault_contract() opens the stand once for each rule, and closes it after it. A rule compares what an
 * operation has said with what is checked out at the vault: `live`.
 *
 * Not here: what the broker makes of an answer (test_broker_random, test_checkout_torture); the bytes of
 * calls (test_ps_calls, test_pi_calls).
 */
#ifndef JG_TESTS_VAULT_CONTRACT_H
#define JG_TESTS_VAULT_CONTRACT_H

#include "backends/backend.h"

enum contract_op {
    CONTRACT_FIND, /* list or entitled, whichever there is */
    CONTRACT_CHECKOUT,
    CONTRACT_READ,
    CONTRACT_CHECKIN,
    CONTRACT_REQUESTS,
    CONTRACT_AFTER, /* after_checkin */
    CONTRACT_NOPS
};

/* What calls of an operation meet on their way. */
enum contract_fault {
    CONTRACT_FINE,
    CONTRACT_LOST_DID_NOT, /* the connection ends before the vault acts */
    CONTRACT_LOST_DID,     /* and after it */
    CONTRACT_SILENT,       /* taken, and never answered */
    CONTRACT_PAGE,         /* something else answers in place of the vault, which does nothing */
    CONTRACT_PAGE_DID,     /* and does it */
    CONTRACT_CUT_DID,      /* the answer ends in the middle */
    CONTRACT_GARBAGE_DID,  /* the answer cannot be read */
    CONTRACT_BUSY,         /* 503 */
    CONTRACT_FAILED_DID,   /* the vault itself says that it has failed, and has done it */
    /* The answer arrives: */
    CONTRACT_SLOW,
    CONTRACT_CLOSED, /* and the connection ends without notice */
    CONTRACT_EXTRA,  /* with bytes of another one behind it */
    CONTRACT_NFAULTS
};

struct contract_stand {
    const char *name;
    struct vault *vault;           /* while it is open */
    const char *user;              /* of all calls; `principal` where there is one */
    const char *system, *good;     /* a system, and the key of the account there that the user may have */
    const char *secret;            /* its password */
    const char *absent;            /* the key of no account; NULL = none */
    struct vault_session session;  /* that may use the account */
    struct vault_session stranger; /* that may not */
    bool may_run_out;              /* its own code ends no process when there is no memory */

    void (*open)(struct contract_stand *);
    void (*close)(struct contract_stand *); /* and checks that nothing is left; `vault` may be NULL */
    /* Lets the vault and the way to it do a part of what is to be done. */
    void (*turn)(struct contract_stand *);
    /* Calls of this operation meet this fault until another is set. False = it cannot be had here. */
    bool (*meet)(struct contract_stand *, enum contract_op, enum contract_fault);
    /* Check-outs of the account that are the user's; what is on its way has arrived before. */
    unsigned (*live)(struct contract_stand *);
    void (*take)(struct contract_stand *); /* another identity checks the account out; NULL = cannot be had */
    bool (*is_taken)(struct contract_stand *); /* they still have it */
    /* The key of an account that the user may not have from now on; NULL = there is none. */
    const char *(*deny)(struct contract_stand *);
    const char *(*refuse)(struct contract_stand *); /* a user whose sign-in is refused from now on */
    void (*go_away)(struct contract_stand *);       /* the vault is not there any more */
    void (*reload)(struct contract_stand *);        /* takes its configuration over again; NULL = has none */
    /* Begins to close the vault; true = it is closed. NULL = closes without calls alone. */
    void (*shut)(struct contract_stand *);
    bool (*is_shut)(struct contract_stand *);
    void *arg; /* the stand's own */
};

void vault_contract(struct contract_stand *);

/* The n-th allocation of the gateway from now on fails; -1 = none does. Set by the program of the suite. */
extern long contract_fails_at;

#endif
