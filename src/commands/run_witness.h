/*
 * run_witness.h - at the start, the audit trail is compared with the lease store.
 */
#ifndef JG_RUN_WITNESS_H
#define JG_RUN_WITNESS_H

#include "broker/audit.h"
#include "broker/broker.h"
#include "conf/conf.h"

/* After the store has been read and before requests are served. For check-outs in the trail's last part
 * without an end or a row, recovery is started; the log and the trail record how many. */
void run_witness(const struct conf *, struct broker *, struct audit *);

#endif
