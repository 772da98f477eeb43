/*
 * feed_rig.h - a store with some of everything that the feed shows, and readers of the feed on it.
 */
#ifndef JG_TESTS_REPORTS_FEED_RIG_H
#define JG_TESTS_REPORTS_FEED_RIG_H

#include "reports/query/feed.h"
#include "reports_rig.h"

#define OTHER_HOST "other.example.com"

/* The store's clock, in milliseconds; of a rig whose clock is &feed_clock. */
extern int64_t feed_wall_ms;
extern const struct clock feed_clock;

void feed_ok(struct reports_rig *, enum db_outcome);
/* Three sessions (closed with everything, running, abnormal) on two sites, accounts, and syslog of each kind.
 */
void feed_fill(struct reports_rig *);
/* A page of all sites; fails the test where it is refused. `out` is emptied first. */
void feed_page(struct reports_rig *, const struct feed_request *, struct buf *out, struct feed_answer *);
/* The same of these sites. */
void feed_page_of(struct reports_rig *, const struct feed_request *, const char *const *hosts, size_t nhosts,
                  struct buf *out, struct feed_answer *);
enum query_outcome feed_try(struct reports_rig *, const struct feed_request *, struct query_error *);
struct buf feed_buf(void);

#endif
