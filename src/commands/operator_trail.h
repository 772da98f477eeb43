/*
 * operator_trail.h - one record in the audit trail of what an operator's command has done by itself.
 *
 * The trail belongs to a running gateway while there is one: then the record cannot be written, and standard
 * error says so.
 */
#ifndef JG_COMMANDS_OPERATOR_TRAIL_H
#define JG_COMMANDS_OPERATOR_TRAIL_H

#include "conf/conf.h"
#include "loop/loop.h"

struct operator_word {
    const char *name, *value; /* name NULL ends the list; value NULL = left out */
};

/* With who runs the command. Waits until it is written. False after saying that it is not. */
bool operator_trail_record(struct loop *, const struct conf *, const char *event,
                           const struct operator_word *);

/* Is there a trail of the gateway's? False = no, and why. */
bool operator_trail_is_there(const struct conf *, char why[320]);

#endif
