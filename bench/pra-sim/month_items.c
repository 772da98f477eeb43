/* SPDX-License-Identifier: Apache-2.0 */
/*
 * month_items.c - names and properties of what is in made-up sessions; see month_items.h.
 */
#include "pra-sim/month_items.h"

#include "base/text.h"

#include <stdio.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

const char *const item_types[ITEM_NTYPES] = {[ITEM_JUMP_CLIENT] = "jump-client",
                                             [ITEM_RDP] = "remote-rdp",
                                             [ITEM_VNC] = "remote-vnc",
                                             [ITEM_SHELL] = "shell-jump",
                                             [ITEM_TUNNEL] = "protocol-tunnel-jump",
                                             [ITEM_WEB] = "web-jump",
                                             [ITEM_MYSQL] = "mysql-tunnel-jump",
                                             [ITEM_PSQL] = "psql-tunnel-jump",
                                             [ITEM_NETWORK] = "network-tunnel-jump"};

/* ---- people ---- */

static const struct {
    const char *plain, *shown;
} first_names[] = {{"ann", "Ann"},     {"maria", "María"},   {"joerg", "Jörg"},    {"li", "李"},
                   {"priya", "Priya"}, {"tom", "Tom"},       {"zoe", "Zoë"},       {"omar", "Omar"},
                   {"ines", "Inês"},   {"peter", "Peter"},   {"yuki", "Yuki"},     {"sean", "Seán"},
                   {"nadia", "Nadia"}, {"lukas", "Lukas"},   {"fatima", "Fatima"}, {"ivan", "Иван"},
                   {"grace", "Grace"}, {"noah", "Noah"},     {"elif", "Elif"},     {"david", "David"},
                   {"chloe", "Chloé"}, {"rafael", "Rafael"}, {"anna", "Anna"},     {"bjorn", "Bjørn"},
                   {"kofi", "Kofi"}},
  last_names[] = {{"rivera", "Rivera"}, {"obrien", "O'Brien"}, {"mueller", "Müller"}, {"chen", "Chen"},
                  {"patel", "Patel"},   {"smith", "Smith"},    {"nguyen", "Nguyễn"},  {"haddad", "Haddad"},
                  {"silva", "Silva"},   {"novak", "Novák"},    {"tanaka", "Tanaka"},  {"murphy", "Murphy"},
                  {"rossi", "Rossi"},   {"weber", "Weber"},    {"yilmaz", "Yılmaz"},  {"petrov", "Петров"},
                  {"jones", "Jones"},   {"larsen", "Larsen"},  {"kaya", "Kaya"},      {"mensah", "Mensah"}};

static const char *const desktops[] = {"Windows 11", "Windows 10", "macOS 14.5", "Ubuntu 24.04"};

void month_user(const struct month *m, uint64_t number, struct month_user *u)
{
    uint64_t first = number % COUNT(first_names), last = number / COUNT(first_names) % COUNT(last_names);
    uint64_t again = number / (COUNT(first_names) * COUNT(last_names));
    char suffix[24] = "";
    unsigned a = (unsigned)(number / 250 % 250), b = (unsigned)(number % 250);

    if (again)
        (void)snprintf(suffix, sizeof(suffix), "%llu", (unsigned long long)again + 1);
    u->id = (int64_t)number + 2;
    (void)snprintf(u->username, sizeof(u->username), "%s.%s%s", first_names[first].plain,
                   last_names[last].plain, suffix);
    (void)snprintf(u->display, sizeof(u->display), "%s %s%s%s", first_names[first].shown,
                   last_names[last].shown, *suffix ? " " : "", suffix);
    (void)snprintf(u->private, sizeof(u->private), "%s (%s)", u->display, u->username);
    if (number % 3)
        (void)snprintf(u->public_ip, sizeof(u->public_ip), "198.51.%u.%u:%u", a, b, 40000 + b);
    else
        (void)snprintf(u->public_ip, sizeof(u->public_ip), "[2001:db8::%x:%x]:%u", a, b, 40000 + b);
    (void)snprintf(u->private_ip, sizeof(u->private_ip), "10.1.%u.%u", a, b);
    (void)snprintf(u->hostname, sizeof(u->hostname), "pc-%05llu.acme.test", (unsigned long long)number);
    u->os = desktops[month_chance(m->opts.seed + number, 50) % COUNT(desktops)];
}

/* ---- groups and Jumpoints ---- */

