/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main.c - jumpgate-sim: runs worlds by their seeds, and says what happened in them.
 *
 * Exit codes: 0 every world kept every promise, 1 one did not (its shortest script is printed, and saved with
 * --save), 2 the command line is wrong.
 */
#include "gateway_run.h"
#include "log_watch.h"
#include "shrink.h"
#include "vfs.h"
#include "world.h"

#include "base/log.h"
#include "base/sanitized.h"

#include <inttypes.h>
#if SANITIZED
#include <sanitizer/common_interface_defs.h>
#endif
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_WATCH_EVERY 16 /* seeds: writing the log takes time */

struct options {
    uint64_t first, last;
    double seconds; /* CPU; 0 = no limit */
    bool trace, twice, no_shrink, go_on, log;
    void (*make)(struct script *, uint64_t seed);
    const char *save;
    const char *const *replay; /* files */
    int nreplay;
};

struct totals {
    uint64_t seeds, simulated_ms;
    struct counts *counts;
};

/* ---- a process that ends in the midst of a world ---- */

static struct {
    bool runs;
    char line[64];
    size_t length;
} in_world;

static void enter_world(uint64_t seed)
{
    int n = snprintf(in_world.line, sizeof in_world.line, "seed %" PRIu64 ": the process ended by itself\n",
                     seed);

    in_world.length = (size_t)n;
    in_world.runs = true;
}

static void say_seed(void)
{
    if (in_world.runs && write(STDOUT_FILENO, in_world.line, in_world.length) < 0)
        _exit(1);
}

static void on_exit_call(void)
{
    say_seed();
    if (in_world.runs)
        _exit(1);
}

static void on_crash(int signum)
{
    say_seed();
    (void)signal(signum, SIG_DFL);
    (void)raise(signum);
}

static void watch_ends(void)
{
    if (atexit(on_exit_call) || signal(SIGABRT, on_crash) == SIG_ERR)
        abort();
#if SANITIZED
    __sanitizer_set_death_callback(say_seed);
#else
    if (signal(SIGSEGV, on_crash) == SIG_ERR)
        abort();
#endif
}

/* ---- worlds ---- */

