/*
 * fake_gateway.h - a gateway whose server, loop, vault and broker are the test's.
 *
 * The broker's operations are defined at link time: each keeps what it was asked in fake_broker and answers
 * when the test calls the kept `done`. One client "pra" may do everything with the token "tok", "eye" may
 * only observe ("eye" as token), "slow" has a rate of 1/s ("slow"), "ops" may only operate ("ops"), "both"
 * may do both ("both").
 *
 * Leases are shown from fake_broker.leases, one page of at most filter.limit rows, whatever the other filters
 * say.
 */
#ifndef JG_TESTS_FAKE_GATEWAY_H
#define JG_TESTS_FAKE_GATEWAY_H

#include "backends/pra/site.h"
#include "fake_clock.h"
#include "fake_http.h"
#include "handlers/routes.h"
#include "stores/store.h"

#define GOOD_SESSION                                                                                         \
    "\"session\":{\"id\":\"L-1\",\"user\":{\"username\":\"ann\",\"domain\":\"CORP\"},"                       \
    "\"jump_item\":{\"method\":\"rdp\",\"hostname\":\"web01\"}}"

struct fake_broker {
    unsigned calls, left;
    bool no_memory;
    char what[32];       /* name of the last operation */
    char asked[512];     /* its arguments as text */
    char origin[64];     /* whose request it was */
    uint64_t timeout_ms; /* of the last one */
    void *arg;
    find_done *found;
    checkout_done *checked_out;
    release_done *released;
    endpoints_done *endpoints;
    session_started_done *told;
    session_ended_done *session_ended;
    struct lease_session lease_session; /* of every lease but "unknown" */
    const struct lease_view *leases;
    size_t nleases;
    unsigned pages;                       /* asked for */
    struct lease_filter filter;           /* of the last page; its texts are gone */
    char filters[256];                    /* they as text */
    uint64_t next;                        /* to be answered */
    const struct explain_view *explained; /* what broker_explain() answers */
};

/* A site whose calls are the test's. */
struct fake_site {
    unsigned events[PRA_NEVENTS][PRA_NEVENT_OUTCOMES];
    size_t ended[PRA_NSOURCES];
    struct pra_site_view view;
    struct pra_termination *termination; /* the one asked for last */
    bool no_memory;
};

extern struct fake_broker fake_broker;
extern struct fake_site fake_site;
extern struct fake_clock fake_clock;
extern struct timers *fake_timers; /* of the gateway's loop */
extern struct vault_state fake_vault_state, fake_second_state;
extern struct store_state fake_store_state;
extern int64_t fake_certificate_end, fake_crl_end;
extern struct gateway *fake_gateway;
extern struct conf fake_conf;

int fake_gateway_setup(void **state);
int fake_gateway_setup_two(void **state);   /* with a vault "second" behind "main" */
int fake_gateway_setup_store(void **state); /* the same with a lease store */
/* With a site that takes events with the token "event", ends sessions, and a listener "events" for events. */
int fake_gateway_setup_site(void **state);
int fake_gateway_teardown(void **state);

/* Head, then message if the head was taken. */
void send_request(struct fake_req *);
/* A request with the token "tok"; `body` NULL = GET. It stays in `*f` while the broker works. */
void start_request(struct fake_req *f, const char *path, const char *body);
void cancel_request(struct fake_req *);

#endif
