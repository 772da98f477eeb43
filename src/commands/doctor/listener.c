/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.c - the stage listener: can each address be served, and can each local client reach one?
 *
 * Beside a running gateway a TCP address must take a connection, and a Unix socket must be there. Without
 * one, a TCP address is bound for a moment and given back; nothing listens on it. A Unix socket is not made:
 * its folder is looked at.
 *
 * A client with `peer_uid` opens a Unix socket when its user may search every folder on the way and write to
 * the socket. The user's groups are those of the user database; a service may have more
 * (SupplementaryGroups=).
 */
#include "commands/doctor/own.h"

#include "commands/run/clients_group.h"
#include "conf/conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_MS 5000
#define GROUPS_MAX 256

/* ---- permissions ---- */

struct person {
    uid_t uid;
    gid_t groups[GROUPS_MAX];
    int ngroups;
};

static void person_of(uid_t uid, struct person *out)
{
    const struct passwd *pw = getpwuid(uid);

    out->uid = uid;
    out->ngroups = GROUPS_MAX;
    if (!pw)
        out->ngroups = 0;
    else if (getgrouplist(pw->pw_name, pw->pw_gid, out->groups, &out->ngroups) < 0)
        out->ngroups = GROUPS_MAX;
}

static bool has_group(const struct person *who, gid_t gid)
{
    for (int i = 0; i < who->ngroups; i++)
        if (who->groups[i] == gid)
            return true;
    return false;
}

/* `want`: 4 read, 2 write, 1 search. */
static bool may(const struct person *who, const struct stat *st, unsigned want)
{
    unsigned shift = st->st_uid == who->uid ? 6 : has_group(who, st->st_gid) ? 3 : 0;

    return who->uid == 0 || (st->st_mode >> shift & want) == want;
}

/* False: `at` is the folder that this user may not search. */
static bool may_reach(const struct person *who, const char *folder, char at[PATH_MAX])
{
    char real[PATH_MAX];
    struct stat st;

    if (!realpath(folder, real))
        return true;
    for (char *slash = real; slash; slash = strchr(slash + 1, '/')) {
        size_t n = slash == real ? 1 : (size_t)(slash - real);
        (void)snprintf(at, PATH_MAX, "%.*s", (int)n, real);
        if (stat(at, &st) == 0 && !may(who, &st, 1))
            return false;
    }
    (void)snprintf(at, PATH_MAX, "%s", real);
    return stat(at, &st) != 0 || may(who, &st, 1);
}

static void folder_of(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(out, PATH_MAX, "%.*s", (int)(slash && slash > path ? slash - path : 1),
                   slash ? path : ".");
}

/* ---- TCP ---- */

static socklen_t socket_address(const struct conf_listener *l, struct sockaddr_storage *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, l->host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(l->port);
        return sizeof(*in);
    }
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(l->port);
    return inet_pton(AF_INET6, l->host, &in6->sin6_addr) == 1 ? sizeof(*in6) : 0;
}

/* 0 or -errno. */
static int try_bind(const struct conf_listener *l)
{
    struct sockaddr_storage address;
    socklen_t len = socket_address(l, &address);
    int on = 1, err = 0, fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
        (address.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) ||
        bind(fd, (struct sockaddr *)&address, len))
        err = -errno;
    (void)close(fd);
    return err;
}

/* A connection to a wildcard address goes to this machine itself. */
static int try_connect(const struct conf_listener *l)
{
    struct sockaddr_storage address;
    struct addrinfo ai = {.ai_addr = (struct sockaddr *)&address};

    ai.ai_addrlen = socket_address(l, &address);
    ai.ai_family = address.ss_family;
    int fd = doctor_connect(&ai, CONNECT_MS);
    if (fd < 0)
        return fd;
    (void)close(fd);
    return 0;
}

static void bind_failed(struct own_side *own, const struct conf_listener *l, int err)
{
    static const struct own_remedy taken = {"another process serves this address: another gateway, or an "
                                            "earlier one; with socket activation it is "
                                            "the service manager, which root alone can see",
                                            "see who it is with `ss -ltnp`; stop it, or change `address`"};
    static const struct own_remedy absent = {"this machine has no such address, or not yet",
                                             "compare `address` with `ip address`"};
    static const struct own_remedy other = {"the system does not let this user serve the address",
                                            "see the detail; a port below 1024 takes CAP_NET_BIND_SERVICE"};

    own_problem(own, REPORT_FAILED,
                err == -EADDRINUSE      ? taken
                : err == -EADDRNOTAVAIL ? absent
                                        : other,
                "[listener %s]: %s cannot be bound: %s", l->name, l->address, strerror(-err));
}

