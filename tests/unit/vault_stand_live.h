/*
 * vault_stand_live.h - stands of vault_contract.h on the real loop and upstream, against the simulators of
 * bench/, which are written from the facts about the products and not from the backends.
 */
#ifndef JG_TESTS_VAULT_STAND_LIVE_H
#define JG_TESTS_VAULT_STAND_LIVE_H

#include "live_sim.h"
#include "vault_contract.h"

#include "loop/loop.h"

struct live_stand {
    struct contract_stand stand; /* first */
    struct live_sim sim;
    bool is_away, is_shut;
    struct loop *loop;
    struct conf conf;
    struct conf_vault vault_conf;
    char url[128], password_path[64], profile_path[64];
    const char *const *args; /* of the simulator */
    const char *failed_did;  /* its action for CONTRACT_FAILED_DID */
    void (*close_vault)(struct vault *, void (*closed)(void *), void *);
    char key[4][ACCOUNT_KEY_SIZE];
};

/* The simulator runs and the loop is there; `text` is what is in the vault's file of secrets. */
void live_stand_open(struct live_stand *, const char *program, const char *text);
void live_stand_close(struct contract_stand *);
void live_stand_turn(struct contract_stand *);
void live_stand_go_away(struct contract_stand *);
void live_stand_shut(struct contract_stand *);
bool live_stand_is_shut(struct contract_stand *);
/* Sets the fault for calls of this name (a rule of the simulator), or none; NULL = there is no such call. */
bool live_stand_meet(struct live_stand *, const char *call, enum contract_fault);
/* How often `part` is in the answer of the admin port, once the simulator has nothing to do any more. */
unsigned live_stand_count(struct live_stand *, const char *path, const char *part);

struct live_stand *password_safe_stand(void);
/* With or without `repeat_checkout`, the simulator accordingly. */
struct live_stand *privileged_identity_stand(bool repeats);

#endif
