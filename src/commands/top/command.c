/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command.c - `jumpgate top`; see commands.h.
 *
 * Live: the thread of poll.h asks the gateway; this one waits for keys, news and signals in one ppoll(),
 * and draws. Signals are delivered in ppoll() alone, so no handler runs inside the terminal library. Whatever
 * ends the screen, the terminal is restored first; a signal that ends it then ends the process as it would
 * have. A gateway that goes away is said in a line, and the screen goes on.
 *
 * With --once, and where standard output is no terminal: two samples, one interval apart, and one plain
 * screen.
 *
 * Not here: what a sample is (top/sample.h), how it is shown (top/view.h), what keys do (top/keys.h).
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "commands/commands.h"
#include "commands/top/poll.h"
#include "conf/conf.h"
#include "loop/upstream/upstream.h"
#include "top/figures.h"
#include "top/keys.h"
#include "top/terminal.h"
#include "top/view.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ERRORS_MAX     (1U << 20)
#define INTERVAL_S     2.0
#define PLAIN_COLS     132 /* of the plain screen, where COLUMNS says nothing else */
#define PLAIN_COLS_MAX 1000
#define KEYS_AT_ONCE   64 /* before the screen is drawn */

struct top {
    struct view view;
    struct model model;
    struct keys keys;
    bool ascii; /* the locale has no UTF-8 */
};

static volatile sig_atomic_t ended_by, resized;

static int failed(const char *why)
{
    fprintf(stderr, "jumpgate: %s\n", why);
    return EXIT_FAILED;
}

/* ---- once ---- */

static void sleep_for(double seconds)
{
    struct timespec left = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

/* COLUMNS, as scripts set it. */
static size_t plain_cols(void)
{
    const char *columns = getenv("COLUMNS");
    int64_t n;

    return columns && text_int(columns, VIEW_COLS_MIN, PLAIN_COLS_MAX, &n) ? (size_t)n : PLAIN_COLS;
}

static int print_screen(struct top *t)
{
    struct screen s = view_draw(&t->view, &t->model, clock_wall(&clock_system), 0, plain_cols(), t->ascii);
    int code = s.failed ? failed("out of memory") : EXIT_DONE;

    for (size_t i = 0; i < s.n && !code; i++) {
        size_t n = s.lines[i].text.len;

        while (n && s.lines[i].text.data[n - 1] == ' ')
            n--;
        printf("%.*s\n", (int)n, n ? s.lines[i].text.data : "");
    }
    screen_free(&s);
    return code ? code : command_finish_output();
}

static int take_sample(struct top *t, struct top_ask *ask)
{
    char why[TOP_WHY_SIZE];
    int err;
    struct sample *s = top_ask_sample(ask, &err, why);

    if (!s)
        return failed(why);
    return model_take(&t->model, s) ? failed("out of memory") : EXIT_DONE;
}

static int show_once(struct top *t, const char *state_dir)
{
    static const atomic_bool never;
    struct top_ask *ask = top_ask_new(state_dir, &never);
    int code = ask ? take_sample(t, ask) : failed("out of memory");

    if (!code) {
        sleep_for(t->view.interval_s);
        code = take_sample(t, ask);
    }
    top_ask_free(ask);
    return code ? code : print_screen(t);
}

/* ---- live ---- */

static void on_end(int number)
{
    ended_by = number;
}

static void on_resize(int number)
{
    (void)number;
    resized = 1;
}

/* Blocks the signals of the screen outside of ppoll(); `inside` is the mask for it. */
static void set_signals(sigset_t *inside)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction end = {.sa_handler = on_end}, resize = {.sa_handler = on_resize};
    sigset_t blocked;

    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        (void)sigaddset(&blocked, ends[i]);
        (void)sigaction(ends[i], &end, NULL);
    }
    (void)sigaddset(&blocked, SIGWINCH);
    (void)sigaddset(&blocked, SIGTSTP);
    (void)sigaction(SIGWINCH, &resize, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &blocked, inside);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        (void)sigdelset(inside, ends[i]);
    (void)sigdelset(inside, SIGWINCH);
    (void)sigdelset(inside, SIGTSTP);
}

