/* Reading values. */
#include "process/option_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "process/clock.h"
#include "process/suggestion.h"

/* ---------------------------------------------------------------- numbers -------------------- */

/* A whole number in decimal, nothing else. */
static bool parse_whole(const char *text, uint64_t *value)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* A number, perhaps with a fraction, and what follows it. */
static bool parse_number(const char *text, double *value, const char **suffix)
{
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    *value = strtod(text, &end);
    *suffix = end;
    return isfinite(*value) && end[-1] != 'x' && strpbrk(text, "xXnN") == NULL;
}

bool level_parse(const char *text, double *level)
{
    const char *suffix;

    return parse_number(text, level, &suffix) && *suffix == '\0' && *level > 0 && *level <= 1;
}

static bool to_integer(double value, uint64_t *out)
{
    if (!(value >= 0 && value < 0x1p63))
        return false;
    *out = (uint64_t)value;
    return true;
}

static bool parse_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMG";
    const char *suffix, *unit;
    double value;

    if (!parse_number(text, &value, &suffix))
        return false;
    unit = suffix[0] != '\0' ? strchr(units, suffix[0]) : NULL;
    if (unit != NULL) {
        value = ldexp(value, 10 * (int)(unit - units + 1));
        suffix++;
        if (suffix[0] == 'i')
            suffix++;
    }
    if (suffix[0] == 'B')
        suffix++;
    return *suffix == '\0' && to_integer(value, bytes);
}

static bool parse_duration(const char *text, uint64_t *ns)
{
    const char *suffix;
    double value, unit = NS_PER_S;

    if (!parse_number(text, &value, &suffix))
        return false;
    if (strcmp(suffix, "ms") == 0)
        unit = NS_PER_MS;
    else if (strcmp(suffix, "m") == 0)
        unit = 60.0 * NS_PER_S;
    else if (strcmp(suffix, "s") != 0 && *suffix != '\0')
        return false;
    return to_integer(value * unit, ns);
}

/* ---------------------------------------------------------------- words ---------------------- */

static bool parse_switch(const char *text, bool *value)
{
    *value = strcmp(text, "on") == 0;
    return *value || strcmp(text, "off") == 0;
}

