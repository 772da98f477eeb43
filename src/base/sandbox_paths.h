/*
 * sandbox_paths.h - the files of a program as rules of its sandbox (sandbox.h).
 *
 * Files are allowed by directory, because certificates, keys, logs and resolv.conf are renewed by renaming: a
 * rule for a file would apply to the old file alone. A link is allowed together with the directory of its
 * target.
 *
 *     sandbox_paths_new -> _path, _file … -> sandbox_paths_restrict, which frees it
 */
#ifndef JG_BASE_SANDBOX_PATHS_H
#define JG_BASE_SANDBOX_PATHS_H

#include "base/sandbox.h"

#include <stdbool.h>
#include <stddef.h>

struct sandbox_paths;

/* With what the C library, OpenSSL and libcurl read to resolve names and to check certificates; `files` = how
 * many more come at most. NULL when out of memory. */
struct sandbox_paths *sandbox_paths_new(size_t files);
/* A directory, or a file that is never renewed. NULL is fine. */
void sandbox_paths_path(struct sandbox_paths *, const char *path, unsigned access);
/* The directory of a file, and that of the target of a link. NULL and "" are fine. */
void sandbox_paths_file(struct sandbox_paths *, const char *path, unsigned access);
/* Restricts the process to them. As sandbox_files(); -ENOMEM for NULL. */
int sandbox_paths_restrict(struct sandbox_paths *);

/* A service manager with an abstract socket must stay reachable. */
bool sandbox_manager_is_abstract(void);

#endif
