/*
 * store_command.h - a command that works on a store by itself, without a gateway.
 *
 * store_command() makes the process ready for secrets (wiped memory, no core), reads the configuration, and
 * runs the command's own function with a loop. Within a command that has asked the gateway before
 * (control_command.h) store_command_begin() and store_command_end() do the same.
 */
#ifndef JG_COMMANDS_STORE_COMMAND_H
#define JG_COMMANDS_STORE_COMMAND_H

#include "commands/line/command_line.h"
#include "conf/conf.h"
#include "loop/loop.h"

struct store_command {
    const struct command_args *args;
    struct conf *conf; /* as a whole, without a look at its files */
    struct loop *loop;
};

/* The exit code of `work`, or EXIT_FAILED. `as_gateway`: root becomes the gateway's user, so that files in
 * the state directory stay that one's. */
int store_command(const struct command_args *, bool as_gateway, int (*work)(struct store_command *));

/* 0, or EXIT_FAILED after saying why; store_command_end() in any case. */
int store_command_begin(struct store_command *, const struct command_args *);
void store_command_end(struct store_command *);

/* A configuration by itself, after saying what is wrong with it; NULL then. */
struct conf *store_command_conf(const char *path);

/* True = go on: --yes was given, a script runs, or a person has said so. */
bool store_command_agreed(const struct command_args *, const char *question);

#endif
