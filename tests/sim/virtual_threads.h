/*
 * virtual_threads.h - libuv's threads, locks and semaphores in one thread of the machine.
 *
 * A thread of the program is a context with a stack of its own. It runs when the world's time has come for
 * it, until it waits: for a condition, a semaphore, or the disk (virtual_thread_sleep()). So what the threads
 * do has one order, the world's, and time passes while one of them waits for the disk.
 */
#ifndef JG_TESTS_SIM_VIRTUAL_THREADS_H
#define JG_TESTS_SIM_VIRTUAL_THREADS_H

#include "base/timers.h"

#include <stdbool.h>

/* Threads are resumed by deadlines of `events`; one world at a time. A thread has an owner, who owns the one
 * that has made it, or that of virtual_threads_own(). wait_ms() is asked before one runs: so long it has to
 * wait. */
void virtual_threads_begin(struct timers *events, uint64_t (*wait_ms)(void *owner));
void virtual_threads_own(void *owner);
/* All have ended. */
void virtual_threads_end(void);
/* Does a thread run, and not the loop's own? */
bool virtual_thread_runs(void);
/* The thread that runs goes on later. */
void virtual_thread_sleep(uint64_t ms);
/* Has one of this owner not ended? */
bool virtual_threads_wait(const void *owner);
/* Each thread of this owner that waits for a time runs at once: the process is dead. False = none has. */
bool virtual_threads_hurry(const void *owner);

#endif
