/*
 * test_pra_rig.h - the PRA client on a fake clock, with the site's side in the test's hands.
 *
 * loop/upstream and the loop's clock are replaced at link time: what the client sends stays on a list until
 * the test answers it or lets it fail. Texts are copied when a call is sent and compared when it is answered,
 * so a text that did not live as long as it must is found. The body of an answer is given in pieces of
 * `piece` bytes, each only after the last was resumed.
 */
#ifndef JG_TESTS_PRA_RIG_H
#define JG_TESTS_PRA_RIG_H

#include "backends/pra/client.h"
#include "check.h"
#include "fake_clock.h"

#include <string.h>

#define RIG_LSID  "da4b510ba1b04bd3b9e1fa6bd9ad4f3c"
#define RIG_LSID2 "00112233445566778899aabbccddeeff"
#define RIG_TOKEN "{\"access_token\":\"t0ken%u\",\"token_type\":\"bearer\",\"expires_in\":3600}"

struct rig_answer {
    int status; /* 0 = 200 */
    const char *body, *type, *date, *retry_after, *remaining, *last_page;
};

struct rig_sent {
    struct call *call;
    char *method, *target, *headers, *body; /* "" = none */
    uint64_t at_ms;
    TAILQ_ENTRY(rig_sent) link;
};

struct rig {
    struct fake_clock fc;
    struct timers *timers;
    struct pra_params params;
    struct pra_client *client;
    TAILQ_HEAD(rig_list, rig_sent) sent; /* not yet answered, oldest first */
    size_t total, cancelled;
    size_t piece; /* bytes of a piece of an answer */
    int refuse;   /* upstream_call() answers this */
    const char *rest;
    struct call *answering;
    bool resumed, closed, closing;
    volatile bool
        in_rig; /* the memory that is asked for is the rig's; malloc may be thought not to read it */
    struct deadline later;
    void (*on_closed)(void *arg);
    void *closed_arg;
    unsigned tokens; /* granted by rig_grant() */
    char last_target[512], last_headers[4096], last_body[512], last_method[8];
};

extern struct rig rig;

int rig_start(void **state); /* a cmocka set-up: parameters and clock, no client yet */
void rig_open(void);         /* a client with these parameters and the secret "s3cret" */
int rig_stop(void **state);  /* a cmocka teardown: closes the client, and nothing is left */
void rig_again(void);        /* stops and starts, for the next row of a table */
void rig_run(uint64_t ms);

size_t rig_waiting(void);
struct call *rig_call(size_t i); /* the i-th that waits for an answer, or NULL; its texts are in last_* */
/* The first one whose target contains this, or NULL; its texts are in last_*. */
struct call *rig_find(const char *target);
/* Answers the call (not NULL), and lets its done() come. */
void rig_reply(struct call *, const struct rig_answer *);
void rig_answer(struct call *, int status, const char *type, const char *body);
void rig_xml(struct call *, const char *body); /* 200, text/xml */
void rig_fail(struct call *, int err, enum call_fault);
void rig_grant(void); /* a token for the token call, which must be there */

struct rig_ask {
    struct pra_call call; /* first */
    int done;
};
/* Starts a call of this kind, in memory that outlives the test function; for RIG_LSID, or the last hour. */
void ask(struct rig_ask *, enum pra_call_kind);
void ask_urgent(struct rig_ask *, enum pra_call_kind);

#endif