/* Ends the process by this signal, as if it had not been handled. */
static void end_by(int number)
{
    sigset_t one;

    (void)signal(number, SIG_DFL);
    (void)raise(number);
    (void)sigemptyset(&one);
    (void)sigaddset(&one, number);
    (void)sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static void draw(struct top *t)
{
    size_t rows, cols;

    terminal_size(&rows, &cols);
    struct screen s = view_draw(&t->view, &t->model, clock_wall(&clock_system), rows, cols, t->ascii);
    terminal_show(&s);
    screen_free(&s);
}

static void set_away(struct view *v, const struct top_news *news)
{
    char clock[FIGURE_SIZE];

    if (!news->is_away)
        v->away[0] = '\0';
    else if (!*v->away)
        (void)snprintf(v->away, sizeof(v->away), "since %s UTC: %.300s",
                       figure_clock(clock_wall(&clock_system), clock), news->away);
}

static void take_news(struct top *t, struct top_poll *poll)
{
    struct top_news news;

    top_poll_take(poll, &news);
    if (news.sample && model_take(&t->model, news.sample))
        (void)text_copy(t->view.message, sizeof(t->view.message), "out of memory: the screen is not new");
    if (*news.said)
        (void)text_copy(t->view.message, sizeof(t->view.message), news.said);
    set_away(&t->view, &news);
}

/* False = the end. */
static bool take_keys(struct top *t, struct top_poll *poll)
{
    for (int i = 0; i < KEYS_AT_ONCE; i++) {
        uint32_t key = terminal_key();

        if (!key)
            return true;
        switch (key_press(&t->keys, &t->view, key)) {
        case ACTION_QUIT: return false;
        case ACTION_RELEASE:
            (void)text_copy(t->view.message, sizeof(t->view.message), "releasing");
            top_poll_release(poll, t->keys.release_id);
            break;
        case ACTION_TIMING: top_poll_timing(poll, t->view.interval_s, t->view.paused); break;
        case ACTION_NONE: break;
        }
        if (lease_list_make(&t->view.leases, t->model.now)) /* the next key may be about another lease */
            return false;
    }
    return true;
}

/* The time left counts down each second, also between samples and while paused. */
static int wait_for_news(struct top_poll *poll, const sigset_t *inside)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = top_poll_fd(poll), .events = POLLIN}};
    struct timespec second = {.tv_sec = 1};

    int n = ppoll(fds, sizeof(fds) / sizeof(fds[0]), &second, inside);
    return n > 0 && fds[0].revents & (POLLHUP | POLLERR | POLLNVAL) ? -ENOTTY : 0;
}

static void show_live(struct top *t, struct top_poll *poll, const sigset_t *inside)
{
    bool goes_on = true;

    while (goes_on && !ended_by) {
        draw(t);
        if (wait_for_news(poll, inside))
            return; /* the terminal is gone */
        if (resized) {
            resized = 0;
            terminal_resized();
        }
        take_news(t, poll);
        goes_on = take_keys(t, poll);
    }
}

/* What is certain not to get better is said before the screen begins. */
static int check_access(const char *state_dir)
{
    static const atomic_bool never;
    struct top_ask *ask = top_ask_new(state_dir, &never);
    char why[TOP_WHY_SIZE];
    int err;

    if (!ask)
        return failed("out of memory");
    sample_free(top_ask_sample(ask, &err, why));
    top_ask_free(ask);
    return err == -EACCES || err == -EPERM ? failed(why) : EXIT_DONE;
}

static int run_live(struct top *t, const char *state_dir)
{
    const char *no_color = getenv("NO_COLOR");
    sigset_t inside;
    int code = check_access(state_dir);

    if (code)
        return code;
    set_signals(&inside);
    struct top_poll *poll = top_poll_start(state_dir, t->view.interval_s);
    if (!poll)
        return failed("out of memory");
    if (terminal_open(!no_color || !*no_color)) {
        show_live(t, poll, &inside);
        terminal_close();
    } else {
        code = failed(
            "the terminal's kind (TERM) is not known, or cannot place a cursor; --once prints one screen");
    }
    top_poll_stop(poll);
    if (ended_by)
        end_by(ended_by);
    return code;
}

/* ---- the command line ---- */

static bool read_interval(const char *text, double *out)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && !*end && *out >= INTERVAL_MIN_S && *out <= INTERVAL_MAX_S;
}

static struct conf *load_conf(const char *path)
{
    struct buf errors = BUF_INIT(ERRORS_MAX);
    struct conf *conf = NULL;
    bool sound; /* the state directory alone is needed */

    if (conf_load_control(path, &conf, &sound, &errors) && errors.len)
        (void)fwrite(errors.data, 1, errors.len, stderr);
    buf_free(&errors);
    return conf;
}

static int run_top(struct top *t, const struct command_args *args, const char *state_dir)
{
    bool live = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !args_given(args, "--once");

    (void)setlocale(LC_CTYPE, "");
    t->ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    int code = live ? run_live(t, state_dir) : show_once(t, state_dir);

    model_end(&t->model);
    lease_list_free(&t->view.leases);
    return code;
}

int command_top(const struct command_args *args)
{
    const char *interval = args_value(args, "--interval");
    struct top t = {.view = {.interval_s = INTERVAL_S}};

    model_init(&t.model);
    if (interval && !read_interval(interval, &t.view.interval_s))
        return args_wrong(args, "--interval needs seconds from %.1f to %.0f", INTERVAL_MIN_S, INTERVAL_MAX_S);
    json_init();
    if (upstream_global_init())
        return failed("libcurl cannot be initialised");
    struct conf *conf = load_conf(args->conf);
    int code = conf ? run_top(&t, args, conf->gateway.state_dir) : EXIT_FAILED;
    conf_free(conf);
    upstream_global_cleanup();
    return code;
}
