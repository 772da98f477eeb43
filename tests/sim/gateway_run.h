/*
 * gateway_run.h - the gateway's process in a world: started and stopped in the order of commands/run/run.c,
 * any number of times.
 */
#ifndef JG_TESTS_SIM_GATEWAY_RUN_H
#define JG_TESTS_SIM_GATEWAY_RUN_H

#include "world.h"

#include "virtual_uv.h"

struct gateway_run;

/* The configuration that all worlds share, from a file that it writes and removes. Once for the program. */
void gateway_run_configure(void);
void gateway_run_unconfigure(void);
/* Where the log of all gateways goes, now and after reloads; "-" = stderr. */
void gateway_run_log(bool debug, const char *file);

struct gateway_run *gateway_run_new(struct node *);
void gateway_run_free(struct gateway_run *);

void gateway_run_start(struct gateway_run *);
/* As SIGTERM; `restart_ms` after its end the next process starts, UINT32_MAX = none does. */
void gateway_run_stop(struct gateway_run *, unsigned restart_ms);
/* The configuration is another one, or would be: it is read again, as after SIGHUP. */
void gateway_run_reload(struct gateway_run *, const struct act *);
/* The audit trail's file gets another name, and the gateway hears of it, as by logrotate. */
void gateway_run_rotate(struct gateway_run *);
/* Closes everything at once, without draining. */
void gateway_run_close(struct gateway_run *);
/* There is a process. */
bool gateway_run_up(const struct gateway_run *);
/* It takes requests: no signal has come. */
bool gateway_run_serves(const struct gateway_run *);
/* Of several gateways: it has had the answer to its entrance, and has not learnt since that it was fenced. */
bool gateway_run_has_joined(const struct gateway_run *);
/* One iteration of its loop; true = there is more to do at this moment. */
bool gateway_run_iterate(struct gateway_run *);
/* Milliseconds to its next deadline, UINT64_MAX = none. */
uint64_t gateway_run_next(const struct gateway_run *);
/* The bearer token of its clients. */
const char *gateway_run_token(void);
/* A client connects; false = nothing listens. */
bool gateway_run_connect(struct gateway_run *, struct virtual_socket *, unsigned host);
uv_loop_t *gateway_run_uv(struct gateway_run *);

#endif
