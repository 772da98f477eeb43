/*
 * password_prompt.h - a new password: asked twice on the terminal without showing it, or read from standard
 * input.
 */
#ifndef JG_REPORTS_COMMANDS_PASSWORD_PROMPT_H
#define JG_REPORTS_COMMANDS_PASSWORD_PROMPT_H

#include "base/memory/secret.h"
#include "reports/conf/password.h"

#include <stdbool.h>

/* Its scrypt form. 0, or an exit code after saying why. */
int password_prompt(const char *user, bool from_stdin, char text[PASSWORD_TEXT_SIZE]);

#endif
