/*
 * lsid.h - the session id of PRA (lsid), in the forms in which the site and its clients write it.
 *
 * A form is 32 hex digits, or the same as 8-4-4-4-12 with dashes; either may stand in braces. Letters have no
 * case. Lsids are compared in one form, 32 lower-case digits, and shown as they were given.
 */
#ifndef JG_BASE_LSID_H
#define JG_BASE_LSID_H

#include <stdbool.h>

#define LSID_SIZE      33 /* in the one form, with its NUL */
#define LSID_TEXT_SIZE 39 /* the longest form, with its NUL */

/* Writes the one form of `text` (NULL is none). False = it is no lsid, and `out` is unspecified. */
bool lsid_normal(const char *text, char out[LSID_SIZE]);
/* Whether both are the same lsid; texts that are none are compared letter by letter. */
bool lsid_same(const char *a, const char *b);

#endif
