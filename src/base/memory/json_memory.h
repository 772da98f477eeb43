/*
 * json_memory.h - where cJSON's trees live; private to json.c.
 */
#ifndef JG_BASE_MEMORY_JSON_MEMORY_H
#define JG_BASE_MEMORY_JSON_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void json_memory_init(void); /* once, before any thread */
/* Around the building of one tree, from a text of that length. A secret one only on the loop's thread. */
void json_memory_begin(size_t text_len, bool secret);
void json_memory_end(void);

#endif
