/*
 * fuzz.h - what the fuzz targets share: how bytes become several texts, and how a broken promise is said.
 *
 * Every target feeds bytes to the real code and then asks for more than "it did not crash": that pieces give
 * the same result as the whole, that a count fits, that a text is what it must be. FUZZ_ASSERT ends the run
 * with the promise that was broken; the sanitizers watch the rest.
 *
 * An input may hold several texts, one after the other, separated by the byte 0xff, which no text of ours can
 * hold (it is not UTF-8). So a seed is a readable file, and the mutations of one text do not move the others.
 */
#ifndef JG_TESTS_FUZZ_H
#define JG_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_ASSERT(promise)                                                                                 \
    do {                                                                                                     \
        if (!(promise)) {                                                                                    \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #promise);                    \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct fuzz_input {
    const char *at;
    size_t left;
};

static inline struct fuzz_input fuzz_input(const uint8_t *data, size_t size)
{
    return (struct fuzz_input){.at = (const char *)data, .left = size};
}

/* The next byte, 0 when there is none. */
unsigned char fuzz_byte(struct fuzz_input *);
/* The text up to the next 0xff, in memory of exactly its size, so that a read beyond it is seen. */
char *fuzz_text(struct fuzz_input *, size_t *len);
/* The same with a NUL behind it, cut at the first NUL inside. */
char *fuzz_string(struct fuzz_input *);

#endif
