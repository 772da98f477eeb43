/*
 * pra_open.h - making the site of a [pra] section: what pra_site.h asks, over the network.
 *
 * Life: report_site_new -> (calls) -> report_site_close -> closed(). It belongs to the loop's thread. It
 * knows no configuration: every limit is in struct report_site_params.
 */
#ifndef JG_REPORTS_PRA_PRA_OPEN_H
#define JG_REPORTS_PRA_PRA_OPEN_H

#include "base/memory/secret.h"
#include "loop/loop.h"
#include "reports/pra/pra_site.h"

struct report_site_params {
    const char *name;      /* of the section */
    const char *host_name; /* in lower case; fixed, as url and client_id are */
    const char *url, *client_id;
    const char *ca_file, *proxy; /* NULL = none */
    double rate_per_s;
    unsigned hourly, parallel;
    /* Calls do not wait where the site asks for a longer pause: REPORT_RATE_LIMITED. 0 = they wait. */
    uint64_t pause_waited_ms;
    uint64_t connect_timeout_ms, stall_timeout_ms, call_timeout_ms;
    size_t max_answer, max_session; /* max_session: bytes of memory of one session */
    const char *spool_dir;          /* an archive is kept there while it is read, without a name */
};

/* Takes the secret (out of `secret`), whatever it returns. NULL and why. */
struct report_site *report_site_new(struct loop *, const struct report_site_params *, struct secret *secret,
                                    char why[256]);
/* Other limits and, unless it is the same, another secret (taken; NULL = the old one). 0 or -ENOMEM. */
int report_site_reload(struct report_site *, const struct report_site_params *, struct secret *secret);
/* Ends all calls with REPORT_STOPPED, within this call; closed() comes when nothing is left. */
void report_site_close(struct report_site *, void (*closed)(void *arg), void *arg);

#endif
