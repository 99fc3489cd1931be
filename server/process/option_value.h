/* One option: its row in the table of a command, and what values it takes. */
#ifndef OPTION_VALUE_H
#define OPTION_VALUE_H

#include "vgg.h"

enum { OPTION_REASON_BYTES = 256 };

enum option_kind {
    OPTION_STRING,   /* const char * */
    OPTION_COUNT,    /* uint32_t */
    OPTION_SEED,     /* uint64_t */
    OPTION_REAL,     /* double, not below 0 */
    OPTION_POSITIVE, /* double, above 0 */
    OPTION_LEVEL,    /* double, above 0, at most 1 */
    OPTION_SIZE,     /* uint64_t; suffixes K, M, G are powers of 1024, "iB" and "B" may follow */
    OPTION_GMAC,     /* uint64_t MACs, above 0, written in units of 1e9 */
    OPTION_DURATION, /* uint64_t ns; suffixes ms, s (or none), m */
    OPTION_SWITCH,   /* bool; on, off */
    OPTION_FLAG,     /* bool; no value on the command line */
    OPTION_SCALES,   /* struct option_scales */
    OPTION_WEIGHTS,  /* bool: f16 (true) or f32 */
    OPTION_CHOICE,   /* uint32_t: which of the words in `value`, as in "dense|both" */
    OPTION_LOG       /* enum option_log */
};

struct option_scales {
    uint32_t scales[VGG_SCALES_MAX]; /* ascending, distinct */
    size_t n;
};

enum option_log { LOG_TEXT, LOG_JSON };

struct option {
    const char *name;  /* "max-body": --max-body and VGG_MAX_BODY */
    const char *value; /* its name in the help, NULL for a flag */
    enum option_kind kind;
    size_t offset;      /* of the field in the command's options struct */
    uint64_t min, max;  /* of numbers; 0, 0: any */
    const char *preset; /* the default as one would write it; NULL: the field stays zero */
    const char *help;   /* without a preset it says in brackets at its end what is done then */
};

/* A constant as a part of the help. */
#define OPTION_TEXT(constant) OPTION_TEXT_OF(constant)
#define OPTION_TEXT_OF(digits) #digits

/*
 * Set the field of an option, in the options of its command, to what `text` says. False with why
 * not, and perhaps what was meant, in one line.
 */
bool option_set(const struct option *option, const char *text, void *target,
                char reason[OPTION_REASON_BYTES]);

/* Parse "256,384,512": sorted, distinct. False with one line in reason[reason_size]. */
bool scales_parse(const char *text, struct option_scales *scales, char *reason, size_t reason_size);

/* A number above 0, at most 1. */
bool level_parse(const char *text, double *level);

/* Requests spell a switch as flags do, as 1 and 0, or as JSON or Python does, in any case. */
bool switch_parse_request(const char *text, bool *value);

#endif
