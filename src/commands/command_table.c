/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_table.c - the rows of the commands; see line/command_table.h.
 */
#include "commands/commands.h"
#include "commands/line/exit.h"

#include <stdint.h>

#define CONF_ROW                                                                                             \
    {                                                                                                        \
        .name = "-c", .takes = FLAG_CONF, .value = "FILE",                                                   \
        .help = "the configuration (default: /etc/jumpgate/jumpgate.conf)"                                   \
    }

#define END                                                                                                  \
    {                                                                                                        \
        0                                                                                                    \
    }

/* clang-format off */

static const char *const lease_states[] = {"intent", "pending", "open", "releasing", "lapsed", "spinning", NULL};

static const char *const pi_profiles[] = {"json-v2", "rest", "json-v1", NULL};

static const char *const only_open[] = {"open", NULL};

#define LEASES_FILTERS \
    { "--user", FLAG_TEXT, "USER", "only the leases of this user, as the list shows it", NULL }, \
    { "--session", FLAG_TEXT, "ID", "only the leases of this PRA session", NULL }, \
    { "--vault", FLAG_TEXT, "NAME", "only the leases of the vault with this section", NULL }, \
    { "--older-than", FLAG_TEXT, "TIME", "only leases that began longer ago: 90s, 15m, 2h, 3d", NULL }, \
    { "--overdue", FLAG_SWITCH, NULL, "only leases past their end", NULL }, \
    { "--node", FLAG_TEXT, "NAME", "only the leases of this gateway of the cluster", NULL }

