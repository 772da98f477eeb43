/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c - `jumpgate setup`: the order of the first run; see setup.h.
 *
 *   answers --> keys, certificates, texts --> shown (--dry-run ends here) --> files --> check --> doctor
 *
 * What check or doctor refuse is removed. On a terminal the questions may be asked again then, with the
 * answers so far as defaults.
 *
 * check and doctor are this program itself, run as the operator would run it, with a directory of
 * credentials that the gateway's user can read (trial.c). While files are made and tried the signals
 * that end a command wait, so that a command that is interrupted removes what it has made.
 */
#include "commands/commands.h"
#include "commands/line/terminal.h"
#include "commands/setup/setup.h"

#include "base/log.h"
#include "base/sandbox.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

/* Exit codes of the doctor (docs/doctor.md): what comes after the sign-in is a matter of the one user and
 * host, or of permissions at the site, and the files are right all the same. */
#define DOCTOR_ROLE      17
#define DOCTOR_SITE      30
#define DOCTOR_SITE_MORE 37

extern char **environ;

static int failed(const char *why)
{
    fprintf(stderr, "jumpgate: %s\n", why);
    return EXIT_FAILED;
}

/* ---- before anything ---- */

/* Absolute and without a slash at its end, since the texts name it. */
static bool take_root(struct setup *s)
{
    const char *root = args_value(s->args, "--root");
    char real[PATH_MAX];

    s->plan.group = (gid_t)-1;
    if (!root)
        return true;
    if (!realpath(root, real))
        fprintf(stderr, "jumpgate: %s: %s\n", root, strerror(errno));
    else if (!text_copy(s->root, sizeof(s->root), strcmp(real, "/") == 0 ? "" : real))
        fprintf(stderr, "jumpgate: %s is too long\n", root);
    else
        return true;
    return false;
}

static int check_machine(struct setup *s)
{
    const struct group *group;

    if (*s->root)
        return EXIT_DONE;
    if (geteuid() != 0)
        return failed("setup writes to /etc: run it as root, or with --dry-run or --root DIR");
    group = getgrnam(SETUP_GATEWAY_GROUP);
    if (group)
        s->plan.group = group->gr_gid; /* the next getgrnam() overwrites *group */
    if (!group || !getgrnam(SETUP_CLIENTS_GROUP))
        return failed("the groups " SETUP_GATEWAY_GROUP " and " SETUP_CLIENTS_GROUP
                      " are missing: install the package, or run systemd-sysusers");
    return EXIT_DONE;
}

/* ---- the plan ---- */

static int add_authority(struct setup *s, enum setup_key key, const char *name)
{
    struct buf pem = BUF_INIT(SETUP_TEXT_MAX * 16);
    const char *path = setup_answer(s, key);
    FILE *in = *path ? fopen(path, "re") : NULL;
    char part[4096];
    size_t n = 0;
    int err = *path && !in ? -errno : 0;

    while (in && !pem.failed && (n = fread(part, 1, sizeof(part), in)) > 0)
        (void)buf_append(&pem, part, n);
    if (in && ferror(in))
        err = -EIO;
    if (in)
        (void)fclose(in);
    if (!err && in && !setup_add(s, 0644, &pem, "/etc/jumpgate/tls/%s.pem", name))
        err = -ENOMEM;
    buf_free(&pem);
    return err;
}

static void add_folders(struct setup *s)
{
    if (*s->root)
        setup_folder(s, 0755, false, "/etc");
    setup_folder(s, 0750, true, "/etc/jumpgate");
    setup_folder(s, 0700, false, "/etc/jumpgate/secrets");
    setup_folder(s, 0750, true, "/etc/jumpgate/tls");
    if (*s->root) {
        setup_folder(s, 0755, false, "/etc/systemd");
        setup_folder(s, 0755, false, "/etc/systemd/system");
        setup_folder(s, 0755, false, "/var");
        setup_folder(s, 0755, false, "/var/lib"); /* the gateway makes its state directory in it */
    }
    setup_folder(s, 0755, false, "/etc/systemd/system/jumpgate.service.d");
}

static int make_plan(struct setup *s)
{
    int err = setup_is(s, SETUP_CLIENT_BY, "token") ? setup_make_token(s) : 0;

    add_folders(s);
    if (!err)
        err = add_authority(s, SETUP_VAULT_CA, "vault-ca");
    if (!err)
        err = add_authority(s, SETUP_PRA_CA, "pra-ca");
    if (!err)
        err = setup_certificates(s);
    if (!err)
        err = setup_texts(s);
    if (!err)
        err = setup_trial(s);
    if (err)
        fprintf(stderr, "jumpgate: setup: %s\n", strerror(-err));
    return err ? EXIT_FAILED : EXIT_DONE;
}

/* ---- check and doctor ---- */

