/*
 * audit_command.h - `jumpgate audit verify FILE [FILE...]`: has anything been done to the audit trail?
 */
#ifndef JG_AUDIT_COMMAND_H
#define JG_AUDIT_COMMAND_H

/* `words` are those behind `audit`, ended by NULL. Exit code: 0 sound, 1 not, 2 not to be had: the command
 * line is wrong, or a file cannot be read. */
int command_audit(char **words);

#endif
