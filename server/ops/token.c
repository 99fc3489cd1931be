/* Tokens. */
#include "ops/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TOKEN_MAX = 4096 };

enum vgg_status token_read(const char *path, char **token, struct vgg_error *error)
{
    char line[TOKEN_MAX + 1];
    FILE *file = fopen(path, "re");
    size_t length;

    if (file == NULL)
        return vgg_fail(error, VGG_IO, "token file %s: %s", path, strerror(errno));
    length = fread(line, 1, sizeof line - 1, file);
    if (ferror(file) != 0) {
        int reason = errno;

        fclose(file);
        return vgg_fail(error, VGG_IO, "token file %s: %s", path, strerror(reason));
    }
    fclose(file);
    line[length] = '\0';
    if (strcspn(line, "\r\n") == TOKEN_MAX)
        return vgg_fail(error, VGG_BAD_ARGUMENT, "token file %s: its first line is over %d bytes",
                        path, TOKEN_MAX - 1);
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '\0')
        return vgg_fail(error, VGG_BAD_ARGUMENT, "token file %s: its first line is empty", path);
    *token = strdup(line);
    return *token != NULL ? VGG_OK : vgg_fail(error, VGG_NO_MEMORY, "out of memory");
}

bool token_matches(const char *token, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    size_t token_length = strlen(token), length;
    unsigned char difference;

    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
        return false;
    authorization += sizeof scheme - 1;
    length = strlen(authorization);
    difference = length != token_length;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)(authorization[i] ^ token[i % token_length]);
    return difference == 0;
}
