/*
 * virtual_random.h - OpenSSL's generator in the hands of a seed: the program defines RAND_bytes().
 */
#ifndef JG_TESTS_SIM_VIRTUAL_RANDOM_H
#define JG_TESTS_SIM_VIRTUAL_RANDOM_H

#include <stdint.h>

/* From here on ids and everything else that is random follows from the seed. */
void virtual_random_seed(uint64_t seed);

#endif