void month_group(uint64_t number, char out[MONTH_TEXT])
{
    static const char *const names[] = {
        "Servers",       "Databases",         "Network",       "Workstations",
        "Web farm",      "Finance & Payroll", "Manufacturing", "Point of sale",
        "Backup",        "Directory",         "Mail",          "Laboratory",
        "Zürich",        "Vendors",           "Development",   "Test",
        "Disaster site", "Building control",  "Kubernetes",    "Legacy <AS/400>"};

    if (number < COUNT(names))
        (void)snprintf(out, MONTH_TEXT, "%s", names[number]);
    else
        (void)snprintf(out, MONTH_TEXT, "Group %llu", (unsigned long long)number + 1);
}

void month_jumpoint(uint64_t number, char out[MONTH_TEXT])
{
    if (number < 2)
        (void)snprintf(out, MONTH_TEXT, "%s", number ? "Branch office" : "Head office");
    else
        (void)snprintf(out, MONTH_TEXT, "Site %llu", (unsigned long long)number + 1);
}

/* ---- Jump items ---- */

uint64_t month_nitems(const struct month *m)
{
    return m->opts.endpoints + m->opts.users;
}

enum item_type month_item_type(const struct month *m, uint64_t number)
{
    static const enum item_type pattern[] = {
        ITEM_RDP,   ITEM_SHELL,       ITEM_RDP,    ITEM_JUMP_CLIENT, ITEM_WEB,   ITEM_RDP,
        ITEM_SHELL, ITEM_RDP,         ITEM_TUNNEL, ITEM_RDP,         ITEM_SHELL, ITEM_RDP,
        ITEM_WEB,   ITEM_JUMP_CLIENT, ITEM_SHELL,  ITEM_VNC,         ITEM_RDP,   ITEM_MYSQL,
        ITEM_SHELL, ITEM_JUMP_CLIENT, ITEM_PSQL,   ITEM_NETWORK};

    return pattern[month_chance(m->opts.seed + number, 51) % COUNT(pattern)];
}

int64_t month_item_id(const struct month *m, uint64_t number)
{
    return (int64_t)number + 1 + (int64_t)month_item_type(m, number);
}

static const char *os_of(enum item_type type, uint64_t chance)
{
    static const char *const windows[] = {"Windows Server 2022", "Windows Server 2019", "Windows 10"};
    static const char *const unix_like[] = {"Debian GNU/Linux 12", "Red Hat Enterprise Linux 9", "Cisco IOS"};

    if (type == ITEM_SHELL || type == ITEM_MYSQL || type == ITEM_PSQL)
        return unix_like[chance % COUNT(unix_like)];
    return type == ITEM_WEB || type == ITEM_NETWORK || type == ITEM_TUNNEL ? "Unknown"
                                                                           : windows[chance % COUNT(windows)];
}

static void name_item(const struct month *m, struct month_item *i)
{
    static const char *const roles[] = {"web", "db", "fs", "dc", "app", "mail", "sw", "build"};
    unsigned long long n = i->number;

    if (i->external)
        (void)snprintf(i->name, sizeof(i->name), "vaulted-%03llu", n - month_nitems(m));
    else if (i->personal)
        (void)snprintf(i->name, sizeof(i->name), "Lab %llu", n - m->opts.endpoints + 1);
    else if (n % 97 == 5)
        (void)snprintf(i->name, sizeof(i->name), "Kiosk \"A&B\" <lobby> %llu", n);
    else if (n % 89 == 7)
        (void)snprintf(i->name, sizeof(i->name), "Röntgen Zürich %llu 東京", n);
    else
        (void)snprintf(i->name, sizeof(i->name), "%s-%05llu", roles[n % COUNT(roles)], n);
    (void)snprintf(i->hostname, sizeof(i->hostname), "h%05llu.acme.test", n);
}

void month_item(const struct month *m, uint64_t number, struct month_item *i)
{
    uint64_t chance = month_chance(m->opts.seed + number, 52);

    *i = (struct month_item){.number = number,
                             .type = month_item_type(m, number),
                             .id = month_item_id(m, number),
                             .personal = number >= m->opts.endpoints && number < month_nitems(m),
                             .external = number >= month_nitems(m)};
    name_item(m, i);
    i->jumpoint = i->type == ITEM_JUMP_CLIENT ? -1 : (int64_t)(chance % m->opts.jumpoints);
    i->os = os_of(i->type, chance >> 8);
    (void)snprintf(i->private_ip, sizeof(i->private_ip), "10.%u.%u.%u", (unsigned)(2 + number / 62500 % 200),
                   (unsigned)(number / 250 % 250), (unsigned)(number % 250 + 1));
    if (i->personal) {
        struct month_user owner;
        month_user(m, number - m->opts.endpoints, &owner);
        i->group_id = owner.id;
        (void)text_copy(i->group, sizeof(i->group), owner.private);
        return;
    }
    i->group_id = (int64_t)(number % m->opts.groups) + 1;
    month_group((uint64_t)i->group_id - 1, i->group);
}
