/*
 * hash.h - uthash as the simulator uses it: FNV, which every compiler reads without complaint.
 *
 * Running out of memory inside a hash ends the program, which is right for a simulator.
 */
#ifndef SIM_HASH_H
#define SIM_HASH_H

#define HASH_FUNCTION(keyptr, keylen, hashv) HASH_FNV(keyptr, keylen, hashv)

#include <uthash.h>

#endif
