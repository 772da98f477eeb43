/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets.c - where a secret comes from; see setup.h.
 *
 * A secret is never a word of the command line, which every user of the machine can read. It is a line of a
 * file, of standard input, or of the terminal with echo off. While echo is off the terminal sends no signals:
 * ^C is read as a byte, so that echo is on again before the command ends.
 */
#include "commands/setup/setup.h"

#include "base/digest.h"
#include "base/text.h"

#include <errno.h>
#include <openssl/rand.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define TOKEN_BYTES 32
#define CTRL_C      0x03
#define CTRL_D      0x04

/* Up to the end of the line or of the input. */
static int read_input(struct secret *out, bool to_end)
{
    char *line = secret_alloc(SECRET_LINE_MAX + 2);
    size_t n = 0;
    int err = line ? 0 : -ENOMEM;

    while (!err && n < SECRET_LINE_MAX + 1) {
        ssize_t got = read(STDIN_FILENO, line + n, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = -errno;
        else if (got == 0 || line[n] == CTRL_D)
            err = n || to_end ? 0 : -ENODATA;
        else if (line[n] == CTRL_C)
            err = -EINTR;
        if (err || got == 0 || line[n] == CTRL_D || line[n] == '\n')
            break;
        n++;
    }
    while (!err && n && line[n - 1] == '\r')
        n--;
    if (!err && n > SECRET_LINE_MAX)
        err = -EMSGSIZE;
    if (!err)
        err = secret_set(out, line, n);
    secret_free(line);
    return err;
}

/* Without echo where it is a terminal. */
static int read_silent(struct secret *out, bool to_end)
{
    struct termios before, silent;
    bool changed = false;
    int err;

    if (tcgetattr(STDIN_FILENO, &before) == 0) {
        silent = before;
        silent.c_lflag &= (tcflag_t) ~(ECHO | ISIG);
        changed = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
        if (!changed)
            return -EIO;
    }
    err = read_input(out, to_end);
    if (changed) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    return err;
}

bool setup_is_line(const struct secret *s)
{
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->p[i] < 0x20 || s->p[i] == 0x7f)
            return false;
    return true;
}

int setup_secret_file(struct secret *out, const char *path, char why[SETUP_WHY_SIZE])
{
    char fault[80] = "";
    int err;

    if (strcmp(path, "-") != 0) {
        err = secret_read_line(out, path, fault);
        if (err)
            (void)snprintf(why, SETUP_WHY_SIZE, "the file %.300s: %s", path, fault);
        return err;
    }
    if (isatty(STDIN_FILENO) == 1)
        fputs("The secret, which is not shown: ", stderr);
    err = read_silent(out, true);
    if (!err && !out->len)
        err = -ENODATA;
    if (!err && !setup_is_line(out))
        err = -EINVAL;
    if (err)
        (void)snprintf(why, SETUP_WHY_SIZE, "standard input: %s",
                       err == -EINTR     ? "interrupted"
                       : err == -ENODATA ? "it is empty"
                       : err == -EINVAL  ? "it holds a control character"
                                         : strerror(-err));
    return err;
}

int setup_read_line(struct secret *out, bool echo)
{
    return echo ? read_input(out, false) : read_silent(out, false);
}

int setup_make_token(struct setup *s)
{
    unsigned char random[TOKEN_BYTES], digest[DIGEST_SIZE];
    char *text = secret_alloc(2 * TOKEN_BYTES + 1);
    int err = text ? 0 : -ENOMEM;

    if (!err && RAND_priv_bytes(random, sizeof(random)) != 1)
        err = -EIO;
    if (!err) {
        text_hex(text, random, sizeof(random));
        err = secret_set(&s->token, text, 2 * TOKEN_BYTES);
    }
    if (!err)
        err = digest_sha256(s->token.p, s->token.len, digest);
    if (!err)
        text_hex(s->token_sha256, digest, sizeof(digest));
    wipe(random, sizeof(random));
    secret_free(text);
    return err;
}