static void look_at_tcp(struct own_side *own, const struct conf_listener *l)
{
    static const struct own_remedy unserved = {
        "the running gateway was started with other listeners, or a local firewall refuses the connection",
        "restart the gateway: a reload does not change addresses"};
    int err = own->run == GATEWAY_RUNS && l->port ? try_connect(l)
              : own->run == GATEWAY_RUNS          ? 0
                                                  : try_bind(l);

    if (err && own->run == GATEWAY_RUNS)
        own_problem(own, REPORT_FAILED, unserved, "[listener %s]: the gateway runs, and %s is not served: %s",
                    l->name, l->address, strerror(-err));
    else if (err == -EADDRINUSE && own_is_activated(l))
        report_note(own->d, "%s: held by the service manager, for socket activation", l->address);
    else if (err == -EADDRINUSE && own->run == GATEWAY_NOT_KNOWN)
        report_note(own->d, "%s: served by some process; whether it is the gateway cannot be asked",
                    l->address);
    else if (err)
        bind_failed(own, l, err);
    else
        report_note(own->d, "%s: %s", l->address,
                    own->run == GATEWAY_RUNS ? "served by the running gateway" : "can be bound");
}

/* ---- Unix sockets ---- */

/* That of a socket where `unix_group` is not set. The groups of the gateway's user are those of the user
 * database. */
static gid_t default_group(const struct own_side *own)
{
    const struct group *gr = getgrnam(CLIENTS_GROUP);
    gid_t clients = gr ? gr->gr_gid : own->gid;
    struct person gateway;

    person_of(own->uid, &gateway);
    return gr && has_group(&gateway, clients) ? clients : own->gid;
}

/* The stat of a socket that will be: as the configuration says. */
static bool planned_socket(struct own_side *own, const struct conf_listener *l, struct stat *st)
{
    const struct passwd *pw = l->unix_owner ? getpwnam(l->unix_owner) : NULL;
    const struct group *gr = l->unix_group ? getgrnam(l->unix_group) : NULL;
    char *end = NULL;

    *st = (struct stat){
        .st_mode = S_IFSOCK | (mode_t)l->unix_mode, .st_uid = own->uid, .st_gid = default_group(own)};
    if (pw)
        st->st_uid = pw->pw_uid;
    else if (l->unix_owner)
        st->st_uid = (uid_t)strtoul(l->unix_owner, &end, 10);
    if (end && *end)
        return false;
    if (gr)
        st->st_gid = gr->gr_gid;
    else if (l->unix_group)
        st->st_gid = (gid_t)strtoul(l->unix_group, &end, 10);
    return !end || !*end;
}

static bool is_served(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool served = false;

    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    if (fd >= 0) {
        served = connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0 || errno == EAGAIN;
        (void)close(fd);
    }
    return served;
}

static void look_at_folder(struct own_side *own, const struct conf_listener *l)
{
    static const struct own_remedy missing = {
        "nothing has made the folder: the packages' tmpfiles.d makes /run/jumpgate, another one is the "
        "operator's",
        "make the folder and give it to the gateway's user; in /run it has to be made at each start of the "
        "machine (tmpfiles.d)"};
    static const struct own_remedy foreign = {"the folder belongs to another user than the gateway's",
                                              "chown the folder to the gateway's user"};
    char folder[PATH_MAX], at[PATH_MAX];
    struct person gateway;
    struct stat st;

    folder_of(l->host, folder);
    person_of(own->uid, &gateway);
    if (stat(folder, &st) != 0)
        own_problem(own, REPORT_FAILED, missing, "[listener %s]: the folder %s: %s", l->name, folder,
                    strerror(errno));
    else if (!may(&gateway, &st, 3) || !may_reach(&gateway, folder, at))
        own_problem(
            own, REPORT_FAILED, foreign,
            "[listener %s]: the gateway's user (uid %lu) cannot make a socket in %s (mode %04o, uid %lu)",
            l->name, (unsigned long)own->uid, folder, (unsigned)(st.st_mode & 07777),
            (unsigned long)st.st_uid);
    else
        report_note(own->d, "%s: the folder is there, and is the gateway's", l->address);
}

static void look_at_present(struct own_side *own, const struct conf_listener *l, const struct stat *is)
{
    static const struct own_remedy differs = {
        "the running gateway was started with other keys, or the socket was changed since; with socket "
        "activation mode and owner are those of the socket unit, which root alone can see",
        "restart the gateway: a reload does not change mode and owner of a socket"};
    struct stat wanted;

    if (!planned_socket(own, l, &wanted))
        return;
    if (own_is_activated(l))
        report_note(own->d, "%s: served, mode %04o; the service manager's, whose socket unit sets its mode",
                    l->address, (unsigned)(is->st_mode & 0777));
    else if ((is->st_mode & 0777) != (wanted.st_mode & 0777) ||
             (l->unix_group && is->st_gid != wanted.st_gid) || (l->unix_owner && is->st_uid != wanted.st_uid))
        own_problem(
            own, REPORT_WARNING, differs,
            "[listener %s]: %s has mode %04o, uid %lu, gid %lu, and the configuration says mode %04o, uid "
            "%lu, gid %lu",
            l->name, l->host, (unsigned)(is->st_mode & 07777), (unsigned long)is->st_uid,
            (unsigned long)is->st_gid, (unsigned)(wanted.st_mode & 0777), (unsigned long)wanted.st_uid,
            (unsigned long)wanted.st_gid);
    else
        report_note(own->d, "%s: served, mode %04o", l->address, (unsigned)(is->st_mode & 0777));
}