static double cpu_seconds(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int usage(FILE *to)
{
    (void)fputs("usage: jumpgate-sim [--seed N | --seeds A..B | --seconds S [--seeds A..]] "
                "[--cluster | --keyed] [--trace]\n"
                "                    [--log] [--twice] [--save FILE] [--no-shrink] [--go-on]\n"
                "       jumpgate-sim [--trace] --replay FILE...\n\n"
                "Runs the gateway in simulated worlds. docs/simulation.md says what is simulated.\n\n"
                "  --seed N       one world\n"
                "  --seeds A..B   the worlds of these seeds; A.. has no end\n"
                "  --seconds S    as many as fit into S seconds of CPU time\n"
                "  --cluster      worlds of several gateways with one etcd\n"
                "  --keyed        worlds with a vault without numbers, ends and marks\n"
                "  --trace        every line of what happens\n"
                "  --twice        each world twice: both runs must be the same\n"
                "  --replay FILE  the scripts of these files\n"
                "  --save FILE    where the shortest failing script goes\n"
                "  --no-shrink    a failing script as it is\n"
                "  --go-on        no stop at a failing seed: one line for each\n",
                to);
    return 2;
}

static void save(const struct script *s, const char *path)
{
    FILE *f = path ? fopen(path, "w") : NULL;

    if (f) {
        script_write(s, f);
        (void)fclose(f);
    }
}

/* The shortest script and its trace. */
static void report(struct script *s, const struct options *o)
{
    struct counts *counts = counts_new();
    struct world_result result;
    char failure[512];

    if (!o->no_shrink && shrink_fails(s, failure))
        shrink(s, failure);
    (void)printf("\n--- the script, %zu acts ---\n", s->n);
    script_write(s, stdout);
    save(s, o->save);
    (void)printf("--- its trace ---\n");
    (void)fflush(stdout);
    world_run(s, stdout, counts, &result);
    (void)printf("--- %s ---\n", result.failed ? result.failure : "it does not fail in this process");
    counts_free(counts);
}

static bool run_script(struct script *s, const struct options *o, struct totals *t)
{
    struct world_result result, again;
    bool watch = s->seed % LOG_WATCH_EVERY == 0 && !o->log;

    if (watch)
        log_watch_begin();
    enter_world(s->seed);
    world_run(s, o->trace ? stdout : NULL, t->counts, &result);
    const char *leak = watch ? log_watch_end() : NULL;
    if (leak) {
        (void)printf("seed %" PRIu64 ": the log has a secret: %s\n", s->seed, leak);
        return false;
    }
    if (o->twice && !result.failed)
        world_run(s, NULL, t->counts, &again);
    in_world.runs = false;
    if (o->twice && !result.failed) {
        if (again.trace_hash != result.trace_hash) {
            (void)printf("seed %" PRIu64 ": two runs differ\n", s->seed);
            return false;
        }
    }
    t->seeds++;
    t->simulated_ms += result.simulated_ms;
    if (!result.failed)
        return true;
    (void)printf("seed %" PRIu64 ": %s\n", s->seed, result.failure);
    (void)fflush(stdout);
    if (!o->go_on)
        report(s, o);
    return false;
}

static bool run_seeds(const struct options *o, struct totals *t)
{
    bool all = true;

    for (uint64_t seed = o->first; seed <= o->last && (o->seconds <= 0 || cpu_seconds() < o->seconds);
         seed++) {
        struct script s;

        (o->make ? o->make : script_make)(&s, seed);
        bool good = run_script(&s, o, t);
        script_free(&s);
        all &= good;
        if (!all && !o->go_on)
            break;
    }
    return all;
}

static bool run_files(const struct options *o, struct totals *t)
{
    bool all = true;

    for (int i = 0; i < o->nreplay; i++) {
        FILE *f = fopen(o->replay[i], "r");
        struct script s;

        if (!f || !script_read(&s, f)) {
            (void)fprintf(stderr, "%s: no script\n", o->replay[i]);
            return false;
        }
        (void)fclose(f);
        (void)printf("%s\n", o->replay[i]);
        all &= run_script(&s, o, t);
        script_free(&s);
    }
    return all;
}

static void print_totals(struct totals *t)
{
    double cpu = cpu_seconds(), hours = (double)t->simulated_ms / 3600000;

    counts_write(t->counts, stdout);
    (void)printf("\n%" PRIu64 " worlds, %.0f simulated hours in %.1f s of CPU time: %.0f hours a minute\n",
                 t->seeds, hours, cpu, hours / cpu * 60);
}

static bool read_seeds(const char *text, struct options *o)
{
    char *end;

    o->first = strtoull(text, &end, 10);
    o->last = UINT64_MAX - 1;
    if (end == text || strncmp(end, "..", 2) != 0)
        return false;
    if (end[2])
        o->last = strtoull(end + 2, &end, 10);
    return !*end || end[2] == '\0';
}

static bool read_option(int argc, char **argv, int *i, struct options *o)
{
    const char *name = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : NULL;

    if (strcmp(name, "--trace") == 0)
        return o->trace = true;
    if (strcmp(name, "--cluster") == 0)
        return (o->make = script_make_cluster) != NULL;
    if (strcmp(name, "--keyed") == 0)
        return (o->make = script_make_keyed) != NULL;
    if (strcmp(name, "--log") == 0)
        return o->log = true;
    if (strcmp(name, "--twice") == 0)
        return o->twice = true;
    if (strcmp(name, "--no-shrink") == 0)
        return o->no_shrink = true;
    if (strcmp(name, "--go-on") == 0)
        return o->go_on = true;
    if (!value)
        return false;
    ++*i;
    if (strcmp(name, "--seed") == 0) {
        o->first = o->last = strtoull(value, NULL, 10);
        return true;
    }
    if (strcmp(name, "--seeds") == 0)
        return read_seeds(value, o);
    if (strcmp(name, "--seconds") == 0)
        return (o->seconds = strtod(value, NULL)) > 0;
    if (strcmp(name, "--save") == 0)
        return (o->save = value);
    if (strcmp(name, "--replay") != 0)
        return false;
    o->replay = (const char *const *)&argv[*i];
    o->nreplay = argc - *i;
    *i = argc;
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.first = 1, .last = 100};
    struct totals t = {.counts = counts_new()};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return usage(stdout), 0;
        if (!read_option(argc, argv, &i, &o))
            return usage(stderr);
    }
    if (o.seconds > 0 && o.last == 100)
        o.last = UINT64_MAX - 1;
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    watch_ends();
    vfs_register();
    gateway_run_configure();
    gateway_run_log(o.log, o.log ? "-" : "/dev/null");
    bool good = o.nreplay ? run_files(&o, &t) : run_seeds(&o, &t);
    if (good || o.go_on)
        print_totals(&t);
    counts_free(t.counts);
    log_close();
    gateway_run_unconfigure();
    return good ? 0 : 1;
}
