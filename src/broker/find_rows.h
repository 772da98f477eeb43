/*
 * find_rows.h - from the lists of a survey to the credentials of an answer: merged, once each, in order.
 */
#ifndef JG_BROKER_FIND_ROWS_H
#define JG_BROKER_FIND_ROWS_H

#include "broker/broker.h"
#include "broker/survey.h"

struct find_rows {
    struct credential *row;         /* accounts point into the survey's lists */
    const struct survey_vault **of; /* whose row it is */
    size_t n;
    char *texts; /* display values */
};

/* 0 or -ENOMEM. */
int find_rows_make(const struct survey *, const struct session *, struct find_rows *);
void find_rows_free(struct find_rows *);

#endif
