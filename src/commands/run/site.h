/*
 * site.h - the PRA site of a running gateway, tied to its broker.
 */
#ifndef JG_COMMANDS_RUN_SITE_H
#define JG_COMMANDS_RUN_SITE_H

#include "backends/pra/site.h"
#include "conf/conf.h"

struct broker;

struct run_site {
    struct pra_site *site; /* NULL = no [pra] section */
    struct broker *broker;
    const struct conf *conf;
};

#define RUN_SITE_WHY_SIZE 256

/* After the broker has read its store. True where there is no section. False and why. */
bool run_site_open(struct run_site *, struct loop *, const struct conf *, struct broker *,
                   char why[RUN_SITE_WHY_SIZE]);
/* Draining: calls to the site end at once, and none is made any more. Any number of times. */
void run_site_stop(struct run_site *);
/* Before the broker is freed: nothing is reported to it from now on. False = there is nothing to close. */
bool run_site_close(struct run_site *, void (*closed)(void *arg), void *arg);

/* The parameters and the secret of the next configuration are put in place. False and why: nothing changed.
 */
bool run_site_reload(struct pra_site *, const struct conf_pra *next, char why[RUN_SITE_WHY_SIZE]);

#endif
