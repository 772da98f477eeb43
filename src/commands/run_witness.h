/*
 * run_witness.h - at the start the audit trail is heard as the second witness of what is checked out.
 */
#ifndef JG_RUN_WITNESS_H
#define JG_RUN_WITNESS_H

#include "broker/audit.h"
#include "broker/broker.h"
#include "conf/conf.h"

/* After the store has been read and before anything is served. Check-outs of the trail's last stretch that
 * have neither an end nor a row are hunted; the log and the trail say how many. */
void run_witness(const struct conf *, struct broker *, struct audit *);

#endif
