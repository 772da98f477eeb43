/*
 * span.h - a length of time in words short enough for a column: "12s", "42m", "3h 05m", "9d 4h".
 */
#ifndef JG_COMMANDS_SPAN_H
#define JG_COMMANDS_SPAN_H

#include <stdint.h>

#define SPAN_SIZE 32

/* Of so many seconds, 0 or more; what does not count beside the rest is left out. Returns `out`. */
const char *span_text(int64_t seconds, char out[SPAN_SIZE]);

#endif