/* The exit code of this program with these words; -1 = it did not end by itself. */
static int run_self(const char *const *words)
{
    posix_spawnattr_t how;
    sigset_t none;
    pid_t child = 0;
    int status = 0, err;

    (void)fflush(stdout);
    (void)sigemptyset(&none);
    if (posix_spawnattr_init(&how))
        return -1;
    err = posix_spawnattr_setsigmask(&how, &none);
    if (!err)
        err = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    if (!err) /* the words are not written to */
        err = posix_spawn(&child, SELF, NULL, &how, (char *const *)(uintptr_t)words, environ);
    (void)posix_spawnattr_destroy(&how);
    if (err)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool is_fault(int code)
{
    return code < 0 || (code > 0 && code < DOCTOR_ROLE) || (code >= DOCTOR_SITE && code < DOCTOR_SITE_MORE);
}

static bool ask_vault(const struct setup *s, const char *conf)
{
    const char *const doctor[] = {"jumpgate", "doctor",
                                  "-c",       conf,
                                  "--user",   setup_answer(s, SETUP_USER),
                                  "--host",   setup_answer(s, SETUP_HOST),
                                  NULL};
    const char *const site[] = {"jumpgate", "doctor", "-c", conf, "--pra", NULL};
    int code;

    if (!*setup_answer(s, SETUP_USER)) {
        fputs("The vault was not asked: no --user. `jumpgate doctor --user USER --host HOST` does.\n",
              stdout);
        return true;
    }
    code = run_self(doctor);
    if (code >= DOCTOR_ROLE && code < DOCTOR_SITE && *setup_answer(s, SETUP_PRA_URL) &&
        is_fault(run_self(site)))
        return false; /* the code is that of the first fault, and the site's come later */
    if (is_fault(code))
        return false;
    if (code)
        fputs(
            "\nAddress, certificate and sign-in are right; the files are kept. See above for what is left.\n",
            stdout);
    return true;
}

static bool try_it(struct setup *s, char why[SETUP_WHY_SIZE])
{
    char conf[PATH_MAX], secrets[PATH_MAX];
    const char *const check[] = {"jumpgate", "check", "-c", conf, NULL};

    (void)snprintf(conf, sizeof(conf), "%s/etc/jumpgate/jumpgate.conf", s->root);
    if (!setup_trial_credentials(s, secrets) || setenv("CREDENTIALS_DIRECTORY", secrets, 1) != 0) {
        (void)snprintf(why, SETUP_WHY_SIZE, "out of memory");
        return false;
    }
    if (run_self(check) != 0) {
        (void)snprintf(why, SETUP_WHY_SIZE, "`jumpgate check` found mistakes, see above");
        return false;
    }
    if (args_given(s->args, "--no-connect") || ask_vault(s, conf))
        return true;
    (void)snprintf(why, SETUP_WHY_SIZE,
                   "the vault or the site could not be used, see above; --no-connect writes the files "
                   "without asking them");
    return false;
}

/* ---- files ---- */

static void hold_signals(sigset_t *before)
{
    sigset_t ends;

    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGHUP);
    (void)sigaddset(&ends, SIGQUIT);
    (void)sigaddset(&ends, SIGTSTP);
    (void)sigprocmask(SIG_BLOCK, &ends, before);
}

static int make_files(struct setup *s)
{
    char why[SETUP_WHY_SIZE] = "";
    sigset_t before;
    bool made, good;

    hold_signals(&before);
    made = setup_plan_make(s, why);
    good = made && try_it(s, why);
    if (made && !good)
        setup_plan_undo(s);
    else if (good)
        setup_plan_keep(s);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (good)
        return EXIT_DONE;
    fprintf(stderr, "jumpgate: %s\njumpgate: nothing of it is left\n", why);
    return EXIT_FAILED;
}

static void list_files(const struct setup *s)
{
    fputs("\nThese files will be written:\n", stderr);
    for (size_t i = 0; i < s->plan.n; i++)
        if (!s->plan.files[i].folder && !s->plan.files[i].trial)
            fprintf(stderr, "    %s\n", s->plan.files[i].path);
}

/* What was answered on the terminal is not lost: the questions may be asked again, with it as defaults. */
static int make_files_until_good(struct setup *s, bool terminal)
{
    int code = make_files(s);

    while (code == EXIT_FAILED && s->asked && terminal_ask("Change the answers and try again?")) {
        char why[SETUP_WHY_SIZE] = "";

        code = setup_ask_all(s, terminal);
        setup_plan_free(s);
        if (!code)
            code = make_plan(s);
        if (code)
            return code;
        code = setup_plan_possible(s, why) ? make_files(s) : failed(why);
    }
    return code;
}

static int carry_out(struct setup *s, bool terminal)
{
    char why[SETUP_WHY_SIZE] = "";
    bool dry = args_given(s->args, "--dry-run");
    int code = make_plan(s);

    if (code)
        return code;
    if (!setup_plan_possible(s, why))
        return failed(why);
    if (dry) {
        setup_plan_show(s, stdout);
        return command_finish_output();
    }
    if (terminal) {
        list_files(s);
        if (!terminal_ask("Write them?"))
            return failed("nothing was written");
    }
    code = make_files_until_good(s, terminal);
    if (code)
        return code;
    setup_say_next(s, stdout);
    return command_finish_output();
}

static void setup_free(struct setup *s)
{
    for (int key = 0; key < SETUP_NKEYS; key++) {
        free(s->answers[key]);
        secret_clear(&s->secrets[key]);
    }
    secret_clear(&s->token);
    setup_plan_free(s);
    free(s);
}

int command_setup(const struct command_args *args)
{
    struct setup *s = calloc(1, sizeof(*s));
    bool terminal = terminal_can_ask();
    int code;

    if (!s || secret_init() || sandbox_no_dumps() || signal(SIGPIPE, SIG_IGN) == SIG_ERR ||
        signal(SIGXFSZ, SIG_IGN) == SIG_ERR) {
        free(s);
        return failed("setup cannot start");
    }
    s->args = args;
    code = take_root(s) ? EXIT_DONE : EXIT_USAGE;
    if (!code && !args_given(args, "--dry-run"))
        code = check_machine(s);
    if (!code)
        code = setup_ask_all(s, terminal);
    if (!code)
        code = carry_out(s, terminal);
    setup_free(s);
    (void)secret_close();
    return code;
}
