/*
 * sandbox.h - what a process gives up, so that an attacker inside it can do little.
 *
 * Five restrictions, none specific to the gateway: dumps (no core, no debugger of the same user),
 * capabilities, users, files (Landlock) and system calls (seccomp). Each can be made narrower and never
 * wider. Those of capabilities and files apply to the calling thread and to the threads it starts later, so
 * they are set before there are threads. The restriction of system calls applies to all threads at once and
 * is set last, when the start needs to open, bind and map nothing more.
 *
 * A build with sanitizers restricts dumps alone, because a sanitizer traces, forks and reads any file.
 *
 * Not here: what the gateway needs (commands/run/sandbox_policy.c).
 */
#ifndef JG_BASE_SANDBOX_H
#define JG_BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum sandbox_access {
    SANDBOX_READ = 1,    /* files and directories below the path */
    SANDBOX_WRITE = 2,   /* files below it: make, write, rename within their directory, remove */
    SANDBOX_SOCKET = 4,  /* make and remove Unix sockets in it */
    SANDBOX_REPLACE = 8, /* files come and go by renaming there: the rule is for the file's directory */
};

struct sandbox_path {
    const char *path; /* NULL and what does not exist are skipped */
    unsigned access;
};

/* False in a build with sanitizers: then the calls below do nothing and say they did. */
bool sandbox_possible(void);

/* No core dumps, no tracing by processes of the same user, new files for the owner alone. 0 or -errno. */
int sandbox_no_dumps(void);

/* Gives up all capabilities but the bits of `keep` (1 << CAP_...), for ever. 0 or -errno. */
int sandbox_capabilities(uint64_t keep);
bool sandbox_has_capabilities(void); /* any at all */

/* From root to another user with its groups, for ever, while there is one thread. Capabilities stay permitted
 * until sandbox_capabilities(), which must follow. 0 or -errno. */
int sandbox_user(const char *name, uid_t, gid_t);

#define SANDBOX_SCOPES 6 /* version of Landlock from which signals and abstract sockets are restricted */
/* Version of Landlock that is now in force, 0 where the kernel has none, or -errno. `abstract`: abstract Unix
 * sockets of other processes stay in reach. */
int sandbox_files(const struct sandbox_path *paths, size_t n, bool abstract);

/* Loads what the C library would load later to look up names: after sandbox_calls() it cannot. */
void sandbox_load_modules(void);

/* The kernel makes no io_uring for this process any more: calls over a ring pass no list of system calls, and
 * a ring that is there would have to be served. Before the loop is opened. 0 or -errno. */
int sandbox_no_rings(void);

enum sandbox_calls {
    SANDBOX_ONLY_LOG = 1,     /* what is outside the list is noted in the kernel's log, and done */
    SANDBOX_UNIX_STREAMS = 2, /* Unix sockets may be made, streams alone: for a server on such a socket */
};
/*
 * From now on a system call outside the list ends the process. Nothing can be mapped as code and no Unix
 * socket can be made; those two are refused with EACCES where a library of the system might try. `with`: bits
 * of enum sandbox_calls. 0 or -errno.
 */
int sandbox_calls(unsigned with);

#endif
