/*
 * session_json.h - the session object of a request body as a struct session (docs/api.md).
 */
#ifndef JG_HANDLERS_SESSION_JSON_H
#define JG_HANDLERS_SESSION_JSON_H

#include "base/fault.h"
#include "broker/identity/session.h"

#include <cJSON.h>
#include <stdbool.h>

enum session_needs {
    SESSION_ID = 1,       /* the operation belongs to one PRA session */
    SESSION_ENDPOINT = 2, /* at least one name of an endpoint, or an application */
    SESSION_USER = 4,     /* the user alone, which every operation needs */
};

/* jump_item.method as words, in the order of enum jump_method from METHOD_RDP on. */
extern const char *const session_methods[];

/* Reads body.session. Texts belong to the body. False and a fault; *out is then unspecified. */
bool session_read(const cJSON *body, unsigned needs, struct session *out, struct fault *fault);

#endif
