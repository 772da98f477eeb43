/*
 * crash_message.h - the message of a process that ends itself.
 *
 * One line to stderr, now, past the log and its queue, in the log's form: from any thread, without memory of
 * its own. Without a reader there is no message.
 */
#ifndef JG_BASE_CRASH_MESSAGE_H
#define JG_BASE_CRASH_MESSAGE_H

#include <stdbool.h>

/* Set by the log: JSON or text; `journal`: stderr is the journal, which reads a priority in front of the
 * line. */
void crash_message_form(bool json, bool journal);
/* `what` and `why` are texts of the program: nothing in them is escaped. */
void crash_message(const char *what, const char *why);

#endif
