/*
 * calls.h - the calls of the API, one function each, as the route table of dispatch.c names them.
 *
 * Session, permission and body have been checked before a function runs; it sets the answer. The files group
 * them by subject: calls_auth.c, calls_accounts.c, calls_requests.c, calls_credentials.c, calls_policies.c,
 * calls_directory.c.
 */
#ifndef SIM_CALLS_H
#define SIM_CALLS_H

#include "passwordsafe-sim/dispatch.h"

void calls_sign_in(struct dispatch *);
void calls_sign_out(struct dispatch *);
void calls_token(struct dispatch *);
/* setting 16: does the Authorization header name this user? */
bool calls_header_is(struct dispatch *, const struct model_user *);

void calls_accounts(struct dispatch *);

void calls_request_create(struct dispatch *);
void calls_requests(struct dispatch *);
void calls_checkin(struct dispatch *);
void calls_approve(struct dispatch *);
void calls_deny(struct dispatch *);
void calls_rotate_on_checkin(struct dispatch *);
void calls_terminate_account(struct dispatch *);
void calls_terminate_system(struct dispatch *);
void calls_terminate_user(struct dispatch *);

void calls_credential(struct dispatch *);
void calls_isa_request(struct dispatch *);
void calls_session_create(struct dispatch *);

void calls_policy_test(struct dispatch *);
void calls_policies(struct dispatch *);

void calls_systems(struct dispatch *);
void calls_system(struct dispatch *);
void calls_workgroups(struct dispatch *);
void calls_platforms(struct dispatch *);
void calls_platform(struct dispatch *);
void calls_entity_types(struct dispatch *);
void calls_users(struct dispatch *);
void calls_user(struct dispatch *);
void calls_user_groups(struct dispatch *);
void calls_groups(struct dispatch *);
void calls_group_users(struct dispatch *);

#endif
