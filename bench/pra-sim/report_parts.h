/*
 * report_parts.h - elements that all reports on sessions have, in the form that the knobs choose.
 */
#ifndef PRA_SIM_REPORT_PARTS_H
#define PRA_SIM_REPORT_PARTS_H

#include "pra-sim/dispatch.h"

#define LSID_TEXT 48

const char *part_lsid_text(const struct dispatch *, const char *lsid, char out[LSID_TEXT]);
void part_time(struct dispatch *, struct xml *, const char *name, int64_t wall_ms);
void part_duration(struct xml *, int64_t ms);
void part_actor(struct xml *, const char *element, const char *type, int64_t gsnumber, const char *name);
void part_value(struct xml *, const char *name, const char *value);
void part_open_event(struct xml *, const char *type, int64_t wall_ms);
/* A link that is good for one session, signed again for each answer. */
void part_link(struct dispatch *, struct xml *, const char *name, const char *lsid, const char *what);

#endif
