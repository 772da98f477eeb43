/*
 * site_params.h - the [pra] section as the parameters of a site.
 */
#ifndef JG_COMMANDS_RUN_SITE_PARAMS_H
#define JG_COMMANDS_RUN_SITE_PARAMS_H

#include "backends/pra/site.h"
#include "conf/conf.h"

/* The texts and lists in the result are the configuration's. */
struct pra_site_params site_params(const struct conf_pra *);

#endif
