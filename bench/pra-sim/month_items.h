/*
 * month_items.h - people, endpoints, jump groups and Jumpoints of made-up sessions.
 *
 * A Jump item is its number: shared ones first, then one personal item for each user, then some that only a
 * search of external Jump items finds and no inventory has.
 */
#ifndef PRA_SIM_MONTH_ITEMS_H
#define PRA_SIM_MONTH_ITEMS_H

#include "pra-sim/month.h"

#define MONTH_EXTERNAL 50
#define MONTH_TEXT     96

enum item_type { /* the path of the Configuration API and the word of reports */
                 ITEM_JUMP_CLIENT,
                 ITEM_RDP,
                 ITEM_VNC,
                 ITEM_SHELL,
                 ITEM_TUNNEL,
                 ITEM_WEB,
                 ITEM_MYSQL,
                 ITEM_PSQL,
                 ITEM_NETWORK,
                 ITEM_NTYPES
};

extern const char *const item_types[ITEM_NTYPES];

struct month_item {
    uint64_t number;
    int64_t id; /* unique within its type */
    enum item_type type;
    char name[MONTH_TEXT], hostname[MONTH_TEXT];
    bool personal, external;
    int64_t group_id;
    char group[MONTH_TEXT];
    int64_t jumpoint; /* from 0; -1 = none */
    char private_ip[16];
    const char *os;
};

struct month_user {
    int64_t id;
    char username[MONTH_TEXT], display[MONTH_TEXT], private[2 * MONTH_TEXT + 4];
    char public_ip[64], private_ip[16], hostname[MONTH_TEXT];
    const char *os;
};

/* Of the inventory: shared and personal ones. */
uint64_t month_nitems(const struct month *);
enum item_type month_item_type(const struct month *, uint64_t number);
int64_t month_item_id(const struct month *, uint64_t number);
void month_item(const struct month *, uint64_t number, struct month_item *);
void month_user(const struct month *, uint64_t number, struct month_user *);
void month_group(uint64_t number, char out[MONTH_TEXT]); /* from 0; its id is one more */
void month_jumpoint(uint64_t number, char out[MONTH_TEXT]);

#endif
