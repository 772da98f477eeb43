/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_policy.c - the sandbox of a gateway with this configuration, in two steps.
 *
 *   sandbox_policy_start   no new privileges; only the capabilities that opening the configured listeners
 *                          needs; files: those the configuration names, and those the C library, OpenSSL
 *                          and libcurl read to resolve names and to check certificates
 *   sandbox_policy_serve   no capabilities; the list of system calls
 *
 * Files are allowed by directory, because certificates, keys, logs and resolv.conf are renewed by renaming: a
 * rule for a file would apply to the old file alone. A link is allowed together with the directory of its
 * target.
 *
 * Consequences for operators (docs/security.md): a gateway that runs as root has root's uid and not root's
 * capabilities, so root must own the files that it needs (with `sandbox = off`, --allow-root keeps the
 * capabilities); a reload cannot open a port under 1024, and cannot name a file in a directory that the first
 * configuration did not name.
 */
#include "commands/run/sandbox_policy.h"

#include "base/durable.h"
#include "base/log.h"
#include "base/sandbox_paths.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIRST_FREE_PORT 1024

static void allow_configured(struct sandbox_paths *f, const struct conf *conf,
                             const struct passed_sockets *passed, const char *conf_file)
{
    const struct conf_gateway *g = &conf->gateway;

    sandbox_paths_file(f, conf_file, SANDBOX_READ);
    /* A rule needs an existing directory. If it cannot be made, the store reports why. */
    (void)durable_directory(g->state_dir);
    sandbox_paths_path(f, g->state_dir, SANDBOX_READ | SANDBOX_WRITE | SANDBOX_SOCKET);
    sandbox_paths_file(f, g->audit_file, SANDBOX_READ | SANDBOX_WRITE);
    if (strcmp(g->log_file, "-") != 0)
        sandbox_paths_file(f, g->log_file, SANDBOX_WRITE);
    for (size_t i = 0; i < conf->nlisteners; i++) {
        const struct conf_listener *l = &conf->listeners[i];
        const char *const files[] = {l->tls_certificate, l->tls_key, l->client_ca, l->client_crl};

        if (l->is_unix && !passed_socket_of(passed, l->name))
            sandbox_paths_file(f, l->host, SANDBOX_SOCKET);
        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
            sandbox_paths_file(f, files[k], SANDBOX_READ);
    }
    for (size_t i = 0; i < conf->nvaults; i++) {
        const struct conf_vault *v = &conf->vaults[i];
        const char *const files[] = {
            v->api_key_file,       v->run_as_password_file, v->oauth_client_secret_file,
            v->client_certificate, v->client_key,           v->ca_file,
            v->profile_file,       v->login_password_file};

        for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++)
            sandbox_paths_file(f, files[k], SANDBOX_READ);
    }
    for (size_t i = 0; i < conf->naccesses; i++) /* many sections may name one file */
        if (!i || !conf->accesses[i - 1].users_file || !conf->accesses[i].users_file ||
            strcmp(conf->accesses[i].users_file, conf->accesses[i - 1].users_file) != 0)
            sandbox_paths_file(f, conf->accesses[i].users_file, SANDBOX_READ);
    for (size_t i = 0; i < conf->npras; i++) {
        sandbox_paths_file(f, conf->pras[i].client_secret_file, SANDBOX_READ);
        sandbox_paths_file(f, conf->pras[i].ca_file, SANDBOX_READ);
    }
    sandbox_paths_file(f, conf->store.ca_file, SANDBOX_READ);
    sandbox_paths_file(f, conf->store.client_certificate, SANDBOX_READ);
    sandbox_paths_file(f, conf->store.client_key, SANDBOX_READ);
}

static int restrict_files(const struct conf *conf, const struct passed_sockets *passed, const char *conf_file)
{
    struct sandbox_paths *paths =
        sandbox_paths_new(11 + 4 * conf->nlisteners + 8 * conf->nvaults + conf->naccesses + 2 * conf->npras);

    if (paths)
        allow_configured(paths, conf, passed, conf_file);
    return sandbox_paths_restrict(paths);
}

/* Opening a listener may need capabilities; serving needs none. */
static uint64_t capabilities_to_listen(const struct conf *conf, const struct passed_sockets *passed)
{
    uint64_t keep = 0;

    for (size_t i = 0; i < conf->nlisteners; i++) {
        const struct conf_listener *l = &conf->listeners[i];

        if (passed_socket_of(passed, l->name))
            continue;
        if (!l->is_unix && l->port && l->port < FIRST_FREE_PORT)
            keep |= UINT64_C(1) << CAP_NET_BIND_SERVICE;
        if (l->is_unix && (l->unix_owner || l->unix_group))
            keep |= UINT64_C(1) << CAP_CHOWN;
    }
    return keep;
}

static bool sandbox_wanted(const struct conf *conf)
{
    return conf->gateway.sandbox != SANDBOX_OFF && sandbox_possible();
}

static int policy_failed(char why[SANDBOX_POLICY_WHY_SIZE], const char *what, int err)
{
    (void)snprintf(why, SANDBOX_POLICY_WHY_SIZE, "%s cannot be given up (%s); `sandbox = off` does without",
                   what, strerror(-err));
    return err;
}

static void log_files(int version)
{
    if (version == 0)
        log_warn("sandbox_files", "landlock=%s hint=%s", "none",
                 "this kernel cannot keep the gateway to its own files; file permissions alone do");
    else if (version < SANDBOX_SCOPES || sandbox_manager_is_abstract())
        log_info("sandbox_files", "landlock=%d abstract_sockets=%s", version, "in reach");
    else
        log_info("sandbox_files", "landlock=%d", version);
}

int sandbox_policy_start(const struct conf *conf, const struct passed_sockets *passed, const char *conf_file,
                         bool keep_capabilities, char why[SANDBOX_POLICY_WHY_SIZE])
{
    int err, version;

    if (!sandbox_wanted(conf) && keep_capabilities)
        return 0;
    err = sandbox_capabilities(capabilities_to_listen(conf, passed));
    if (err)
        return policy_failed(why, "capabilities", err);
    if (conf->gateway.sandbox != SANDBOX_ON || !sandbox_wanted(conf))
        return 0; /* Landlock has no mode that only logs */
    version = restrict_files(conf, passed, conf_file);
    if (version < 0)
        return policy_failed(why, "files", version);
    log_files(version);
    return 0;
}

int sandbox_policy_serve(const struct conf *conf, bool keep_capabilities, char why[SANDBOX_POLICY_WHY_SIZE])
{
    int err = sandbox_wanted(conf) || !keep_capabilities ? sandbox_capabilities(0) : 0;

    if (err)
        return policy_failed(why, "capabilities", err);
    if (!sandbox_wanted(conf)) {
        log_warn("sandbox", "mode=%s", "off");
        return 0;
    }
    sandbox_load_modules();
    err = sandbox_calls(conf->gateway.sandbox == SANDBOX_LOG ? SANDBOX_ONLY_LOG : 0);
    if (err)
        return policy_failed(why, "system calls", err);
    log_info("sandbox", "mode=%s", conf->gateway.sandbox == SANDBOX_LOG ? "log" : "on");
    return 0;
}
