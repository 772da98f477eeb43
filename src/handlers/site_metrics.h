/*
 * site_metrics.h - the PRA site on the /metrics page.
 *
 * Life: site_metrics_new() registers -> site_metrics_read() before each page, site_metrics_jumpoints() after
 * it -> site_metrics_free(), after all metrics are unregistered.
 */
#ifndef JG_HANDLERS_SITE_METRICS_H
#define JG_HANDLERS_SITE_METRICS_H

#include "base/buf.h"

struct pra_site;
struct conf;
struct site_metrics;

struct site_metrics *site_metrics_new(const struct pra_site *,
                                      const struct conf *); /* NULL = out of memory */
void site_metrics_free(struct site_metrics *);              /* NULL is fine */
void site_metrics_read(struct site_metrics *);
/* The family of the configured Jumpoints, which a reload may change. */
void site_metrics_jumpoints(const struct site_metrics *, struct buf *page);

#endif
