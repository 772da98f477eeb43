/*
 * container_of.h - from a member to the object that holds it: callbacks get the member and want the object.
 */
#ifndef JG_BASE_CONTAINER_OF_H
#define JG_BASE_CONTAINER_OF_H

#include <stddef.h>

/* The object of `type` whose `member` is at `ptr`. */
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
