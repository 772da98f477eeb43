/*
 * site_json.h - the PRA site as JSON, for the two pages that show it.
 */
#ifndef JG_HANDLERS_SITE_JSON_H
#define JG_HANDLERS_SITE_JSON_H

#include "backends/pra/site.h"
#include "base/jsonw.h"

/* The site's entry among the `dependencies` of /status. */
void site_status_write(const struct pra_site *, struct jsonw *);
/* The site's entry among the `checks` of /v1/health. */
void site_health_write(const struct pra_site *, struct jsonw *);

#endif
