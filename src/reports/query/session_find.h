/*
 * session_find.h - one session by its site and lsid, where the query may see it.
 */
#ifndef JG_REPORTS_QUERY_SESSION_FIND_H
#define JG_REPORTS_QUERY_SESSION_FIND_H

#include "reports/query/query_internal.h"

struct found_session {
    int64_t id;
    const char *host_name, *lsid; /* in lower case, in the arena */
};

/* QUERY_NOT_FOUND: there is none, or it is of a site that may not be seen. */
enum query_outcome session_find(struct db *, const struct query *, const char *host_name, const char *lsid,
                                struct record_arena *, struct found_session *);

#endif
