/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.c - which program this process is; see command_table.h.
 */
#include "commands/line/command_table.h"

static const struct program *program;

const struct program *command_program(void)
{
    return program;
}

void command_program_is(const struct program *is)
{
    program = is;
}
