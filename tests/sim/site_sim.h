/*
 * site_sim.h - the PRA site of a world: its sessions end, it answers reports, ends sessions when asked, and
 * sends its events.
 *
 * A session is known by its number; its lsid is that number in hex. Ended by the site, a number may open once
 * more, with the same lsid: so a listing can show the end of an earlier session beside a lease of a later
 * one. Events go out in order, one at a time, and each is sent until it is answered 200.
 *
 * Not here: calls and their answers (declared in vault.h), the network (vault_link.c), what an end must do to
 * leases (oracle.c).
 */
#ifndef JG_TESTS_SIM_SITE_SIM_H
#define JG_TESTS_SIM_SITE_SIM_H

#include "world.h"

#define SITE_HOST         "pra.example.test"
#define SITE_EVENTS_TOKEN "token-of-the-simulated-site"
#define SITE_LSID_SIZE    33

/* setup.site: how the gateway learns of ends. */
enum site_use { SITE_NONE, SITE_EVENTS, SITE_POLL, SITE_BOTH, SITE_NUSES };

/* b of ACT_SESSION_END */
enum session_end_flags {
    END_ABNORMAL = 1, /* no report shows it */
    END_SILENT = 2,   /* no event is sent */
    END_TWICE = 4     /* two are */
};

struct site_sim *site_sim_new(struct world *);
void site_sim_free(struct site_sim *);
void site_sim_act(struct site_sim *, const struct act *);
void site_sim_heal(struct site_sim *);

void site_sim_lsid(unsigned session, char out[SITE_LSID_SIZE]);
/* Something goes wrong with the site on purpose. It is no disturbance of the world: brokering does not need
 * the site. */
void site_sim_disturbed(struct site_sim *);
/* How long nothing has gone wrong with it. */
uint64_t site_sim_calm_ms(const struct site_sim *);
/* Has this session ended at any time? */
bool site_sim_ended(const struct site_sim *, unsigned session);
/* The ends that a listing has shown for `for_ms` or longer: calls fn for each once. */
void site_sim_shown(struct site_sim *, uint64_t for_ms,
                    void (*fn)(void *arg, unsigned session, uint64_t at_ms), void *arg);
/* Events that the gateway has not taken. */
size_t site_sim_waiting(const struct site_sim *);

#endif
