/*
 * spin_outcome.h - what becomes of a spin that is due (spin.h): rows of its counters.
 */
#ifndef JG_BROKER_LEASES_SPIN_OUTCOME_H
#define JG_BROKER_LEASES_SPIN_OUTCOME_H

enum spin_outcome {
    SPIN_ACCEPTED,  /* the vault has said that it is done, or will be */
    SPIN_FAILED,    /* it is not repeated any more */
    SPIN_WITHDRAWN, /* a check-out came first, or it is not wanted any more */
    SPIN_NOUTCOMES
};

#endif