static const struct command leases_subs[] = {
    { .name = "list", .run = command_leases_list,
      .summary = "show the leases, oldest first",
      .about = "Account and system are shown by name, and as #NUMBER where the gateway has restarted since. Without a "
               "running gateway the list is what its store holds, a file or etcd.",
      .flags = (const struct command_flag[]){
          CONF_ROW, LEASES_FILTERS,
          { "--state", FLAG_TEXT, "STATE", "only the leases in this state", lease_states },
          { "--wide", FLAG_SWITCH, NULL, "show every column", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON, with the members of GET /v1/leases", NULL },
          END },
      .examples = (const struct command_example[]){
          { "leases", "all leases of the gateway" },
          { "leases list --user 'CORP\\ann' --state open", NULL },
          { "leases list --overdue --json", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the leases are shown, also where there are none" },
          { EXIT_FAILED, "they cannot be shown; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "release", .run = command_leases_release, .operands = "ID", .max_words = 1,
      .summary = "end one lease, or all",
      .about = "A released lease is checked in at the vault, unless another lease holds the same request. Without a "
               "running gateway the leases are marked in its store, and the next start checks them in. A request that waits "
               "for its approver (pending) has no lease: a running gateway withdraws it by its ID.\n\n"
               "On a terminal --all asks first, with the number of leases; a script is not asked. Where several gateways share "
               "a store, all means the leases of all of them; --node narrows it, and fails where there is no such gateway. In "
               "etcd nothing is marked while one of them runs: release the leases on its machine.",
      .forms = (const char *const[]){
          "[-c FILE] ID [--terminate | --forget] [--json]",
          "[-c FILE] --all [--user USER] [--session ID] [--vault NAME] [--older-than TIME] [--overdue] [--node NAME] "
          "[--state open] "
          "[--yes] [--json]", NULL },
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--terminate", FLAG_SWITCH, NULL, "end the session at the PRA site too; the gateway must be running", NULL },
          { "--forget", FLAG_SWITCH, NULL, "give up the check-in of what the vault does not end by itself; the gateway must be running", NULL },
          { "--all", FLAG_SWITCH, NULL, "end every open lease that the filters leave", NULL },
          LEASES_FILTERS,
          { "--state", FLAG_TEXT, "STATE", "with --all only open leases are released", only_open },
          { "--yes", FLAG_SWITCH, NULL, "do not ask", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON: how many were released, are pending, have failed", NULL },
          END },
      .examples = (const struct command_example[]){
          { "leases release 01HZX3V9K2", "the id is the first column of `jumpgate leases`" },
          { "leases release --all --user 'CORP\\ann'", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "released, or there was nothing to release" },
          { EXIT_FAILED, "not released, or not all; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          { EXIT_NO_LEASE, "there is no such lease" },
          { EXIT_ONLY_RELEASED, "the lease is released, and its session was not ended" },
          END } },
    { .name = "checkin", .run = command_leases_checkin, .operands = "CREDENTIAL_ID", .min_words = 1, .max_words = 1,
      .summary = "check a credential in of which the gateway has no row",
      .about = "For a vault that does not tell what is checked out: after its lease store was lost the gateway recognises "
               "nothing there. Look at the vault first: a check-in may end what a person has under the same sign-in name. The "
               "check-in is repeated until the vault confirms it, as any other. While the gateway has a row of the credential it "
               "refuses; release its leases then. The gateway must be running.",
      .forms = (const char *const[]){ "[-c FILE] CREDENTIAL_ID [--json]", NULL },
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--json", FLAG_SWITCH, NULL, "print JSON: whether the vault has confirmed", NULL },
          END },
      .examples = (const struct command_example[]){
          { "leases checkin j1.erpm.shared.259ba9b1dd3c605916b48c82ac6feedb", "the id is in the answer to a find, in the audit trail and in the log" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "checked in, or the gateway goes on trying" },
          { EXIT_FAILED, "nothing was sent; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    END
};

#define CHANGE_EXITS \
    (const struct command_exit[]){ \
        { EXIT_DONE, "done, or there was nothing to do" }, \
        { EXIT_FAILED, "not done; the reason is on standard error" }, \
        { EXIT_USAGE, "the command line is wrong" }, \
        { EXIT_ETCD_AWAY, "etcd does not answer, has no quorum, or refuses the command" }, \
        END }

static const struct command cluster_subs[] = {
    { .name = "list", .run = command_cluster_list,
      .summary = "show the gateways that share the store",
      .about = "What the running gateway on this machine knows: each gateway with its leases, how long it has been silent, "
               "and whether its requests are being taken over; and how long this one may go on without a write. Without a "
               "running gateway the command reads etcd, twice within half of the ttl, to see who writes.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--json", FLAG_SWITCH, NULL, "print JSON: the member cluster of GET /status; without a gateway also gateway_running (false), schema, moved", NULL },
          END },
      .examples = (const struct command_example[]){
          { "cluster", NULL },
          { "cluster list --json", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "all are alive" },
          { EXIT_FAILED, "no answer, or the store is this gateway's alone; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          { EXIT_NOT_WHOLE, "one is silent or leaving, requests are being taken over, or there is no gateway" },
          { EXIT_ETCD_AWAY, "etcd does not answer, has no quorum, or refuses the gateway" },
          END } },
    { .name = "forget", .run = command_cluster_forget, .operands = "NODE", .min_words = 1, .max_words = 1,
      .summary = "count a silent gateway as dead",
      .about = "The living gateways do so by themselves after the ttl. By hand it is for a name that is to be free at once "
               "while none of them is alive. A gateway that writes is not forgotten: stop it. It works on etcd, with or "
               "without a running gateway.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--yes", FLAG_SWITCH, NULL, "do not ask", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON: changed, detail", NULL },
          END },
      .examples = (const struct command_example[]){
          { "cluster forget gw2", NULL },
          END },
      .exits = CHANGE_EXITS },
    { .name = "set-vault", .run = command_cluster_set_vault, .operands = "NAME", .min_words = 1, .max_words = 1,
      .summary = "have the cluster agree in a vault as this configuration has it",
      .about = "The gateways of a cluster agree in `type`, `url` and `minute` of each vault, and one that differs does not "
               "start. To change them on purpose, stop all gateways, change all configurations, run this once, and start "
               "them. It is refused while a gateway of the cluster runs.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--yes", FLAG_SWITCH, NULL, "do not ask", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON: changed, detail", NULL },
          END },
      .examples = (const struct command_example[]){
          { "cluster set-vault main", NULL },
          END },
      .exits = CHANGE_EXITS },
    { .name = "upgrade", .run = command_cluster_upgrade,
      .summary = "raise the schema of the cluster to the newest that all gateways know",
      .about = "A newer version joins a cluster whose schema is older, and writes what stands there. When all gateways have "
               "the newer version this raises the number, and older versions cannot join any more.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--yes", FLAG_SWITCH, NULL, "do not ask", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON: changed, detail", NULL },
          END },
      .examples = (const struct command_example[]){
          { "cluster upgrade", "after the last gateway was restarted with the newer version" },
          END },
      .exits = CHANGE_EXITS },
    { .name = "reconcile", .run = command_cluster_reconcile,
      .summary = "compare with the vaults' lists of live requests now",
      .about = "The running gateway on this machine begins the comparison that it makes every `reconcile_every`. With "
               "--all-users it asks for the lists of all vault users for whom it has had requests since its start, three "
               "times within three minutes, and checks in what has the mark of the cluster and no row in etcd: after the "
               "restore of a snapshot. Run it at each gateway.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--all-users", FLAG_SWITCH, NULL, "also users of whom no request is known any more", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON, as POST /v1/cluster/reconcile answers it", NULL },
          END },
      .examples = (const struct command_example[]){
          { "cluster reconcile --all-users", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "it has begun" },
          { EXIT_FAILED, "no gateway runs, or it refuses; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    END
};

static const struct command store_subs[] = {
    { .name = "copy", .run = command_store_copy,
      .summary = "move the leases of a gateway from its file into etcd, or back",
      .about = "One of the two configurations has `type = etcd` in [store], the other has not. No gateway may run at "
               "either end; the target has to be empty. Every row is copied, read back and compared, then the source is "
               "marked: a gateway that is started on it names the target and ends. A command that was killed goes on "
               "where it was when it is run once more, and a move that is complete is not done twice. A file takes the "
               "letters with which the cluster's lease ids begin along. Root becomes the gateway's user.",
      .forms = (const char *const[]){ "[-c FILE] --to-config FILE [--dry-run] [--yes] [--json]", NULL },
      .flags = (const struct command_flag[]){
          { .name = "-c", .takes = FLAG_CONF, .value = "FILE",
            .help = "the configuration of the source (default: /etc/jumpgate/jumpgate.conf)" },
          { "--to-config", FLAG_FILE, "FILE", "the configuration of the target", NULL },
          { "--dry-run", FLAG_SWITCH, NULL, "look at both ends, count, and change nothing", NULL },
          { "--yes", FLAG_SWITCH, NULL, "do not ask", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON: the counts of the rows, and their digest", NULL },
          END },
      .examples = (const struct command_example[]){
          { "store copy --to-config etcd.conf --dry-run", "would it work, and how many are there?" },
          { "store copy --to-config etcd.conf", "then etcd.conf takes the place of jumpgate.conf" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the leases are in the target, also where they were before" },
          { EXIT_FAILED, "they are not, or not yet; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    END
};

static const struct command audit_subs[] = {
    { .name = "verify", .run = command_audit_verify, .operands = "FILE [FILE...]", .operand = FLAG_FILE,
      .min_words = 1, .max_words = SIZE_MAX,
      .summary = "find what was changed, removed or cut in the audit trail",
      .about = "The files may be given in any order, plain or compressed with gzip; - is standard input. A line "
               "that the head knows and no file has is a defect, and so is a trail without a line.",
      .forms = (const char *const[]){ "[--head FILE] [--json] FILE [FILE...]", "--part [--json] FILE [FILE...]", NULL },
      .flags = (const struct command_flag[]){
          { "--head", FLAG_FILE, "FILE", "the end of the trail (default: audit.head beside the newest file)", NULL },
          { "--part", FLAG_SWITCH, NULL, "newer files are elsewhere: no head is looked for", NULL },
          { "--json", FLAG_SWITCH, NULL, "print one object", NULL },
          END },
      .examples = (const struct command_example[]){
          { "audit verify /var/lib/jumpgate/audit.jsonl*", NULL },
          { "audit verify --part audit-2026-10.jsonl.gz", "an archive: only what is in it" },
          { "audit verify --head audit.head - < audit.jsonl", "standard input" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the trail is sound" },
          { EXIT_FAILED, "the trail is not sound" },
          { EXIT_USAGE, "not verified: the command line is wrong, or a file cannot be read" },
          END } },
    END
};

static const char *const sign_ins[] = {"api-key", "oauth", NULL};
static const char *const only_yes[] = {"yes", NULL};
static const char *const client_ways[] = {"uid", "token", "certificate", NULL};
static const char *const certificate_ways[] = {"own-ca", "request", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

const struct command command_table[] = {
    { .name = "setup", .run = command_setup,
      .summary = "make a first configuration, with its secrets and certificates",
      .about = "On a terminal it asks for what no flag says; elsewhere the flags and defaults are the answers. It writes "
               "the configuration, the files of the secrets, keys and certificates, and a drop-in for the unit, then "
               "runs check and doctor. All files are written, or none is left. No file is overwritten but a "
               "configuration that is all comments, as the package installs it. A flag never takes a secret: it names "
               "a file, or - for a line of standard input.",
      .flags = (const struct command_flag[]){
          { "--vault-url", FLAG_TEXT, "URL", "host name of Password Safe, or address of its API", NULL },
          { "--vault-ca", FLAG_FILE, "FILE", "the authority of its certificate (default: those of the system)", NULL },
          { "--sign-in", FLAG_TEXT, "WAY", "sign-in at Password Safe (default: api-key)", sign_ins },
          { "--api-key-file", FLAG_FILE, "FILE", "file with the key of the API registration", NULL },
          { "--oauth-id", FLAG_TEXT, "ID", "OAuth client id of the application user", NULL },
          { "--oauth-secret-file", FLAG_FILE, "FILE", "file with its client secret", NULL },
          { "--oauth-shared-identity", FLAG_TEXT, "YES", "all users act as that one at the vault, and it is meant", only_yes },
          { "--release-duration", FLAG_TEXT, "TIME", "how long a lease lasts, in minutes (default: 60)", NULL },
          { "--listen", FLAG_TEXT, "ADDRESS", "unix:/PATH or IP:PORT (default: unix:/run/jumpgate/broker.sock)", NULL },
          { "--client", FLAG_TEXT, "NAME", "name of the client that calls (default: pra)", NULL },
          { "--client-by", FLAG_TEXT, "WAY", "how it is known (default: uid on a Unix socket, else token)", client_ways },
          { "--client-uid", FLAG_TEXT, "USER", "the user that calls over the Unix socket, name or number", NULL },
          { "--certificate", FLAG_TEXT, "WAY", "of this gateway, made here or requested (default: own-ca)",
            certificate_ways },
          { "--server-name", FLAG_TEXT, "NAMES", "names and addresses of this gateway (default: the host name)", NULL },
          { "--pra-url", FLAG_TEXT, "URL", "the PRA site (default: no link to a site)", NULL },
          { "--pra-ca", FLAG_FILE, "FILE", "the authority of its certificate (default: those of the system)", NULL },
          { "--pra-id", FLAG_TEXT, "ID", "OAuth client id of the API account at the site", NULL },
          { "--pra-secret-file", FLAG_FILE, "FILE", "file with its client secret", NULL },
          { "--user", FLAG_TEXT, "USER", "a PRA user to try it with: NAME or DOMAIN\\NAME", NULL },
          { "--host", FLAG_TEXT, "HOST", "a machine on which that user gets a credential", NULL },
          { "--no-connect", FLAG_SWITCH, NULL, "write the files without asking vault and site", NULL },
          { "--dry-run", FLAG_SWITCH, NULL, "show every file with its mode and content, and write nothing", NULL },
          { "--root", FLAG_FILE, "DIR", "put everything below DIR, for tests; the files name DIR as well", NULL },
          END },
      .examples = (const struct command_example[]){
          { "setup", "asks" },
          { "setup --vault-url vault.example.com --api-key-file - --client-uid pra < key", "a script" },
          { "setup --dry-run", "asks, and shows what would be written" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the files are written; address, certificate and sign-in of the vault are right, where it was asked" },
          { EXIT_FAILED, "nothing is written; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong, or an answer in it" },
          END } },
    { .name = "run", .run = command_run,
      .summary = "serve until SIGTERM",
      .about = "SIGHUP reloads the configuration, all or nothing. SIGTERM and SIGINT drain and end. SIGUSR1 reopens "
               "the log files.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--rebuild", FLAG_SWITCH, NULL, "move a damaged lease store aside instead of refusing it", NULL },
          { "--allow-root", FLAG_SWITCH, NULL, "keep root's capabilities where root starts and no `user` is set", NULL },
          END },
      .examples = (const struct command_example[]){
          { "run", NULL },
          { "run -c ./jumpgate.conf", NULL },
          END },
      .exits = (const struct command_exit[]){
          { RUN_STOPPED, "stopped" },
          { RUN_REFUSED, "not started, and a restart does not help: a mistake in the configuration, a wrong owner, a "
                         "damaged store; the reason is on standard error" },
          { RUN_USAGE, "the command line is wrong" },
          { RUN_RETRY, "not started, or not stopped cleanly, and a restart may help: a port in use, a full disk, too "
                       "few descriptors, too little memory" },
          END } },
    { .name = "check", .run = command_check,
      .summary = "name all mistakes of a configuration, and what a start would fail at",
      .about = "Every finding is one line on standard error with file and line. Looked at are the file, the files it "
               "names, and what the start needs: owners, permissions, addresses, ports, the kind of log and audit "
               "file. Certificates that end within 30 days are warned of. Root checks as the user that the gateway "
               "runs as, where systemd runs with the credentials of jumpgate.service. Nothing is changed.",
      .forms = (const char *const[]){ "[-c FILE] [--json]", "[-c FILE] --diff", NULL },
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--json", FLAG_SWITCH, NULL, "print an array of findings: level, file, line, key, text", NULL },
          { "--diff", FLAG_SWITCH, NULL, "print what a reload would change, key by key", NULL },
          END },
      .examples = (const struct command_example[]){
          { "check", NULL },
          { "check --diff", "before `jumpgate reload`: what it changes, and what needs a restart" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "there is no mistake; there may be warnings" },
          { EXIT_FAILED, "there are mistakes, or the file cannot be read; with --diff also: no gateway runs" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "reload", .run = command_reload,
      .summary = "make the running gateway read its configuration again",
      .about = "Waits for the verdict: all of the configuration is taken, or nothing of it. What has changed is on "
               "standard output, every mistake on standard error. The gateway reads the file that it was started "
               "with; -c only says where its control socket is. SIGHUP does the same without an answer.",
      .flags = (const struct command_flag[]){ CONF_ROW, END },
      .examples = (const struct command_example[]){
          { "reload", "the same as `systemctl reload jumpgate`" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the configuration is in use" },
          { EXIT_FAILED, "it was refused and nothing has changed, or no gateway is running" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "doctor", .run = command_doctor,
      .summary = "find out why a user gets no credentials, or what is wrong with the PRA site",
      .about = "A dry run of one find: each stage from the configuration to the access policy, in order, until one "
               "fails; then the PRA site and the gateway's own listeners, certificates, state and disk. The exit code is that of the first stage that failed. It needs no running gateway and changes nothing. It reads the secrets, so it runs as root or as "
               "the gateway's user; where systemd runs, root takes the credentials of jumpgate.service.",
      .forms = (const char *const[]){ "[-c FILE] --user USER --host HOST [--vault NAME] [--json]",
                                      "[-c FILE] --pra [--json]",
                                      "[-c FILE] --vault NAME --probe [--access SECTION --yes] [--json]", NULL },
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--user", FLAG_TEXT, "USER", "the PRA user: NAME or DOMAIN\\NAME", NULL },
          { "--host", FLAG_TEXT, "HOST", "the machine, by a name or address as PRA knows it", NULL },
          { "--vault", FLAG_TEXT, "NAME", "the section of the vault, where there are several", NULL },
          { "--pra", FLAG_SWITCH, NULL, "look at the PRA site only", NULL },
          { "--probe", FLAG_SWITCH, NULL, "fill in the checklist of a Privileged Identity", NULL },
          { "--access", FLAG_TEXT, "SECTION", "with --probe: check this credential out and in, an idle test account", NULL },
          { "--yes", FLAG_SWITCH, NULL, "with --access: it may be checked out and in", NULL },
          { "--json", FLAG_SWITCH, NULL, "print JSON", NULL },
          END },
      .examples = (const struct command_example[]){
          { "doctor --user 'CORP\\ann' --host web01", NULL },
          { "doctor --pra", NULL },
          { "doctor --vault erpm --probe", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "all is well" },
          { EXIT_FAILED, "configuration: the file has mistakes; or the command itself failed" },
          { EXIT_USAGE, "the command line is wrong" },
          { 10, "secrets: a key, a password or a client certificate" },
          { 11, "mapping: the vault users of the PRA user" },
          { 12, "dns: the vault's name" },
          { 13, "tcp: a connection to the vault" },
          { 14, "tls: the vault's certificate" },
          { 15, "api: the vault's API answers" },
          { 16, "sign_in: the vault takes one of the users" },
          { 17, "role: the user may request an account" },
          { 18, "list: there is an account on the host" },
          { 19, "policy: the access policy is open" },
          { 21, "store_reach: the members of etcd" },
          { 22, "store_api: their JSON gateway" },
          { 23, "store_sign_in: user and password at etcd" },
          { 24, "store_quorum: leader, members, alarms" },
          { 25, "store_write: a transaction" },
          { 26, "store_history: compaction and quota" },
          { 27, "cluster: schema, vaults, name of the node, clocks" },
          { 20, "clock: the vault's clock against this machine's" },
          { 50, "probe: an item of the checklist is refuted" },
          { 30, "pra_secret: the site's client secret" },
          { 31, "pra_dns: the site's name" },
          { 32, "pra_tcp: a connection to the site" },
          { 33, "pra_tls: the site's certificate" },
          { 34, "pra_probe: the site calls itself healthy" },
          { 35, "pra_token: the account gets a token" },
          { 36, "pra_command: the Command API answers" },
          { 37, "pra_permissions: the account has what the features need" },
          { 38, "pra_role: failover role and data of the site" },
          { 39, "pra_clock: the site's clock against this machine's" },
          { 40, "pra_reporting: the site lists ended sessions" },
          { 41, "pra_jumpoint: each Jumpoint is connected" },
          { 60, "listener: each address can be served, and each local client reaches one" },
          { 61, "certificate: certificates, keys and revocation lists of the gateway" },
          { 62, "state: the state directory and the lease store" },
          { 63, "disk: room for the state, the audit trail and the log" },
          END } },
    { .name = "status", .run = command_status,
      .summary = "show the state of the running gateway",
      .about = "Whether it is ready and why not, the vaults, the PRA site, the leases and the certificates. It calls "
               "the gateway over its control socket, as the gateway's user or as root.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--json", FLAG_SWITCH, NULL, "print JSON: the members of GET /status behind ready and reasons", NULL },
          END },
      .examples = (const struct command_example[]){
          { "status", NULL },
          { "status --json", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the gateway is ready" },
          { EXIT_FAILED, "it does not answer; how to find out why is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          { 3, "it answers and is not ready" },
          END } },
    { .name = "explain", .run = command_explain, .operands = "ID", .min_words = 1, .max_words = 1,
      .summary = "say why a list of credentials or endpoints came back as it did",
      .about = "ID is the request id of the find: the header X-Request-Id of its answer, and request_id in the log. "
               "The gateway keeps the record for 15 minutes at most.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--json", FLAG_SWITCH, NULL, "print JSON, as GET /v1/explain/{request_id} answers it", NULL },
          END },
      .examples = (const struct command_example[]){
          { "explain 4be1f0c2-77", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "the record is shown" },
          { EXIT_FAILED, "it cannot be shown; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          { 4, "no find with this id is remembered" },
          END } },
    { .name = "cluster", .subs = cluster_subs,
      .summary = "show the gateways that share a store, and mend what they cannot" },
    { .name = "leases", .subs = leases_subs,
      .summary = "show or end the leases of the gateway" },
    { .name = "store", .subs = store_subs, .sub_needed = true,
      .summary = "move leases between a file and etcd" },
    { .name = "top", .run = command_top,
      .summary = "watch the gateway live: load, vaults, leases, errors",
      .about = "The command asks the running gateway over its control socket, as root or as the gateway's user. `?` "
               "lists its keys. Where standard output is no terminal, and with --once, it prints one plain screen "
               "that covers one interval.",
      .flags = (const struct command_flag[]){
          CONF_ROW,
          { "--interval", FLAG_TEXT, "SECONDS", "time between two looks at the gateway (default: 2)", NULL },
          { "--once", FLAG_SWITCH, NULL, "print one plain screen and end", NULL },
          END },
      .examples = (const struct command_example[]){
          { "top", NULL },
          { "top --once --interval 10", "the rates of ten seconds, for a script" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "left with q, or printed" },
          { EXIT_FAILED, "the gateway may not be asked, or --once has no answer; the reason is on standard error" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "audit", .subs = audit_subs, .sub_needed = true,
      .summary = "find what was changed, removed or cut in the audit trail" },
    { .name = "config", .run = command_config,
      .summary = "print an annotated configuration, or its reference",
      .forms = (const char *const[]){ "[--defaults]", "--doc", "--man", "--profile NAME", NULL },
      .flags = (const struct command_flag[]){
          { "--defaults", FLAG_SWITCH, NULL, "every key with its help, commented out (this is the default)", NULL },
          { "--doc", FLAG_SWITCH, NULL, "the reference of all keys in Markdown", NULL },
          { "--man", FLAG_SWITCH, NULL, "the man page jumpgate.conf(5)", NULL },
          { "--profile", FLAG_TEXT, "NAME",
            "a built-in profile of Privileged Identity, in the form of a `profile_file`", pi_profiles },
          END },
      .examples = (const struct command_example[]){
          { "config > jumpgate.conf", "a configuration to begin with" },
          { "config --profile json-v2", "the rows that a `profile_file` may replace" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "printed" },
          { EXIT_FAILED, "standard output cannot be written" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "version", .run = command_version,
      .summary = "print version, revision and build, and the versions of the libraries",
      .flags = (const struct command_flag[]){
          { "--json", FLAG_SWITCH, NULL, "print JSON", NULL },
          END },
      .examples = (const struct command_example[]){
          { "version", "what a report of a fault should contain" },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "printed" },
          { EXIT_FAILED, "standard output cannot be written" },
          { EXIT_USAGE, "the command line is wrong" },
          END } },
    { .name = "help", .run = command_help, .operands = "[COMMAND [SUB-COMMAND]]", .max_words = 2,
      .summary = "print the help of all commands, or of one",
      .forms = (const char *const[]){ "[COMMAND [SUB-COMMAND]]", "--man", "--doc", "--completion SHELL", NULL },
      .flags = (const struct command_flag[]){
          { "--man", FLAG_SWITCH, NULL, "the man page jumpgate(1)", NULL },
          { "--doc", FLAG_SWITCH, NULL, "the page docs/commands.md", NULL },
          { "--completion", FLAG_TEXT, "SHELL", "completion for a shell, one of", shells },
          END },
      .examples = (const struct command_example[]){
          { "help leases release", NULL },
          { "help --man > jumpgate.1", NULL },
          END },
      .exits = (const struct command_exit[]){
          { EXIT_DONE, "printed" },
          { EXIT_FAILED, "standard output cannot be written" },
          { EXIT_USAGE, "there is no such command" },
          END } },
    END
};