static void look_at_unix(struct own_side *own, const struct conf_listener *l)
{
    static const struct own_remedy gone = {
        "the socket was removed, or the gateway was started with another one",
        "restart the gateway; with socket activation stop it, restart the socket unit, and start it"};
    static const struct own_remedy in_the_way = {"a file of this name is no socket, and is never removed",
                                                 "move the file away, or change `address`"};
    static const struct own_remedy taken = {
        "another process serves this socket: another gateway with a state_dir of its own; with socket "
        "activation it is the service manager, which root alone can see",
        "see who it is with `ss -lxp`; stop it, or change `address`"};
    static const struct own_remedy no_name = {"no such user or group",
                                              "correct `unix_owner` and `unix_group`, or make the group"};
    struct stat is, planned;
    bool present = lstat(l->host, &is) == 0;

    if (!planned_socket(own, l, &planned))
        own_problem(own, REPORT_FAILED, no_name,
                    "[listener %s]: `unix_owner` or `unix_group` is not known here", l->name);
    else if (present && !S_ISSOCK(is.st_mode))
        own_problem(own, REPORT_FAILED, in_the_way, "[listener %s]: %s is no socket", l->name, l->host);
    else if (own->run == GATEWAY_RUNS && (!present || !is_served(l->host)))
        own_problem(own, REPORT_FAILED, gone, "[listener %s]: the gateway runs, and %s is not served",
                    l->name, l->host);
    else if (own->run == GATEWAY_RUNS)
        look_at_present(own, l, &is);
    else if (present && own_is_activated(l)) /* a connection would start the gateway */
        report_note(own->d, "%s: held by the service manager, for socket activation", l->address);
    else if (own->run == GATEWAY_STOPPED && present && is_served(l->host))
        own_problem(own, REPORT_FAILED, taken, "[listener %s]: the gateway does not run, and %s is served",
                    l->name, l->host);
    else
        look_at_folder(own, l);
}

/* ---- local clients ---- */

/* Can this user not open the socket? Then why. */
static bool is_shut(struct own_side *own, const struct conf_listener *l, const struct person *who,
                    char why[DOCTOR_WORDS_SIZE])
{
    char folder[PATH_MAX], at[PATH_MAX];
    struct stat st;

    folder_of(l->host, folder);
    if (lstat(l->host, &st) != 0 || (own->run != GATEWAY_RUNS && !own_is_activated(l)))
        if (!planned_socket(own, l, &st))
            return false; /* reported already */
    if (!may_reach(who, folder, at)) {
        (void)snprintf(why, DOCTOR_WORDS_SIZE, "it may not enter the folder %.300s", at);
        return true;
    }
    if (may(who, &st, 2))
        return false;
    (void)snprintf(why, DOCTOR_WORDS_SIZE, "it may not write to %.300s (mode %04o, uid %lu, gid %lu)",
                   l->host, (unsigned)(st.st_mode & 0777), (unsigned long)st.st_uid,
                   (unsigned long)st.st_gid);
    return true;
}

static void look_at_client(struct own_side *own, const struct conf_client *c)
{
    static const struct own_remedy shut = {
        "the client's user is not in the socket's group, or may not enter a folder on the way",
        "put the user into the group of `unix_group` (for the packages: jumpgate-clients) and start the "
        "client "
        "again, or widen `unix_mode`; the folders need the permission to search"};
    static const struct own_remedy none = {"`peer_uid` counts on Unix sockets alone",
                                           "add a listener with address = unix:/run/jumpgate/broker.sock"};
    char why[DOCTOR_WORDS_SIZE] = "";
    struct person who;
    size_t sockets = 0;

    person_of((uid_t)c->peer_uid, &who);
    for (size_t i = 0; i < own->conf->nlisteners; i++) {
        const struct conf_listener *l = &own->conf->listeners[i];
        if (!l->is_unix)
            continue;
        sockets++;
        if (!is_shut(own, l, &who, why)) {
            report_note(own->d, "[client %s]: uid %lld can open %s", c->name, (long long)c->peer_uid,
                        l->host);
            return;
        }
    }
    if (!sockets)
        own_problem(own, REPORT_FAILED, none, "[client %s]: there is no Unix socket for uid %lld", c->name,
                    (long long)c->peer_uid);
    else
        own_problem(own, REPORT_FAILED, shut, "[client %s]: uid %lld cannot open the socket: %s", c->name,
                    (long long)c->peer_uid, why);
}

void own_listeners(struct own_side *own)
{
    const struct conf *conf = own->conf;

    for (size_t i = 0; i < conf->nlisteners; i++)
        (conf->listeners[i].is_unix ? look_at_unix : look_at_tcp)(own, &conf->listeners[i]);
    for (size_t i = 0; i < conf->nclients; i++)
        if (conf->clients[i].peer_uid >= 0)
            look_at_client(own, &conf->clients[i]);
    own_good(own, "%zu listener%s, %s", conf->nlisteners, conf->nlisteners == 1 ? "" : "s",
             own->run == GATEWAY_RUNS      ? "served by the running gateway"
             : own->run == GATEWAY_STOPPED ? "free for the gateway, which does not run"
                                           : "as far as this user can tell");
}
