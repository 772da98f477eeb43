/*
 * display_name.h - how a credential is shown to the person choosing, and which ones the operator hides or
 * prefers.
 */
#ifndef JG_BROKER_FIND_DISPLAY_NAME_H
#define JG_BROKER_FIND_DISPLAY_NAME_H

#include "backends/backend.h"

/* Writes the display value; returns its length, as snprintf does. */
size_t find_show(const struct conf_vault *, const struct account *, char *out, size_t size);
/* Place of the first pattern that fits the account's name or DOMAIN\name; list->n = none does. */
size_t find_show_pattern(const struct conf_list *, const struct account *);

#endif
