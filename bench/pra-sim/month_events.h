/*
 * month_events.h - the events of a made-up session, one at a time.
 *
 * A session has a beginning (Session Start, its people, an injection, ...), work in its middle, and an
 * ending. Each event is computed from the session and its position. Times do not fall. A running session has
 * those events whose time has come.
 */
#ifndef PRA_SIM_MONTH_EVENTS_H
#define PRA_SIM_MONTH_EVENTS_H

#include "pra-sim/month_items.h"

#define EVENT_EDGE   24 /* kinds of a beginning or ending */
#define EVENT_VALUES 9
#define EVENT_STORE  768

enum event_actor { ACTOR_NONE, ACTOR_SYSTEM, ACTOR_EVERYONE, ACTOR_CUSTOMER, ACTOR_USER, ACTOR_PRE_START };

struct event_value {
    const char *name, *value;
};

struct month_event {
    const char *type;
    int64_t at_s;
    enum event_actor by, to;
    unsigned by_user, to_user; /* which of the session's people, for ACTOR_USER */
    const char *body, *filename;
    bool encoded; /* body has characters that XML cannot hold */
    int64_t filesize;
    unsigned files; /* in a list of them */
    bool system_information;
    struct event_value value[EVENT_VALUES];
    unsigned nvalues;
    char store[EVENT_STORE]; /* of texts made for it */
    size_t stored;
};

struct month_script { /* the events of one session */
    const struct month *month;
    const struct month_session *session;
    struct month_item item;
    struct month_user user[MONTH_PEOPLE];
    unsigned char first[EVENT_EDGE], last[EVENT_EDGE];
    unsigned nfirst, nlast;
    uint64_t planned;                   /* events of its middle, had no test ended it */
    uint64_t n;                         /* all of them */
    uint64_t shown;                     /* whose time has come */
    unsigned transfers, moves, deletes; /* among the shown */
    bool keyed;                         /* has an External Key event */
    bool shell;                         /* a command shell session was started */
    const char *external_key;
    char external_store[MONTH_TEXT];
};

void month_script(const struct month *, const struct month_session *, struct month_script *);
void month_event(const struct month_script *, uint64_t position, struct month_event *);
/* The type alone. */
const char *month_event_type(const struct month_script *, uint64_t position);

#endif
