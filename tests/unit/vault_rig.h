/*
 * vault_rig.h - a backend over HTTP on a fake clock, and the vault's answers are the test's.
 *
 * loop/upstream and the loop's clock are replaced at link time: what the backend sends stays on a list until
 * the test answers it or lets it fail. Texts are copied when a call is sent and compared when it is answered,
 * so a text that did not live as long as it must is found. The probe is answered by the rig unless a test
 * wants it.
 *
 * rig_end() closes the vault and checks that nothing is left: no call, no deadline, no metric, no answer
 * twice.
 *
 * Not here: the vault that is tested (ps_rig.h, pi_rig.h).
 */
#ifndef JG_TESTS_VAULT_RIG_H
#define JG_TESTS_VAULT_RIG_H

#include "backends/backend.h"
#include "check.h"
#include "fake_clock.h"
#include "loop/upstream/upstream.h"

#include <string.h>

#define RIG_URL "https://vault.example.test"

struct rig_sent {
    struct call *call;
    char *method, *target, *headers, *body; /* "" = none */
    TAILQ_ENTRY(rig_sent) link;
};

struct rig {
    struct fake_clock fc;
    struct timers *timers;
    struct conf_vault conf;
    struct vault *vault;
    const char *probe_target;
    TAILQ_HEAD(rig_list, rig_sent) sent; /* not yet answered, oldest first; the probe apart */
    size_t total;                        /* calls sent, without probes */
    struct rig_sent *probe;
    size_t probes;
    bool hold_probes;
    int refuse_calls;                /* upstream_call() answers this */
    bool in_line;                    /* what was sent still waits for a connection */
    size_t connecting;               /* what upstream_state() answers */
    size_t in_first_line;            /* the same: calls of the first class that wait */
    struct upstream_outlook outlook; /* what upstream_outlook() answers */
    size_t renewed_connections;      /* what upstream_reload() was given */
    void (*closing)(void *arg);
    void *closing_arg;
    bool closed;
    char last_target[512], last_headers[2048], last_body[2048], last_method[8];
    bool last_background, last_safe;
    uint64_t last_timeout_ms;
};

extern struct rig rig;

/* What nothing logged may hold; the list ends with NULL. `probe_target`: calls there are probes. */
void rig_open(const char *probe_target, const char *const *never);
/* Closes the vault, whose sign-outs (calls to targets with `signout`) are answered, and checks that nothing
 * is left. */
void rig_end(void (*close)(struct vault *, void (*closed)(void *), void *), const char *signout);
/* A file of the program with this text, once; `path` is "" before. It goes at the end. */
void rig_file(char path[64], const char *text);
void rig_advance(uint64_t ms);

/* The i-th call waiting for an answer; NULL when there is none. Its texts are copied to last_*. */
struct call *rig_call(size_t i);
size_t rig_waiting(void);

struct rig_answer {
    int status;
    const char *body, *cookies, *second_factor, *retry_after, *date, *content_type;
};
void rig_reply(struct call *, const struct rig_answer *);
void rig_answer(struct call *, int status, const char *body);
void rig_fail(struct call *, int err, bool sent);

struct rig_ask {
    struct vault_call call;
    int done;
    void (*then)(struct rig_ask *); /* runs inside done() */
};
void ask_init(struct rig_ask *, const char *user);
void ask_free(struct rig_ask *);
void ask_again(struct rig_ask *, const char *user); /* frees and begins again */

#define assert_contains(text, part) assert_non_null(strstr((text), (part)))
#define assert_lacks(text, part)    assert_null(strstr((text), (part)))

#endif
