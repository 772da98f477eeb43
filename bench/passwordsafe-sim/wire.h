/*
 * wire.h - how the vault writes things: dates, JSON strings in two dialects, and reads queries.
 *
 * Answers are written in the Newtonsoft dialect (only `"`, `\` and controls escaped). The other family,
 * System.Text.Json, escapes also & < > ' + ` and everything beyond ASCII; wire_transcode() turns a finished
 * answer into it in one pass, since those characters occur nowhere in JSON but inside strings.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "base/buf.h"
#include "base/jsonw.h"

#include <stdint.h>

#define WIRE_DATE 32

/* `2026-03-10T09:00:12.5`: UTC, no zone, trailing zeros of the fraction dropped. Returns `out`. */
const char *wire_date(int64_t wall_ms, char out[WIRE_DATE]);
/* The member as date; 0 = null. */
void wire_put_date(struct jsonw *, const char *name, int64_t wall_ms);
/* 0 = null. */
void wire_put_id(struct jsonw *, const char *name, int id);

/* Rewrites `json` in the System.Text.Json dialect. 0 or -ENOMEM. */
int wire_transcode(struct buf *json);

#endif
