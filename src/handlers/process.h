/*
 * process.h - what the kernel says about this process; for metrics, so the argument is not used.
 */
#ifndef JG_HANDLERS_PROCESS_H
#define JG_HANDLERS_PROCESS_H

double process_cpu_seconds(void *);
double process_resident_bytes(void *);
double process_open_fds(void *);
double process_max_fds(void *);

#endif
