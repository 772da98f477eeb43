/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture_worked.c - the data of the worked sequences, with fixed ids, as scenarios.
 *
 * Maria Rivera may request on ledger01 (17), pay-db2 (22, with approval), web07 (31) and keyhost (40); T. Koh
 * has a second factor; a manager approves; an outsider is in no group with the key; a guest may use the key
 * but has no role; an application user signs in by token. Cookies are prepared for the first sign-in of each.
 */
#include "passwordsafe-sim/scenario.h"

#include <stddef.h>

#define KEY_TEXT                                                                                             \
    "-----BEGIN RSA PRIVATE KEY-----\\r\\nProc-Type: 4,ENCRYPTED\\r\\n"                                      \
    "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\\r\\n\\r\\n"                                     \
    "TUFERS1VUC1CT0RZ\\r\\n-----END RSA PRIVATE KEY-----\\r\\n"

const char *const fixture_worked[] = {
    "{\"settings\":{\"next_request_id\":9114,\"require_mfa\":true},"
    "\"policies\":["
    "{\"id\":1,\"name\":\"Secure Remote Access Approval Policy\",\"description\":\"all day, auto-approve\","
    "\"schedules\":[{\"id\":11}]},"
    "{\"id\":2,\"name\":\"Database changes\",\"schedules\":[{\"id\":12,\"min_approvers\":1}]},"
    "{\"id\":3,\"name\":\"Reason and ticket\",\"schedules\":"
    "[{\"id\":13,\"require_reason\":true,\"require_ticket\":true,\"ticket_system\":5}]}],"
    "\"groups\":["
    "{\"id\":1,\"name\":\"Secure Remote Access Requesters\",\"grants\":["
    "{\"rule\":\"servers\",\"roles\":[\"requestor\"],\"policy\":\"Secure Remote Access Approval Policy\"},"
    "{\"rule\":\"databases\",\"roles\":[\"requestor\"],\"policy\":\"Database changes\"},"
    "{\"rule\":\"tickets\",\"roles\":[\"requestor\"],\"policy\":\"Reason and ticket\"}]},"
    "{\"id\":2,\"name\":\"Approvers\",\"grants\":[{\"rule\":\"databases\",\"roles\":[\"approver\"]}]},"
    "{\"id\":3,\"name\":\"Key only\"},"
    "{\"id\":4,\"name\":\"No key\",\"registration\":false},"
    "{\"id\":5,\"name\":\"Directory readers\",\"permissions\":[\"systems\",\"users\",\"policies\"]},"
    "{\"id\":6,\"name\":\"Quarantine\",\"permissions\":[\"quarantine\"]}]}",

    "{\"users\":["
    "{\"id\":41,\"name\":\"ACME\\\\mrivera\",\"display\":\"Maria Rivera\",\"email\":\"m.rivera@acme.test\","
    "\"sid\":\"S-1-5-21-111-222-333-1107\",\"groups\":[\"Secure Remote Access Requesters\"],"
    "\"password\":\"ma;ria]x\",\"cookies\":[\"q3v0mzt1h2xk5c4n\"]},"
    "{\"id\":42,\"name\":\"ACME\\\\jdoe\",\"display\":\"J. Doe\",\"groups\":[\"Secure Remote Access "
    "Requesters\"]},"
    "{\"id\":50,\"name\":\"ACME\\\\boss\",\"display\":\"The Approver\",\"groups\":[\"Approvers\"],"
    "\"cookies\":[\"zz81approver0session\"]},"
    "{\"id\":58,\"name\":\"ACME\\\\tkoh\",\"display\":\"T. Koh\",\"mfa\":\"402117\","
    "\"password\":\"winter Sun 9\",\"groups\":[\"Secure Remote Access Requesters\"],"
    "\"cookies\":[\"m77qf0challenge\"]},"
    "{\"id\":60,\"name\":\"ACME\\\\outsider\",\"display\":\"Out Sider\",\"groups\":[\"No key\"]},"
    "{\"id\":61,\"name\":\"ACME\\\\guest\",\"display\":\"A Guest\",\"groups\":[\"Key only\"]},"
    "{\"id\":62,\"name\":\"svc-directory\",\"display\":\"\",\"groups\":[\"Directory readers\"]},"
    "{\"id\":63,\"name\":\"svc-quarantine\",\"display\":\"\",\"groups\":[\"Quarantine\"]},"
    "{\"id\":70,\"name\":\"pra-gateway\",\"display\":\"PRA gateway\",\"application\":true,"
    "\"groups\":[\"Secure Remote Access Requesters\"]}]}",

    "{\"systems\":["
    "{\"id\":17,\"name\":\"ledger01\",\"platform\":2,\"ip\":\"10.20.0.17\"},"
    "{\"id\":22,\"name\":\"pay-db2\",\"platform\":8,\"ip\":\"10.20.0.22\"},"
    "{\"id\":30,\"name\":\"acme.test\",\"platform\":12,\"directory\":true},"
    "{\"id\":31,\"name\":\"web07\",\"platform\":25,\"ip\":\"10.20.0.31\"},"
    "{\"id\":32,\"name\":\"web08\",\"platform\":25,\"ip\":\"10.20.0.32\"},"
    "{\"id\":40,\"name\":\"keyhost\",\"platform\":2,\"ip\":\"10.20.0.40\"},"
    "{\"id\":45,\"name\":\"tick01\",\"platform\":2,\"ip\":\"10.20.0.45\"}]}",

    "{\"accounts\":["
    "{\"id\":203,\"system\":17,\"name\":\"root\",\"rules\":[\"servers\"],"
    "\"password\":\"Tr0ut\\\\lamp\\\"42&co\","
    "\"last_change\":\"2026-03-02T21:14:07.32\",\"next_change\":\"2026-04-01T23:30:00\"},"
    "{\"id\":204,\"system\":17,\"name\":\"backup\",\"rules\":[\"servers\"],\"api_enabled\":false},"
    "{\"id\":310,\"system\":22,\"name\":\"oracle\",\"rules\":[\"databases\"]},"
    "{\"id\":507,\"system\":30,\"name\":\"adm-mrivera\",\"domain\":\"acme.test\","
    "\"upn\":\"adm-mrivera@acme.test\",\"rules\":[\"servers\"],\"description\":\"tier 1\","
    "\"max_duration\":480,\"last_change\":\"2026-03-01T23:30:41.2\"},"
    "{\"id\":601,\"system\":45,\"name\":\"deploy\",\"rules\":[\"tickets\"]}],"
    "\"links\":[{\"system\":31,\"account\":507},{\"system\":32,\"account\":507}],"
    "\"oauth_clients\":[{\"id\":\"6b1f0c52-aaaa-bbbb\",\"secret\":\"s+cr/et\",\"user\":\"pra-gateway\","
    "\"token\":\"eyJhbGciOiJSUzI1NiJ9.e30.c2ln\"}]}",

    "{\"accounts\":[{\"id\":410,\"system\":40,\"name\":\"deploy\",\"rules\":[\"servers\"],"
    "\"key\":\"" KEY_TEXT "\",\"passphrase\":\"plum-Orbit-77\"}]}",
    NULL,
};
