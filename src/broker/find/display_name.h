/*
 * display_name.h - the display value of a credential, and patterns over account names (`hide`, `favourites`).
 */
#ifndef JG_BROKER_FIND_DISPLAY_NAME_H
#define JG_BROKER_FIND_DISPLAY_NAME_H

#include "backends/backend.h"

/* Writes the display value; returns its length, as snprintf does. `marked`: with the vault's name behind it,
 * for a row that looks like one of another vault. */
size_t display_name_write(const struct conf_vault *, const struct account *, bool marked, char *out,
                          size_t size);
/* Order of display values: without case first, then byte by byte. */
int display_name_compare(const char *a, const char *b);
/* Place of the first pattern that fits the account's name or DOMAIN\name; list->n = none does. */
size_t display_name_pattern(const struct conf_list *, const struct account *);

#endif
