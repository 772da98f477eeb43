/*
 * month_streams.h - what else a site reports over time: vault activity, log-ins of teams, syslog messages.
 *
 * A stream is a number of records over the days of the made-up sessions, and some in each hour after them.
 * Like a session, a record is its index: its time grows with it, everything else follows from the seed.
 */
#ifndef PRA_SIM_MONTH_STREAMS_H
#define PRA_SIM_MONTH_STREAMS_H

#include "pra-sim/month.h"

enum stream { STREAM_VAULT, STREAM_TEAM, STREAM_SYSLOG, STREAM_COUNT };

uint64_t stream_key(const struct month *, enum stream, uint64_t index);
int64_t stream_at(const struct month *, enum stream, uint64_t index);
/* How many are not after that time. */
uint64_t stream_until(const struct month *, enum stream, int64_t at_s);

#endif
