/*
 * pra.h - shared by the stages of the PRA site: the client, what the site has said of itself, and how
 * a fault is explained.
 *
 *     pra.c            order; secret, network, probe, token, Command API
 *     pra_checks.c     permissions, role, clock, reports
 *     pra_jumpoints.c  Jumpoints
 *     pra_call.c       one call, and the finding of a fault
 */
#ifndef JG_COMMANDS_DOCTOR_PRA_H
#define JG_COMMANDS_DOCTOR_PRA_H

#include "backends/pra/client.h"
#include "backends/pra/permissions.h"
#include "commands/doctor/stages.h"

struct site_doctor {
    struct doctor *d;
    const struct conf_pra *conf;
    struct loop *loop;
    struct pra_client *client;
    struct pra_info info;
    bool has_info;
    bool has_skew;
    int64_t skew_ms; /* the site's clock less this machine's */
};

struct site_call {
    struct pra_call call;
    struct loop *loop;
    bool done;
};

struct explanation {
    enum pra_fault fault;
    const char *code, *cause, *remedy;
};

void site_enter(struct site_doctor *, enum doctor_stage);
/* The fault of the present stage, with what to do about it. */
void site_fault(struct site_doctor *, enum report_part, const char *code, const char *detail,
                const char *cause, const char *remedy);
/* The row of the fault; the last one is for every other fault. */
const struct explanation *site_explanation(const struct explanation *rows, size_t n, enum pra_fault);
void site_explain(struct site_doctor *, const struct explanation *, const struct pra_result *);
/* One call, waited for; pra_call_free() it. */
void site_ask(struct site_doctor *, struct site_call *);
/* A denial: sites give it in words of an <error> as well. */
bool site_denies(const struct pra_result *);
/* What the XML APIs answer when they are switched off, unless it is a page. */
bool site_lacks(const struct pra_result *);
/* The site's clock, as far as it is known. */
int64_t site_time_ms(const struct site_doctor *);

/* The stages. */
void site_check_permissions(struct site_doctor *);
void site_check_role(struct site_doctor *);
void site_check_clock(struct site_doctor *);
void site_check_reporting(struct site_doctor *);
void site_check_jumpoints(struct site_doctor *);

#endif
