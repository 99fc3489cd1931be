/* Reading Accept-Encoding. */
#include "api/accept_encoding.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *skip(const char *text)
{
    return text + strspn(text, " \t");
}

/* "0", "0.5", "1.000" in thousandths, -1 for anything else. */
static int parse_weight(const char *text, size_t length)
{
    int weight;

    if (length == 0 || length > 5 || (text[0] != '0' && text[0] != '1') ||
        (length > 1 && text[1] != '.'))
        return -1;
    weight = (text[0] - '0') * 1000;
    for (size_t i = 2, unit = 100; i < length; i++, unit /= 10) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        weight += (text[i] - '0') * (int)unit;
    }
    return weight <= 1000 ? weight : -1;
}

/* The weight among the parameters of an item (behind its name), 1000 where there is none. */
static int find_weight(const char *text)
{
    for (text = skip(text); *text == ';'; text = skip(text + strcspn(text, ";,"))) {
        text = skip(text + 1);
        if (strncasecmp(text, "q=", 2) == 0)
            return parse_weight(text + 2, strcspn(text + 2, " \t;,"));
    }
    return 1000;
}

void accept_encoding_add(struct accept_encoding *wish, const char *header)
{
    for (const char *at = header + strspn(header, ", \t"); *at != '\0'; at += strspn(at, ", \t")) {
        size_t length = strcspn(at, ",; \t");
        int weight = find_weight(at + length);

        if ((length == 4 && strncasecmp(at, "gzip", 4) == 0) ||
            (length == 6 && strncasecmp(at, "x-gzip", 6) == 0))
            wish->gzip = weight;
        else if (length == 8 && strncasecmp(at, "identity", 8) == 0)
            wish->identity = weight;
        else if (length == 1 && *at == '*')
            wish->any = weight;
        at += strcspn(at, ",");
    }
}

bool accept_encoding_gzip(const struct accept_encoding *wish)
{
    int gzip = wish->gzip >= 0 ? wish->gzip : wish->any;

    return gzip > 0 && gzip >= wish->identity;
}
