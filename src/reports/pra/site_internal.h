/*
 * site_internal.h - the inside of a site of the session reports, shared by site.c, site_ask.c and
 * site_spool.c.
 */
#ifndef JG_REPORTS_PRA_SITE_INTERNAL_H
#define JG_REPORTS_PRA_SITE_INTERNAL_H

#include "backends/pra/client.h"
#include "loop/worker.h"
#include "reports/pra/pra_open.h"
#include "reports/pra/syslog_archive.h"
#include "reports/pra/xml_reading.h"

#include <openssl/evp.h>

struct site_call;
TAILQ_HEAD(site_calls, site_call);

struct site {
    struct report_site base;
    struct loop *loop;
    struct pra_client *client;
    char *host_name, *spool_dir;
    uint64_t stall_ms;
    size_t max_session;
    struct site_calls calls;

    struct worker worker;      /* reads an archive */
    struct site_call *archive; /* the call that it reads for; NULL = none */
    bool working;              /* the thread is at work */
    bool open;                 /* of worker */
    bool closing;
    void (*worker_closed)(struct worker *); /* once it is to close */
    void (*closed)(void *arg);
    void *arg;
};

struct site_call {
    TAILQ_ENTRY(site_call) link;
    struct site *site;
    struct report_call *call; /* NULL = cancelled; the thread still reads for it */
    enum report_ask ask;
    enum report_page_kind page_kind;
    unsigned page;
    bool bare; /* repeated without parameters that can be left out */
    bool paused;
    /* What its kind does in addition, or NULL: writes the target again, reads the archive that is here as a
     * whole and ends the call, frees. */
    int (*retarget)(struct site_call *);
    void (*whole)(struct site_call *);
    void (*release)(struct site_call *);
    struct pra_call http;
    struct buf target, form;
    struct batch_out out;
    struct xml_reading reading;
    struct report_outcome outcome;

    struct site_spool { /* REPORT_ASK_SYSLOG */
        int fd;         /* -1 = none */
        int err;
        EVP_MD_CTX *digest;
        char known[65];
        struct syslog_archive *archive;
        int state; /* of the last step */
    } spool;
};

/* site_call.c */
int site_call_new(struct site *, struct report_call *, enum report_ask, struct site_call **out);
int site_call_send(struct site_call *); /* frees it when it fails; 0 or -errno */
void site_call_free(struct site_call *);
void site_call_end(struct site_call *); /* tells the outcome, and frees it */

/* site_ask.c */
extern const struct report_site_ops site_ops;

/* site_spool.c: the archive of REPORT_ASK_SYSLOG. */
int site_spool_begin(struct site_call *); /* the call will be for an archive; 0 or -errno */
void site_spool_go_on(struct site_call *);
/* Ends the thread, after its step; `closed` comes later. */
void site_spool_close(struct site *, void (*closed)(struct worker *));

#endif
