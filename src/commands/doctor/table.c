/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - the stages of the doctor; see table.h.
 */
#include "commands/doctor/table.h"

const struct doctor_row doctor_rows[STAGE_N] = {
    [STAGE_CONFIGURATION] =
        {"configuration", 1,
         "the file, as `jumpgate check` does; which vault. Also: the doctor itself could not "
         "work"},
    [STAGE_SECRETS] = {"secrets", 10,
                       "key, password and client certificate: still readable, and whether the key has the "
                       "form of one"},
    [STAGE_MAPPING] = {"mapping", 11,
                       "the vault users that the `run_as` rules make of the PRA user, template by template; "
                       "a name that the gateway refuses, or cannot write, fails here. With OAuth the one "
                       "identity of all users"},
    [STAGE_DNS] = {"dns", 12, "the vault's name (or the proxy's) and its addresses"},
    [STAGE_TCP] = {"tcp", 13, "a connection to each address; through a proxy also the tunnel to the vault"},
    [STAGE_TLS] = {"tls", 14,
                   "the issuer of the certificate, its names, how many days are left; whether the vault "
                   "accepts the client certificate, or the lack of one. Verification is never off"},
    [STAGE_API] = {"api", 15, "the API's base answers; path of the `url`; version not disabled (410)"},
    [STAGE_SIGN_IN] = {"sign_in", 16,
                       "each candidate of the mapping; the eight causes of a refusal; whether "
                       "`directory_user` reads the vault's systems"},
    [STAGE_ROLE] = {"role", 17,
                    "the list of all accounts is answered; is there any account this user may request?"},
    [STAGE_LIST] = {"list", 18, "the queries of a find for the host: each name form, each kind of account"},
    [STAGE_POLICY] = {"policy", 19,
                      "is the access policy open now, does it require a reason, a ticket or an approval?"},
    [STAGE_STORE_REACH] = {"store_reach", 21, "a connection, with TLS, to each member of etcd"},
    [STAGE_STORE_API] = {"store_api", 22, "the JSON gateway of each member, and its version"},
    [STAGE_STORE_SIGN_IN] = {"store_sign_in", 23,
                             "etcd takes user and password, and shows the keys below `prefix`"},
    [STAGE_STORE_QUORUM] = {"store_quorum", 24, "a leader, three or five members, no alarm"},
    [STAGE_STORE_WRITE] = {"store_write", 25,
                           "a nested transaction on a key of the doctor's own, which it removes; how long it "
                           "takes"},
    [STAGE_STORE_HISTORY] = {"store_history", 26,
                             "the history is compacted; the database has less than half of its quota, or of "
                             "2 GB, the default, where etcd does not say its quota (3.4 does not)"},
    [STAGE_STORE_CLUSTER] = {"cluster", 27,
                             "the schema; the leases were not moved; the vaults agree; the name of the node "
                             "is free, or this gateway's; the clocks of the members"},
    [STAGE_CLOCK] = {"clock", 20, "the vault's clock against this machine's, a minute apart at most"},
    [STAGE_PROBE] =
        {"probe", 50,
         "with `--probe`: what was seen of a Privileged Identity fits the profile and the configuration"},
    [STAGE_PRA_SECRET] = {"pra_secret", 30, "the client secret can be read and is not empty"},
    [STAGE_PRA_DNS] = {"pra_dns", 31, "the site's name (or the proxy's)"},
    [STAGE_PRA_TCP] = {"pra_tcp", 32, "a connection; through a proxy also the tunnel to the site"},
    [STAGE_PRA_TLS] = {"pra_tls", 33, "the certificate: issuer, name, end"},
    [STAGE_PRA_PROBE] = {"pra_probe", 34,
                         "`/check_health` answers as a site does, and calls the site healthy"},
    [STAGE_PRA_TOKEN] = {"pra_token", 35, "the account gets a token"},
    [STAGE_PRA_COMMAND] = {"pra_command", 36, "the Command API answers `get_api_info` with that token"},
    [STAGE_PRA_PERMISSIONS] =
        {"pra_permissions", 37,
         "each permission that a configured feature needs; which of the vendor's own lists "
         "are complete"},
    [STAGE_PRA_ROLE] = {"pra_role", 38,
                        "failover role, the site's own error message, age of the last data synchronisation"},
    [STAGE_PRA_CLOCK] = {"pra_clock", 39, "the site's clock against this machine's, a minute apart at most"},
    [STAGE_PRA_REPORTING] = {"pra_reporting", 40, "one listing of the last minute"},
    [STAGE_PRA_JUMPOINT] = {"pra_jumpoint", 41, "each Jumpoint of `jumpoints`: known, enabled, connected"},
    [STAGE_LISTENER] = {"listener", 60,
                        "each `address` can be bound, or is served by the running gateway; mode, owner and "
                        "group of a Unix socket; each `peer_uid` can open one"},
    [STAGE_CERTIFICATE] = {"certificate", 61,
                           "certificates, keys and revocation lists of listeners and client certificates: "
                           "dates, whether the key fits, chain, names, purpose"},
    [STAGE_STATE] = {"state", 62,
                     "`state_dir`: owner and mode; the lease store can be read and is not damaged"},
    [STAGE_DISK] = {"disk", 63, "space and inodes where the state, the audit trail and the log file are"},
};

void doctor_table_print(enum doctor_stage from, enum doctor_stage to, struct buf *out)
{
    for (; from < to; from++)
        (void)buf_printf(out, "| %d | `%s` | %s |\n", doctor_rows[from].exit_code, doctor_rows[from].name,
                         doctor_rows[from].what);
}
