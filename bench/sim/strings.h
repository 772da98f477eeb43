/*
 * strings.h - texts that an object owns.
 */
#ifndef SIM_STRINGS_H
#define SIM_STRINGS_H

/* Replaces *text by a copy; NULL value = NULL. 0 or -ENOMEM. */
int strings_replace(char **text, const char *value) __attribute__((warn_unused_result));

#endif
