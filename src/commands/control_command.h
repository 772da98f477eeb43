/*
 * control_command.h - a command that asks the running gateway over its control socket (control.h).
 *
 * control_command() loads the configuration, of which it needs no more than `state_dir` (conf_load_control():
 * no secret is read, and mistakes elsewhere in the file do not matter), opens the way to the socket, runs the
 * command's own function and closes everything. Within it, control_ask() makes one call and
 * control_ask_json() one whose answer is a JSON object. What went wrong is on stderr in words for an
 * operator.
 *
 * A gateway that does not run is told apart from every other failure (-ECONNREFUSED): a command may work
 * without it, or say so with control_not_running().
 */
#ifndef JG_COMMANDS_CONTROL_COMMAND_H
#define JG_COMMANDS_CONTROL_COMMAND_H

#include "base/json.h"
#include "commands/control.h"
#include "commands/line/command_line.h"
#include "conf/conf.h"

struct control_command {
    const struct command_args *args;
    struct conf *conf;             /* the [gateway] section alone */
    bool conf_sound;               /* that section has no mistake */
    struct control_client *client; /* NULL = there is no state directory, so there never was a gateway */
};

/* The exit code of `work`, or EXIT_FAILED. Output that cannot be written is a failure. */
int control_command(const struct command_args *, int (*work)(struct control_command *));

/* 0 and an answer of any status, an exit code after saying why, or -ECONNREFUSED. control_answer_free() in
 * any case. `body` is JSON for a POST; NULL = none. */
int control_ask(struct control_command *, const char *method, const char *target, const char *body,
                struct control_answer *);
/* The answer as a JSON object, or NULL after saying that it is none. cJSON_Delete() it. */
cJSON *control_answer_json(const struct control_answer *);
/*
 * Both: *out is the object of an answer whose status is not an error's, or is `also`. 0, an exit code after
 * saying why, also where the gateway refuses or does not run.
 */
int control_ask_json(struct control_command *, const char *method, const char *target, int also, cJSON **out);

/* Says what a problem answer says. EXIT_FAILED. */
int control_refused(const struct control_answer *);
/* Says that nothing listens, and how to find out why. EXIT_FAILED. */
int control_not_running(const struct control_command *);
/* For a command that works on the files of [gateway] itself: false after saying that the section has
 * mistakes. */
bool control_conf_sound(const struct control_command *);

#endif
