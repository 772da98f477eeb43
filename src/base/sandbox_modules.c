/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox_modules.c - modules of the C library that are loaded before the fence goes up; see sandbox.h.
 *
 * Behind the fence no library can be mapped. The C library loads the modules that nsswitch.conf names when a
 * name is first looked up, and finds one that is loaded already by its file name. `files` and `dns` are part
 * of the C library itself; a module that is missing is missing to the C library as well.
 */
#include "base/sandbox.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "/etc/nsswitch.conf"
#define LINE_SIZE 512

static void load_module(const char *service)
{
    char name[96];

    if (strlen(service) < sizeof(name) - sizeof("libnss_.so.2"))
        (void)snprintf(name, sizeof(name), "libnss_%s.so.2", service);
    else
        return;
    (void)dlopen(name, RTLD_NOW | RTLD_NODELETE); /* never closed: the C library will want it */
}

/* `hosts: files mdns4_minimal [NOTFOUND=return] dns` */
static void load_line(char *line)
{
    static const char *const databases[] = {"hosts", "passwd", "group", "initgroups"};
    char *rest = NULL, *database = strtok_r(line, " \t:", &rest);

    for (size_t i = 0; database && i < sizeof(databases) / sizeof(databases[0]); i++) {
        if (strcmp(database, databases[i]) != 0)
            continue;
        for (char *word = strtok_r(NULL, " \t\n", &rest); word && *word != '#';
             word = strtok_r(NULL, " \t\n", &rest))
            if (*word != '[' && strchr(word, '=') == NULL && strchr(word, ']') == NULL)
                load_module(word);
        return;
    }
}

void sandbox_load_modules(void)
{
    char line[LINE_SIZE];
    FILE *f = sandbox_possible() ? fopen(FILE_NAME, "re") : NULL;

    if (!f)
        return;
    while (fgets(line, sizeof(line), f))
        load_line(line);
    (void)fclose(f);
}
