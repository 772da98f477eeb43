/*
 * pi_rig.h - the backend of Privileged Identity on the rig of vault_rig.h.
 *
 * The configuration has one vault and two credentials: a shared one (PI_ADM1) and a stored one (PI_WEB1),
 * both for ann of CORP on web1.
 */
#ifndef JG_TESTS_PI_RIG_H
#define JG_TESTS_PI_RIG_H

#include "backends/privileged_identity/privileged_identity.h"
#include "vault_rig.h"

#define PI_TOKEN_1 "t0ken-one-0123456789"
#define PI_TOKEN_2 "t0ken-two-0123456789"
#define PI_PASS    "Spr1ng-in-9-words"
#define PI_LOGIN   "/ERPMWebService/json/V2/AuthService.svc/DoLogin2"
#define PI_LOGOUT  "/ERPMWebService/json/V2/AuthService.svc/DoLogout"
#define PI_LEASE   "01HZX3J5K7M9N1P3Q5R7S9T1V3"

enum { PI_ADM1, PI_WEB1, PI_NACCESSES };

extern struct conf pi_conf;
extern uint32_t pi_checkins_due;
extern struct conf_access pi_access_of[PI_NACCESSES];
extern char pi_account_key[PI_NACCESSES][ACCOUNT_KEY_SIZE]; /* set by pi_rig_start() */

void pi_rig_init(void); /* change rig.conf and pi_access_of before pi_rig_start() */
void pi_rig_start(void);
void pi_rig_keys(void); /* of a vault that a test has opened itself */
int pi_rig_teardown(void **state);
/* A file that replaces rows; set before the start. */
void pi_rig_profile(const char *text);
/* Takes the configuration over as it is now. */
void pi_rig_reload(void);

/* The oldest call must be a sign-in: it gets this token. */
void pi_sign_in(const char *token);
/* The oldest call must be a sign-out. */
void pi_signed_out(const char *token);

void pi_ask_init(struct rig_ask *);
int pi_checkout(struct rig_ask *, int which);
int pi_read(struct rig_ask *, int which);
int pi_checkin(struct rig_ask *, int which); /* of request_ref.checkins = pi_checkins_due */
int pi_spin(struct rig_ask *, int which);
int pi_entitled_all(struct rig_ask *, const char *user, const char *host); /* host NULL = none */
int pi_entitled_to(struct rig_ask *, const char *user, const char *host, int which);

/* Signs in and checks out: the question is free again afterwards. */
void pi_checked_out(struct rig_ask *, int which);

#endif
