/*
 * conf_paths.h - checks the files that a configuration names: existence, contents, permissions.
 *
 * Each must be a readable, regular file that is not empty. For a file with a secret there is a warning unless
 * its owner alone can read it; credentials of the service manager are exempt, since it protects their
 * directory. PEM files are read with OpenSSL; a certificate must belong to its key, and be strong enough for
 * the security level of this machine: otherwise the first connection would fail. A path that users other than
 * its owner and root could change is refused (base/safe_path.h).
 *
 * `sound`: one flag for each row of the table, set where conf_file_check() was true; checks of contents pass
 * over the other files, which have their message already.
 */
#ifndef JG_CONF_TABLE_CONF_PATHS_H
#define JG_CONF_TABLE_CONF_PATHS_H

#include "base/safe_path.h"
#include "conf/table/conf_draft.h"

/* The file that the key of this row names; NULL = none. */
const char *conf_file_of(const struct conf_part *, const struct conf_row *);
/* Is it in the directory of the service manager's credentials? */
bool conf_is_credential(const char *path);
/* Errors go into the draft. True = the file is good, and a check of its contents may follow. */
bool conf_file_check(struct conf_draft *, const struct conf_part *, const struct conf_row *);

/* A certificate and its private key. */
void conf_check_pair(struct conf_draft *, const struct conf_part *, const bool *sound, const char *cert_key,
                     const char *key_key);
/* A file of certificates. */
void conf_check_authority(struct conf_draft *, const struct conf_part *, const bool *sound, const char *key);
/* A revocation list. */
void conf_check_list(struct conf_draft *, const struct conf_part *, const bool *sound, const char *key);
/* A secret of one line. `forbidden`: characters that would end the value in an HTTP header. */
void conf_check_line(struct conf_draft *, const struct conf_part *, const bool *sound, const char *key,
                     const char *forbidden);

/* No user but the owners can change the path; `what` names it in the message. */
void conf_check_way(struct conf_draft *, unsigned line, const char *what, const char *path,
                    const struct safe_path_owners *);
/* The same of the folder of a file that is written, as a warning. */
void conf_check_folder(struct conf_draft *, const struct conf_part *, const char *key, const char *file,
                       const struct safe_path_owners *);

#endif
