/*
 * ps_rig.h - the Password Safe backend on the rig of vault_rig.h.
 *
 * rig_teardown() closes the vault and checks that nothing is left.
 */
#ifndef JG_TESTS_PS_RIG_H
#define JG_TESTS_PS_RIG_H

#include "backends/password_safe/password_safe.h"
#include "vault_rig.h"

#define RIG_BASE "/BeyondTrust/api/public/v3"
#define RIG_KEY  "K1key9f3c2"

void rig_init(void); /* key sign-in, defaults of the configuration; change rig.conf before rig_start() */
void rig_init_password(void);
void rig_init_oauth(void);
void rig_start(void);
int rig_teardown(void **state); /* a cmocka teardown */
/* The oldest call must be a sign-in (of `user`, if given): it gets a session with this cookie. */
void rig_sign_in(const char *user, const char *cookie);

/* Opens the vault and signs `user` in, whose session then waits; the context is free for the next question.
 */
void rig_start_signed_in(struct rig_ask *, const char *user);
int ask_list(struct rig_ask *, enum account_kind, const char *system);
int ask_request(struct rig_ask *, const char *reason);
int ask_credential(struct rig_ask *);
int ask_checkin(struct rig_ask *);

#endif
