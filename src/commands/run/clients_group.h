/*
 * clients_group.h - the group whose members may open the gateway's Unix sockets where `unix_group` is not
 * set.
 *
 * The package makes the group jumpgate-clients and puts the gateway's user into it. A client then needs no
 * more than membership in that group.
 */
#ifndef JG_COMMANDS_RUN_CLIENTS_GROUP_H
#define JG_COMMANDS_RUN_CLIENTS_GROUP_H

#define CLIENTS_GROUP "jumpgate-clients"

/* CLIENTS_GROUP where there is such a group and the process is in it, else NULL. */
const char *clients_group(void);

#endif
