/*
 * vault_fanout_notes.h - what a fan-out tells the record of its operation (explain.h).
 */
#ifndef JG_BROKER_FIND_VAULT_FANOUT_NOTES_H
#define JG_BROKER_FIND_VAULT_FANOUT_NOTES_H

#include "broker/find/vault_fanout.h"

/* The present candidate (NULL = there is none) and what became of him. */
void vault_fanout_note_user(const struct fanout_vault *, const char *outcome, const char *detail);
/* One question whose answer has just come. */
void vault_fanout_note_call(const struct fanout_query *);
/* A catalogue that has just come. */
void vault_fanout_note_search(const struct fanout_query *);

#endif
