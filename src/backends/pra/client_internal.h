/*
 * client_internal.h - the inside of struct pra_client, shared by client.c, request.c and judge.c.
 */
#ifndef JG_BACKENDS_PRA_CLIENT_INTERNAL_H
#define JG_BACKENDS_PRA_CLIENT_INTERNAL_H

#include "backends/pra/client.h"

#define PRA_BODY_MAX 262144     /* of an answer that is no XML: a page of Jumpoints, a token, an error */
#define PRA_PAGE_MAX (4U << 20) /* of PRA_CALL_PAGE */

TAILQ_HEAD(pra_call_list, pra_call);

struct pra_client {
    struct loop *loop;
    struct timers *timers;
    const struct clock *clock;
    struct upstream *up;
    char *name, *client_id;
    struct secret secret;
    uint64_t call_timeout_ms, report_timeout_ms;
    size_t max_answer;
    unsigned parallel; /* calls sent at once; 0 = the upstream decides */
    uint64_t pause_waited_ms;

    struct pra_budget budget;
    struct pra_token token;
    struct pra_call token_call; /* IDLE = none is asked for */
    struct pra_call_list calls; /* all but the token call, in the order of their start */
    struct deadline turn;       /* when the next call may go; it has a place */
    bool closing;
    void (*closed)(void *arg);
    void *arg;

    void (*observe)(void *arg, enum pra_call_kind, const struct pra_result *);
    void *observe_arg;

    uint64_t sent;
    struct pra_call_counts counts[PRA_NKINDS];
};

static inline bool pra_needs_token(enum pra_call_kind kind)
{
    return kind != PRA_CALL_PROBE && kind != PRA_CALL_TOKEN;
}

/* request.c: writes target, headers and form of the call and fills call->http but for done(). 0 or -ENOMEM.
 */
int pra_request_write(struct pra_client *, struct pra_call *);

/* judge.c */
/* The reader of the XML that may answer the call; NULL = none may. */
const struct pra_xml_reader *pra_reader_of(const struct pra_call *);
/* Takes a piece of the answer, n > 0. 0 or -errno. */
int pra_answer_piece(struct pra_call *, const char *bytes, size_t n);
/* No more of the answer will come: what has come goes to the reader of a kind that is the caller's. */
void pra_answer_lost(struct pra_call *);
/* The answer is here or has failed: fills call->result, and call->answer where it is good. */
void pra_answer_judge(struct pra_client *, struct pra_call *);

#endif
