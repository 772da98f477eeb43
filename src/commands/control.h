/*
 * control.h - the gateway's own socket: how the commands on the same machine reach a gateway that runs.
 *
 * It is `control.sock` in the state directory (mode 0600), takes the same HTTP as every listener, and needs
 * no token: only the gateway's own user and root may connect (handlers/clients.h). It is not configured.
 */
#ifndef JG_COMMANDS_CONTROL_H
#define JG_COMMANDS_CONTROL_H

#include "loop/server/server.h"

#include <stdatomic.h>
#include <stdbool.h>

#define CONTROL_PATH_SIZE 64
#define CONTROL_WHY_SIZE  256

/* A descriptor of the state directory, or -errno. It must stay open as long as the socket or a path to it is
 * in use. */
int control_directory(const char *state_dir);
/* A path to the socket through that descriptor. */
void control_path(int directory, char out[CONTROL_PATH_SIZE]);
/* Listens there. 0 or -errno and why. */
int control_listen(struct http_server *, int directory, char why[CONTROL_WHY_SIZE]);

/* ---- the client's side, in the commands: blocking calls, one at a time ---- */

struct control_client;

struct control_answer {
    int status;                 /* of HTTP */
    struct buf body;            /* JSON; control_answer_free() */
    char why[CONTROL_WHY_SIZE]; /* the reason, if there is no answer */
};

/* Each call ends within `timeout_ms`. NULL = out of memory. */
struct control_client *control_client_new(int directory, uint64_t timeout_ms);
void control_client_free(struct control_client *);
/* A call in progress ends soon after *stop has become true, which another thread may set. False = it cannot
 * be set up. */
bool control_client_stop_on(struct control_client *, const atomic_bool *stop);
/* The next calls end within this time instead. False = they keep the time they had. */
bool control_client_wait(struct control_client *, uint64_t timeout_ms);
/*
 * 0 and an answer, whatever its status; -ECONNREFUSED when no gateway listens; other -errno and why. `method`
 * is GET or POST. `body` is JSON for a POST; NULL = none.
 */
int control_client_ask(struct control_client *, const char *method, const char *target, const char *body,
                       struct control_answer *);
void control_answer_free(struct control_answer *);

#endif
