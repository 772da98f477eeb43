/*
 * survey_notes.h - what a survey tells the record of its operation (explain.h).
 */
#ifndef JG_BROKER_SURVEY_NOTES_H
#define JG_BROKER_SURVEY_NOTES_H

#include "broker/survey.h"

/* The present candidate (NULL = there is none) and what became of him. */
void survey_note_user(const struct survey_vault *, const char *outcome, const char *detail);
/* One question whose answer has just come. */
void survey_note_call(const struct survey_ask *);
/* A catalogue that has just come. */
void survey_note_search(const struct survey_ask *);

#endif
