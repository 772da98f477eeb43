/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox.c - the sandbox of session reports, in two steps; see sandbox.h.
 */
#include "reports/commands/run/sandbox.h"

#include "base/log.h"
#include "base/sandbox_paths.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#define FIRST_FREE_PORT 1024

static void allow_configured(struct sandbox_paths *f, const struct reports_conf *conf, const char *conf_file)
{
    const struct reports_main *m = &conf->reports;
    const struct reports_database *b = &conf->database;
    const struct reports_web *w = &conf->web;
    const char *const files[] = {
        conf_file,        w->tls_certificate,    w->tls_key, w->client_ca, w->client_crl,
        b->password_file, b->read_password_file, b->ca_file};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        sandbox_paths_file(f, files[i], SANDBOX_READ);
    for (size_t i = 0; i < conf->nsites; i++) {
        sandbox_paths_file(f, conf->sites[i].client_secret_file, SANDBOX_READ);
        sandbox_paths_file(f, conf->sites[i].ca_file, SANDBOX_READ);
    }
    for (size_t i = 0; i < conf->ngateways; i++)
        sandbox_paths_file(f, conf->gateways[i].audit, SANDBOX_READ);
    sandbox_paths_path(f, m->state_dir, SANDBOX_READ | SANDBOX_WRITE | SANDBOX_SOCKET);
    if (b->type == REPORTS_SQLITE)
        sandbox_paths_file(f, b->path, SANDBOX_READ | SANDBOX_WRITE);
    sandbox_paths_file(f, m->audit_file, SANDBOX_READ | SANDBOX_WRITE);
    if (strcmp(m->log_file, "-") != 0)
        sandbox_paths_file(f, m->log_file, SANDBOX_WRITE);
}

/* `server` is the folder of the socket. Connecting takes no right of Landlock's. */
static bool database_is_on_unix_socket(const struct reports_conf *conf)
{
    const struct reports_database *b = &conf->database;

    return b->type != REPORTS_SQLITE && b->server && *b->server == '/';
}

static bool is_wanted(const struct reports_conf *conf)
{
    return conf->reports.sandbox != REPORTS_SANDBOX_OFF && sandbox_possible();
}

static int give_up_failed(char why[REPORTS_SANDBOX_WHY], const char *what, int err)
{
    (void)snprintf(why, REPORTS_SANDBOX_WHY, "%s cannot be given up (%s); `sandbox = off` does without", what,
                   strerror(-err));
    return err;
}

static void log_files(int version)
{
    if (version == 0)
        log_warn("sandbox_files", "landlock=%s hint=%s", "none",
                 "this kernel cannot keep the program to its own files; file permissions alone do");
    else
        log_info("sandbox_files", "landlock=%d", version);
}

int reports_sandbox_start(const struct reports_conf *conf, const char *conf_file,
                          char why[REPORTS_SANDBOX_WHY])
{
    bool low_port =
        conf->web.address.text && conf->web.address.port && conf->web.address.port < FIRST_FREE_PORT;
    struct sandbox_paths *paths;
    int err, version;

    err = sandbox_capabilities(low_port ? UINT64_C(1) << CAP_NET_BIND_SERVICE : 0);
    if (err)
        return give_up_failed(why, "capabilities", err);
    if (conf->reports.sandbox != REPORTS_SANDBOX_ON || !is_wanted(conf))
        return 0; /* Landlock has no mode that only logs */
    paths = sandbox_paths_new(16 + 2 * conf->nsites + conf->ngateways);
    if (paths)
        allow_configured(paths, conf, conf_file);
    version = sandbox_paths_restrict(paths);
    if (version < 0)
        return give_up_failed(why, "files", version);
    log_files(version);
    return 0;
}

int reports_sandbox_serve(const struct reports_conf *conf, char why[REPORTS_SANDBOX_WHY])
{
    bool only_log = conf->reports.sandbox == REPORTS_SANDBOX_LOG;
    int err = sandbox_capabilities(0);

    if (err)
        return give_up_failed(why, "capabilities", err);
    if (!is_wanted(conf)) {
        log_warn("sandbox", "mode=%s", "off");
        return 0;
    }
    sandbox_load_modules();
    err = sandbox_calls((only_log ? SANDBOX_ONLY_LOG : 0U) |
                        (database_is_on_unix_socket(conf) ? SANDBOX_UNIX_STREAMS : 0U));
    if (err)
        return give_up_failed(why, "system calls", err);
    log_info("sandbox", "mode=%s", only_log ? "log" : "on");
    return 0;
}
