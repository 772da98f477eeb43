/*
 * callers.h - the clients of the gateway: HTTP/1.1 over virtual sockets, one or several requests on a
 * connection, whole or in pieces, and clients that leave.
 *
 * Every request that was sent is answered once, or its client has left, or the gateway has ended: that is
 * checked here. What the answers say is judged by oracle.c.
 */
#ifndef JG_TESTS_SIM_CALLERS_H
#define JG_TESTS_SIM_CALLERS_H

#include "world.h"

#include "base/id.h"
#include "stores/store.h"

#include <cJSON.h>
#include <sys/queue.h>

#define CALLER_LISTED_MAX 128

struct caller_op {
    TAILQ_ENTRY(caller_op) link;    /* of its connection */
    TAILQ_ENTRY(caller_op) by_time; /* all of the world */
    struct caller_conn *conn;       /* NULL = over */
    struct node *node;              /* of the gateway that is asked */
    enum act_kind kind;
    unsigned number, session, user, account;
    unsigned minutes;    /* asked for; 0 = not named */
    uint64_t started_ms; /* when its first byte was sent */
    uint64_t begun_ms, due_ms, ended_ms;
    /* Among all of these moments in the world: first byte sent, whole at the gateway and the next to be
     * answered on its connection, answered. */
    uint64_t sent_order, begun_order, answered_order;
    bool whole;                                  /* its last byte has arrived */
    bool hurried;                                /* its client gives it little time */
    bool named;                                  /* it names the lsid of its session */
    char lease[ID_SIZE];                         /* the one it releases, of those with an operator; else "" */
    void (*over)(struct caller_op *, void *arg); /* NULL, or called once: answered, or lost */
    void *over_arg;
    bool lost;    /* it ended without an answer: its effect is not known */
    bool left;    /* its client has gone */
    bool pending; /* its answer says that it is done later */
    int status;   /* of its answer; 0 = none */
    /* A list of leases comes in pages. */
    struct callers *callers;
    struct caller_op *list;             /* the request for the first page; NULL = it is that one */
    unsigned listed[CALLER_LISTED_MAX]; /* of the first page's: the vault requests of all pages */
    size_t nlisted;
    char next[2 * STORE_CURSOR_SIZE]; /* cursor of the next page */
};

struct callers *callers_new(struct world *);
void callers_free(struct callers *);
void callers_act(struct callers *, const struct act *);
/* The PRA site sends an event: over a connection of its own. */
void callers_post(struct callers *, const struct act *, const char *target, const char *type,
                  const char *body, void (*over)(struct caller_op *, void *arg), void *arg);
/* The process has been killed: every connection is reset. */
void callers_cut(struct callers *, const struct node *);

/* Does fn say so of any request that ever was? */
bool callers_any(const struct callers *, bool (*fn)(void *arg, const struct caller_op *), void *arg);
/* The world ends: nothing waits for an answer. */
void callers_check_end(const struct callers *);
/* Every check-out of this user and account that ended after `since_ms` was answered, and none is open. */
bool callers_certain(const struct callers *, unsigned user, unsigned account, uint64_t since_ms);

#endif
