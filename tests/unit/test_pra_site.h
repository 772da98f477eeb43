/*
 * test_pra_site.h - a site's state machine with a simulated site and a simulated broker, on a fake clock.
 *
 * The simulated site answers every call at once by the row of its kind in `world.answers`, unless the row
 * says that the call fails, or is held for the test. live() lets time pass from deadline to deadline.
 */
#ifndef JG_TESTS_PRA_SITE_H
#define JG_TESTS_PRA_SITE_H

#include "backends/pra/site.h"
#include "test_pra_rig.h"

#define OF_PERMISSIONS(list)                                                                                 \
    "<get_api_info><api_version>1.24.1</api_version><timestamp>%lld</timestamp><permissions>" list           \
    "</permissions></get_api_info>"
#define ALL_PERMISSIONS                                                                                      \
    "<perm_command>full_access</perm_command><perm_reporting_support>1</perm_reporting_support>"             \
    "<perm_configuration>1</perm_configuration><perm_ecm>1</perm_ecm>"
#define HEALTH_OF(role)                                                                                      \
    "<check_health><appliance id=\"a1\">pra</appliance><version>24.3.1</version><success>1</success>"        \
    "<failover_role>" role "</failover_role></check_health>"
#define NO_SESSIONS "<session_summary_list/>"
#define SECOND      ((uint64_t)1000)
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)

struct reply {
    int status; /* 0 = 200 */
    const char *type, *body, *retry_after, *remaining, *date, *last_page;
    int err;               /* it fails so */
    enum call_fault fault; /* with -ECONNREFUSED */
    bool hold;             /* it waits for the test */
    uint64_t takes_ms;     /* before it fails or answers */
};

struct world {
    struct pra_site *site;
    struct pra_site_params params;
    struct reply answers[PRA_NCALLS];
    int64_t ahead_s; /* the site's clock less the gateway's, in get_api_info */
    bool dated;      /* every answer has a Date, by that clock */
    size_t n[PRA_NCALLS];
    uint64_t at[PRA_NCALLS];      /* of the last one of its kind */
    long long from_s, duration_s; /* of the last listing */
    long long froms[64], durations[64];

    int64_t oldest_ms; /* of a lease with a key; 0 = none */
    size_t leases;     /* that each session has */
    char ended[64][LSID_SIZE];
    size_t nended, by_source[PRA_NSOURCES], saves;
    int64_t saved_ms;
    bool saved_after_ends; /* the last save came after all ends */
};

extern struct world world;
extern const struct pra_site_hooks world_hooks;

int world_setup(void **state);
int world_teardown(void **state);
void world_open(int64_t cursor_ms); /* a site, started */
void world_close(void);
void live(uint64_t ms);
/* Time passes in small steps until the state is this; at most `ms`. */
void live_until(enum pra_state, uint64_t ms);
struct pra_site_view *view(void);
bool says(const char *words);           /* the detail holds them */
void set_permissions(const char *list); /* of get_api_info from now on */
void release(const char *target);       /* answers a held call by its row */

#endif
