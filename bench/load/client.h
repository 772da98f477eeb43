/*
 * client.h - one client of the load tool, for the files that make it up: client.c (connection and order of
 * the requests), question.c (what is asked, and whether the answer is right), pace.c (when a turn begins).
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include "load/link.h"
#include "load/load.h"

#include <llhttp.h>

struct client {
    struct load *load;
    uint64_t number;      /* of the session: says user and host */
    struct link *link;    /* NULL between two of them */
    SSL_SESSION *session; /* the newest ticket, to resume with */
    uv_timer_t hold;
    TAILQ_ENTRY(client) idle_link;
    bool closing, ready, busy, idle; /* `ready`: the link can take a request */
    llhttp_t http;
    enum load_step step, aim; /* `aim`: what the turn is for */
    struct buf out, body;
    char credential_id[300];
    size_t got;        /* length of the first answer to a `get`: all must be alike */
    uint64_t meant_us; /* when the request was meant to start */
};

/* question.c */
int question_write(struct client *);   /* the request of c->step into c->out: 0 or -ENOMEM */
bool question_verify(struct client *); /* c->body answers it, and rightly */

/* pace.c */
int pace_start(struct load *);
void pace_stop(struct load *);
/* The client has nothing to do: it gets a turn that is overdue (true; meant_us is set), or waits for one. */
bool pace_turn(struct client *);
void pace_forget(struct client *); /* it closes */

/* client.c: begins the turn that pace_turn() or the tick has given. */
void client_begin(struct client *);

#endif
