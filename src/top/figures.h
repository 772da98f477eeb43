/*
 * figures.h - numbers as short texts for columns.
 */
#ifndef JG_TOP_FIGURES_H
#define JG_TOP_FIGURES_H

#include <stddef.h>
#include <stdint.h>

#define FIGURE_SIZE 24

/* "0.0", "12.5", "340", "12k". */
const char *figure_rate(double per_s, char out[FIGURE_SIZE]);
/* A duration as measured: "0.8ms", "40ms", "1.25s", "12.5s"; "-" for a negative one. `bound` is written for
 * an infinite one: ">30s". */
const char *figure_seconds(double seconds, double bound, char out[FIGURE_SIZE]);
/* Time left or passed: "0:07", "12:34", "3:04:05", "2d 03h"; with a minus before it where it is over. */
const char *figure_left(int64_t ms, char out[FIGURE_SIZE]);
/* A time as "14:22:05" (UTC). */
const char *figure_clock(int64_t wall_ms, char out[FIGURE_SIZE]);

#endif
