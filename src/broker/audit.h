/*
 * audit.h - what is written into the audit trail, and what a check-out does when it cannot be.
 *
 *     struct audit_note n;
 *     audit_note(&n, audit, "lease_end");
 *     audit_text(&n, "reason", why);
 *     audit_write(&n);
 *
 * One record when an operation is decided, one when it ends; names and numbers, never a secret. A text is cut
 * at AUDIT_TEXT_MAX bytes. `audit` may be NULL: then nothing is written or awaited.
 *
 * A credential is handed out behind audit_await(): with the policy `strict` only when its record is on disk,
 * with `degraded` also when that could not be had in time; the record then follows.
 */
#ifndef JG_BROKER_AUDIT_H
#define JG_BROKER_AUDIT_H

#include "audit/audit_sink.h"
#include "base/fault.h"
#include "base/jsonw.h"
#include "base/timers.h"
#include "broker/identity/session.h"
#include "conf/conf.h"

#define AUDIT_TEXT_MAX 1024

struct audit;

struct audit_opts {
    struct audit_sink *sink; /* outlives the audit */
    struct timers *timers;
    enum conf_audit_policy policy;
    const char *node; /* copied: of several gateways, by which each record names this one; NULL = none */
};

struct audit *audit_new(const struct audit_opts *); /* NULL = out of memory */
void audit_free(struct audit *);                    /* writes what it has counted; NULL is fine */

struct audit_note {
    struct audit *audit;
    struct buf buf;
    struct jsonw w;
};

void audit_note(struct audit_note *, struct audit *, const char *event);
/* NULL, "" and, for the second, 0 are left out. */
void audit_text(struct audit_note *, const char *name, const char *value);
void audit_number(struct audit_note *, const char *name, int64_t value);
void audit_count(struct audit_note *, const char *name, int64_t value); /* 0 as well */
void audit_moment(struct audit_note *, const char *name, int64_t wall_ms);
/* Without query, fragment and user: what is left names a place and opens nothing. */
void audit_url(struct audit_note *, const char *name, const char *url);
/* Who asked: client, request_id, trace_id, user, domain, session, lsid; over the control socket peer_uid and
 * peer_user. */
void audit_session(struct audit_note *, const struct session *);
/* outcome: "ok", or "refused" with the code; NULL = ok. */
void audit_outcome(struct audit_note *, const struct fault *);

/* Ends the note; the record is written soon, with others. */
void audit_write(struct audit_note *);

enum { AUDIT_GO = 0, AUDIT_WAIT = 1 };
/*
 * Ends the note. AUDIT_GO: go on now. AUDIT_WAIT: wait->done comes, with what audit_verdict() turns into
 * AUDIT_GO or an error. <0: it cannot be written and the policy is strict.
 */
int audit_await(struct audit_note *, struct audit_wait *wait);
int audit_verdict(const struct audit *, int err);
/* As audit_write(), for an answer that says that it is recorded. AUDIT_WAIT: wait->done comes; else there is
 * nothing to wait for. */
int audit_write_await(struct audit_note *, struct audit_wait *wait);
void audit_unwait(struct audit *, struct audit_wait *); /* any number of times */
/* The fault of a check-out without its record. */
void audit_fault(struct fault *);

/* A stranger (docs/glossary.md) asked for something. Written once per minute with their number. */
void audit_stranger(struct audit *, const char *listener, const char *peer);

void audit_state(struct audit *, struct audit_state *);
bool audit_is_strict(const struct audit *);
/* False: strict, and known not to write. No request is made then, since it would only be undone. */
bool audit_permits(struct audit *);

#endif
