/* SPDX-License-Identifier: Apache-2.0 */
/*
 * password_prompt.c - a new password; see password_prompt.h.
 *
 * It is read byte by byte into the memory of secrets, past the buffers of stdio. Where a signal ends the
 * program, the terminal shows letters again.
 */
#include "reports/commands/password_prompt.h"

#include "base/utf8.h"
#include "commands/line/command_line.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define SECRETS_MAX (4U << 20)

/* ---- a line ---- */

/* The next line without its end. 0, -EMSGSIZE, -ENODATA at the end of input, -errno. */
static int read_line(int fd, struct secret *line)
{
    char *bytes = secret_alloc(PASSWORD_MAX + 1);
    size_t n = 0;
    int err = bytes ? 0 : -ENOMEM;

    while (!err) {
        char c;
        ssize_t got = read(fd, &c, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = -errno;
        else if (got == 0 && !n)
            err = -ENODATA;
        else if (got == 0 || c == '\n')
            break;
        else if (n == PASSWORD_MAX)
            err = -EMSGSIZE;
        else
            bytes[n++] = c;
    }
    if (!err && n && bytes[n - 1] == '\r')
        n--;
    if (!err)
        err = secret_set(line, bytes, n);
    secret_free(bytes);
    return err;
}

/* ---- the terminal ---- */

static int terminal = -1;
static struct termios shown;

static void on_signal(int signum)
{
    (void)tcsetattr(terminal, TCSAFLUSH, &shown);
    (void)signal(signum, SIG_DFL);
    (void)raise(signum);
}

static int ask(const char *question, const char *user, struct secret *line)
{
    int err;

    (void)dprintf(terminal, "%s%s: ", question, user);
    err = read_line(terminal, line);
    (void)dprintf(terminal, "\n");
    return err;
}

static int ask_twice(const char *user, struct secret *password)
{
    struct secret again = {0};
    int err = ask("Password for ", user, password);

    if (!err)
        err = ask("The same once more for ", user, &again);
    if (!err && !secret_equal(password, again.p, again.len))
        err = -EKEYREJECTED;
    secret_clear(&again);
    return err;
}

static int ask_hidden(const char *user, struct secret *password)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct termios hidden;
    int err;

    terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0 || tcgetattr(terminal, &shown))
        return -ENOTTY;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], on_signal);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    err = tcsetattr(terminal, TCSAFLUSH, &hidden) ? -errno : ask_twice(user, password);
    (void)tcsetattr(terminal, TCSAFLUSH, &shown);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        (void)signal(signals[i], SIG_DFL);
    (void)close(terminal);
    return err;
}

/* ---- the password ---- */

static const char *why_not(int err)
{
    switch (err) {
    case -ENOTTY: return "there is no terminal to ask on; use --password-stdin";
    case -EMSGSIZE: return "the password is longer than 1024 bytes";
    case -ENODATA: return "there is no password";
    case -EKEYREJECTED: return "the two passwords differ";
    case -EILSEQ: return "the password is not valid UTF-8";
    default: return strerror(-err);
    }
}

static int make_text(const char *user, bool from_stdin, char text[PASSWORD_TEXT_SIZE])
{
    struct secret password = {0};
    int err = from_stdin ? read_line(STDIN_FILENO, &password) : ask_hidden(user, &password);

    if (!err && !password.len)
        err = -ENODATA;
    if (!err && !utf8_valid(password.p, password.len)) /* a browser sends UTF-8 */
        err = -EILSEQ;
    if (!err)
        err = password_make(password.p, password.len, text);
    secret_clear(&password);
    return err;
}

int password_prompt(const char *user, bool from_stdin, char text[PASSWORD_TEXT_SIZE])
{
    char hint[256] = "";
    int err = secret_init();

    if (!err)
        err = secret_open(SECRETS_MAX, hint);
    if (!err)
        err = make_text(user, from_stdin, text);
    (void)secret_close();
    return err ? command_failed(why_not(err)) : EXIT_DONE;
}
