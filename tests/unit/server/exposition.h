/* A small parser of the Prometheus text format (0.0.4), strict about what it accepts. */
#ifndef VGG_TESTS_EXPOSITION_H
#define VGG_TESTS_EXPOSITION_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAMILIES_MAX = 64, SERIES_MAX = 4096, LABELS_BYTES = 512, NAME_BYTES = 80 };

struct family {
    char name[NAME_BYTES];
    char type[16];
    size_t series_n;
};

struct series {
    char name[NAME_BYTES];
    char labels[LABELS_BYTES]; /* between the braces, as written */
    double value;
    size_t family;
};

struct exposition {
    struct family families[FAMILIES_MAX];
    struct series series[SERIES_MAX];
    size_t families_n, series_n;
    char error[256]; /* "" if all is well */
};

static inline bool exposition_fail(struct exposition *exposition, const char *why, const char *line)
{
    snprintf(exposition->error, sizeof exposition->error, "%s: %.*s", why, (int)strcspn(line, "\n"),
             line);
    return false;
}

/* The length of a name, 0 where there is none. */
static inline size_t exposition_name(const char *text)
{
    size_t n = 0;

    while (isalpha((unsigned char)text[n]) || text[n] == '_' || text[n] == ':' ||
           (n > 0 && isdigit((unsigned char)text[n])))
        n++;
    return n;
}

/* key="value",... up to the closing brace; the length, or 0 where it is malformed. */
static inline size_t exposition_labels(const char *text)
{
    size_t n = 0;

    for (;;) {
        size_t name = exposition_name(text + n);

        n += name;
        if (name == 0 || text[n] != '=' || text[n + 1] != '"')
            return 0;
        for (n += 2; text[n] != '"'; n++) {
            if (text[n] == '\0' || text[n] == '\n')
                return 0;
            if (text[n] == '\\' && strchr("\\n\"", text[++n]) == NULL)
                return 0;
        }
        if (text[++n] == '}')
            return n;
        if (text[n++] != ',')
            return 0;
    }
}

/* Does a series of this name belong to the family? */
static inline bool exposition_belongs(const struct family *family, const char *name)
{
    size_t length = strlen(family->name);

    if (strncmp(name, family->name, length) != 0)
        return false;
    if (strcmp(family->type, "histogram") != 0)
        return name[length] == '\0';
    return strcmp(name + length, "_bucket") == 0 || strcmp(name + length, "_sum") == 0 ||
           strcmp(name + length, "_count") == 0;
}

/* "# HELP name text", then "# TYPE name type". */
static inline bool exposition_comment(struct exposition *exposition, const char *line)
{
    struct family *family = &exposition->families[exposition->families_n];
    char name[NAME_BYTES], type[16];
    size_t length;

    if (strncmp(line, "# HELP ", 7) == 0) {
        length = exposition_name(line + 7);
        if (length == 0 || length >= NAME_BYTES || line[7 + length] != ' ' ||
            line[8 + length] == '\n' || exposition->families_n == FAMILIES_MAX)
            return exposition_fail(exposition, "bad HELP", line);
        snprintf(family->name, sizeof family->name, "%.*s", (int)length, line + 7);
        for (size_t i = 0; i < exposition->families_n; i++)
            if (strcmp(exposition->families[i].name, family->name) == 0)
                return exposition_fail(exposition, "a family twice", line);
        family->type[0] = '\0';
        return true;
    }
    if (sscanf(line, "# TYPE %79s %15[a-z]", name, type) != 2 || strcmp(name, family->name) != 0)
        return exposition_fail(exposition, "TYPE without its HELP", line);
    if (strcmp(type, "counter") != 0 && strcmp(type, "gauge") != 0 &&
        strcmp(type, "histogram") != 0)
        return exposition_fail(exposition, "unknown type", line);
    strcpy(family->type, type);
    exposition->families_n++;
    return true;
}

static inline bool exposition_sample(struct exposition *exposition, const char *line)
{
    struct series *series = &exposition->series[exposition->series_n];
    size_t name = exposition_name(line), labels = 0;
    const char *rest = line + name;
    char *end;

    if (name == 0 || name >= NAME_BYTES || exposition->series_n == SERIES_MAX)
        return exposition_fail(exposition, "bad name", line);
    if (*rest == '{') {
        labels = exposition_labels(rest + 1);
        if (labels == 0 || labels >= LABELS_BYTES)
            return exposition_fail(exposition, "bad labels", line);
        rest += labels + 2;
    }
    snprintf(series->name, sizeof series->name, "%.*s", (int)name, line);
    snprintf(series->labels, sizeof series->labels, "%.*s", (int)labels, line + name + 1);
    if (*rest++ != ' ' || isspace((unsigned char)*rest))
        return exposition_fail(exposition, "no value", line);
    series->value = strtod(rest, &end);
    if (end == rest || *end != '\n')
        return exposition_fail(exposition, "bad value", line);
    if (exposition->families_n == 0)
        return exposition_fail(exposition, "no family", line);
    series->family = exposition->families_n - 1;
    if (!exposition_belongs(&exposition->families[series->family], series->name))
        return exposition_fail(exposition, "not of the family above it", line);
    for (size_t i = 0; i < exposition->series_n; i++)
        if (strcmp(exposition->series[i].name, series->name) == 0 &&
            strcmp(exposition->series[i].labels, series->labels) == 0)
            return exposition_fail(exposition, "a series twice", line);
    exposition->families[series->family].series_n++;
    exposition->series_n++;
    return true;
}

/* Parse a whole exposition; false with the reason in `error`. */
static inline bool exposition_parse(struct exposition *exposition, const char *text)
{
    memset(exposition, 0, sizeof *exposition);
    while (*text != '\0') {
        const char *end = strchr(text, '\n');

        if (end == NULL)
            return exposition_fail(exposition, "a line is cut", text);
        if (text[0] == '#' ? !exposition_comment(exposition, text)
                           : !exposition_sample(exposition, text))
            return false;
        text = end + 1;
    }
    for (size_t i = 0; i < exposition->families_n; i++)
        if (exposition->families[i].series_n == 0)
            return exposition_fail(exposition, "no series", exposition->families[i].name);
    return true;
}

/* A series by name and labels as written; NULL where there is none. */
static inline const struct series *exposition_find(const struct exposition *exposition,
                                                   const char *name, const char *labels)
{
    for (size_t i = 0; i < exposition->series_n; i++)
        if (strcmp(exposition->series[i].name, name) == 0 &&
            strcmp(exposition->series[i].labels, labels) == 0)
            return &exposition->series[i];
    return NULL;
}

#endif
