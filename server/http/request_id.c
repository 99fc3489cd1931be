/* Request ids and trace contexts. */
#include "http/request_id.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { ID_BYTES = 8 }; /* random bytes of an id we make */

bool request_id_valid(const char *id)
{
    size_t length = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    return length >= 1 && length <= HTTP_ID_MAX && id[length] == '\0';
}

void request_id_make(char id[HTTP_ID_MAX + 1])
{
    unsigned char bytes[ID_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        memset(bytes, 0, sizeof bytes); /* cannot happen once the kernel has booted */
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

bool traceparent_valid(const char *text)
{
    static const char form[] = "00-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";

    if (strlen(text) != HTTP_TRACEPARENT_MAX)
        return false;
    for (size_t i = 0; i < HTTP_TRACEPARENT_MAX; i++)
        if (form[i] == 'x' ? strchr("0123456789abcdef", text[i]) == NULL : text[i] != form[i])
            return false;
    return strspn(text + 3, "0") < 32 && strspn(text + 36, "0") < 16;
}