bool switch_parse_request(const char *text, bool *value)
{
    static const char *const words[] = {"off", "on", "0", "1", "false", "true"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(text, words[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    return false;
}

/* Which of the words in "dense|both" it is. */
static bool parse_choice(const char *words, const char *text, uint32_t *index)
{
    size_t length = strlen(text);

    for (*index = 0; *words != '\0'; ++*index) {
        size_t word = strcspn(words, "|");

        if (word == length && strncmp(words, text, length) == 0)
            return true;
        words += word + (words[word] == '|');
    }
    return false;
}

/* ---------------------------------------------------------------- lists ---------------------- */

bool scales_parse(const char *text, struct option_scales *scales, char *reason, size_t reason_size)
{
    uint32_t found[4 * VGG_SCALES_MAX];
    size_t n = 0;

    for (;;) {
        uint64_t value;
        char *end;

        if (n == sizeof found / sizeof *found) {
            snprintf(reason, reason_size, "at most %d scales", VGG_SCALES_MAX);
            return false;
        }
        errno = 0;
        value = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : 0;
        if (value < 1 || value > VGG_SCALE_MAX || errno != 0 || (*end != ',' && *end != '\0')) {
            snprintf(reason, reason_size,
                     "whole numbers of pixels up to %d, separated by commas, as in 256,384,512",
                     VGG_SCALE_MAX);
            return false;
        }
        found[n++] = (uint32_t)value;
        if (*end == '\0')
            break;
        text = end + 1;
    }
    n = vgg_scales_normalise(found, n);
    if (n > VGG_SCALES_MAX) {
        snprintf(reason, reason_size, "at most %d scales", VGG_SCALES_MAX);
        return false;
    }
    memcpy(scales->scales, found, n * sizeof *found);
    scales->n = n;
    return true;
}

/* ---------------------------------------------------------------- one option ----------------- */

static bool in_range(const struct option *option, uint64_t value, char *reason)
{
    if (option->max == 0 || (value >= option->min && value <= option->max))
        return true;
    if (option->kind == OPTION_DURATION)
        snprintf(reason, OPTION_REASON_BYTES, "must be from %gs to %gs",
                 (double)option->min / NS_PER_S, (double)option->max / NS_PER_S);
    else
        snprintf(reason, OPTION_REASON_BYTES, "must be from %" PRIu64 " to %" PRIu64, option->min,
                 option->max);
    return false;
}

/* Store a checked number in the field's own width. */
static bool set_number(const struct option *option, const char *text, void *field, char *reason)
{
    const char *form = "must be a whole number";
    uint64_t value = 0;
    bool parsed;

    switch (option->kind) {
    case OPTION_SIZE:
        form = "must be a size such as 16MiB, 512K or 1048576";
        parsed = parse_size(text, &value);
        break;
    case OPTION_DURATION:
        form = "must be a duration such as 5s, 250ms or 1m";
        parsed = parse_duration(text, &value);
        break;
    case OPTION_GMAC: {
        const char *suffix = "";
        double gmac = 0;

        form = "must be a number of GMAC (1e9 multiply-accumulates) above 0";
        parsed = parse_number(text, &gmac, &suffix) && *suffix == '\0' &&
                 to_integer(gmac * 1e9, &value) && value != 0;
        break;
    }
    default:
        parsed = parse_whole(text, &value);
    }
    if (!parsed) {
        snprintf(reason, OPTION_REASON_BYTES, "%s", form);
        return false;
    }
    if (!in_range(option, value, reason))
        return false;
    if (option->kind == OPTION_COUNT)
        *(uint32_t *)field = (uint32_t)value;
    else
        *(uint64_t *)field = value;
    return true;
}

static bool set_value(const struct option *option, const char *text, void *target, char *reason)
{
    void *field = (char *)target + option->offset;

    switch (option->kind) {
    case OPTION_STRING:
        *(const char **)field = text;
        snprintf(reason, OPTION_REASON_BYTES, "must not be empty");
        return text[0] != '\0';
    case OPTION_SCALES:
        return scales_parse(text, field, reason, OPTION_REASON_BYTES);
    case OPTION_SWITCH:
    case OPTION_FLAG:
        snprintf(reason, OPTION_REASON_BYTES, "must be on or off");
        return parse_switch(text, field);
    case OPTION_WEIGHTS:
        *(bool *)field = strcmp(text, "f16") == 0;
        snprintf(reason, OPTION_REASON_BYTES, "must be f32 or f16");
        return strcmp(text, "f16") == 0 || strcmp(text, "f32") == 0;
    case OPTION_CHOICE:
        snprintf(reason, OPTION_REASON_BYTES, "must be one of %s", option->value);
        return parse_choice(option->value, text, field);
    case OPTION_REAL:
    case OPTION_POSITIVE: {
        bool positive = option->kind == OPTION_POSITIVE;
        const char *suffix = "";

        snprintf(reason, OPTION_REASON_BYTES, "must be a number%s",
                 positive ? " above 0" : ", not below 0");
        return parse_number(text, field, &suffix) && *suffix == '\0' &&
               (!positive || *(double *)field > 0);
    }
    case OPTION_LEVEL:
        snprintf(reason, OPTION_REASON_BYTES, "must be a number above 0, at most 1, as 0.05");
        return level_parse(text, field);
    case OPTION_LOG:
        *(enum option_log *)field = strcmp(text, "json") == 0 ? LOG_JSON : LOG_TEXT;
        snprintf(reason, OPTION_REASON_BYTES, "must be json or text");
        return strcmp(text, "json") == 0 || strcmp(text, "text") == 0;
    default:
        return set_number(option, text, field, reason);
    }
}

/* "256x384" or "256;384", as "256,384". */
static bool propose_scales(const char *text, char *proposal, size_t size)
{
    struct option_scales scales;
    char list[OPTION_REASON_BYTES], unused[OPTION_REASON_BYTES];
    size_t n = 0;

    for (; *text != '\0' && n + 2 < sizeof list; text++)
        if (isdigit((unsigned char)*text))
            list[n++] = *text;
        else if (n != 0 && list[n - 1] != ',')
            list[n++] = ',';
    while (n != 0 && list[n - 1] == ',')
        n--;
    list[n] = '\0';
    if (!scales_parse(list, &scales, unused, sizeof unused))
        return false;
    snprintf(proposal, size, ": did you mean %.60s?", list);
    return true;
}

/* Of a bad value, after the reason: the word, or the list, that was probably meant. */
static void propose_value(const struct option *option, const char *text, char *reason)
{
    size_t used = strlen(reason);
    char proposal[SUGGESTION_BYTES];
    struct suggestion suggestion;

    if (option->kind == OPTION_SCALES) {
        (void)propose_scales(text, reason + used, OPTION_REASON_BYTES - used);
        return;
    }
    if (option->value == NULL || strchr(option->value, '|') == NULL)
        return;
    suggestion_begin(&suggestion, text, strlen(text));
    suggestion_offer_words(&suggestion, option->value);
    snprintf(reason + used, OPTION_REASON_BYTES - used, "%s",
             suggestion_text(&suggestion, "", proposal));
}

bool option_set(const struct option *option, const char *text, void *target,
                char reason[OPTION_REASON_BYTES])
{
    if (set_value(option, text, target, reason))
        return true;
    propose_value(option, text, reason);
    return false;
}
