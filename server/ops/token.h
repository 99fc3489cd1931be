/* Bearer tokens of clients and operators. */
#ifndef TOKEN_H
#define TOKEN_H

#include "vgg.h"

/* Read a file's first line. The caller frees *token. Errors: IO, BAD_ARGUMENT (empty), NO_MEMORY.
 */
enum vgg_status token_read(const char *path, char **token, struct vgg_error *error);

/* Does an Authorization header (or NULL) carry the token? Takes the same time wherever they differ.
 */
bool token_matches(const char *token, const char *authorization);

#endif
