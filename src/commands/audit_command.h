/*
 * audit_command.h - `jumpgate audit verify FILE [FILE...]`: was the audit trail changed?
 */
#ifndef JG_AUDIT_COMMAND_H
#define JG_AUDIT_COMMAND_H

/* `words` are those behind `audit`, ended by NULL. Exit code: 0 sound, 1 not sound, 2 not verified: the
 * command line is wrong, or a file cannot be read. */
int command_audit(char **words);

#endif
