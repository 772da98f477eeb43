/*
 * writer_thread.h - the writer of collect/writer.h on a thread of its own.
 *
 * Life: writer_thread_new -> (submit) -> writer_thread_stop -> stopped() -> writer_thread_free. While the
 * database is away, the same tasks are tried again, after half a second, doubling to a minute.
 */
#ifndef JG_REPORTS_COLLECTING_WRITER_THREAD_H
#define JG_REPORTS_COLLECTING_WRITER_THREAD_H

#include "loop/loop.h"
#include "reports/collect/writer.h"

struct writer_thread;

/* The store is the thread's alone until stopped(). NULL when out of memory or descriptors. */
struct writer_thread *writer_thread_new(struct loop *, struct report_store *);
struct writer *writer_thread_writer(struct writer_thread *);
/* What waits is carried out first, for `drain_ms` at most; then the running statement is interrupted, and
 * what is left ends with DB_INTERRUPTED. Nothing waits for a database that is away. */
void writer_thread_stop(struct writer_thread *, uint64_t drain_ms, void (*stopped)(void *arg), void *arg);
void writer_thread_free(struct writer_thread *); /* after stopped(); NULL is fine */

#endif
