/*
 * sessions.h - access sessions of the site, from start to end.
 *
 * A session runs, has ended, or was closed abnormally; the last kind never gets an end time. Times are Unix
 * milliseconds here and whole seconds on the wire. A text that is NULL takes the usual one, so that a test
 * can make tens of thousands of sessions.
 */
#ifndef PRA_SIM_SESSIONS_H
#define PRA_SIM_SESSIONS_H

#include "sim/hash.h"
#include "sim/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define LSID_SIZE 33

enum session_state { SESSION_RUNNING, SESSION_ENDED, SESSION_ABNORMAL, SESSION_NSTATES };

enum session_gone { GONE_NOT, GONE_REPORT, GONE_ALL }; /* AccessSession does not know it; no report does */

enum session_text {
    SESSION_USER,
    SESSION_ENDPOINT,
    SESSION_HOSTNAME,
    SESSION_JUMPOINT,
    SESSION_JUMP_GROUP,
    SESSION_EXTERNAL_KEY,
    SESSION_CREDENTIAL_ID,
    SESSION_NTEXTS
};

struct session {
    char lsid[LSID_SIZE]; /* lower-case hex digits */
    int64_t lseq;
    int64_t start_ms, end_ms; /* end_ms of an abnormal end: when it was closed, not shown */
    enum session_state state;
    bool recording;
    enum session_gone gone;
    char *text[SESSION_NTEXTS];
    UT_hash_handle by_lsid;
};

struct sessions {
    struct session *by_lsid;
    struct vec all; /* in the order of their start */
    size_t n[SESSION_NSTATES];
    int64_t next_lseq;
    uint64_t random;
};

extern const char *const session_state_names[SESSION_NSTATES];
extern const char *const session_text_names[SESSION_NTEXTS];

void sessions_init(struct sessions *, uint64_t seed);
void sessions_free(struct sessions *); /* it may be used again */

/* NULL lsid = a new one. NULL = out of memory, or the lsid is taken or has not the form. */
struct session *sessions_start(struct sessions *, const char *lsid, int64_t now_ms);
/* Ends a running one; false when it does not run. */
bool sessions_end(struct sessions *, struct session *, bool abnormally, int64_t now_ms);
/* Also with dashes, in braces, and in any letter case; NULL = none. */
struct session *sessions_find(const struct sessions *, const char *lsid);
/* The text, or the usual one. */
const char *session_text(const struct session *, enum session_text);
/* 32 hex digits in lower case of any form; false = none. */
bool session_lsid(const char *text, char out[LSID_SIZE]);

#endif
