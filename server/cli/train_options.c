/* The options of `vgg train`. */
#include "cli/train_options.h"

#include <stddef.h>
#include <string.h>

#include "cli/cli.h"
#include "process/option_rows.h"
#include "process/terminal.h"
#include "training/facts.h"

#define FIELD(name) offsetof(struct train_options, name)

static const struct option options[] = {
    {"output", "FILE", OPTION_STRING, FIELD(train.output), 0, 0, NULL,
     "the model file; also -o FILE [DIR.safetensors, which must not be there yet]"},
    /* What is built on. */
    {"base", "FILE", OPTION_STRING, FIELD(base), 0, 0, NULL,
     "a model to build on: a file, embedded, vgg16, vgg19, vgg16_bn or vgg19_bn [see below]"},
    {"freeze", "features|convs|N|none", OPTION_STRING, FIELD(freeze), 0, 0, NULL,
     "what of the base stays as it is: all but the last layer, the convolutions, their first N of "
     "5 "
     "blocks, nothing [features; none with a --width below the base's]"},
    {"features-cache", "DIR", OPTION_STRING, FIELD(train.features_cache), 0, 0, NULL,
     "keep there what the frozen layers compute, for the next training [in memory]"},
    {"teacher", "FILE", OPTION_STRING, FIELD(train.teacher), 0, 0, NULL,
     "a model of the same classes whose scores are learnt too [none]"},
    {"recipe", "auto|paper", OPTION_CHOICE, FIELD(recipe), 0, 0, "auto",
     "paper: from random weights with the paper's numbers, which take days"},
    /* The network. */
    {"arch", "ARCH", OPTION_STRING, FIELD(train.arch), 0, 0, NULL,
     "A, A-LRN, B, C, D or E [the base's, else D]"},
    {"width", "N", OPTION_COUNT, FIELD(train.width), 1, 1 << 16, NULL,
     "channels of the first layer; less than the base's: a network of its own, fitted to the "
     "base's layers [the base's, else chosen; paper: 64]"},
    {"fc", "N", OPTION_COUNT, FIELD(train.fc), 1, 1 << 16, NULL,
     "units of the hidden FC layers [the base's, else chosen; paper: 4096]"},
    {"crop", "PIXELS", OPTION_COUNT, FIELD(train.crop), 32, VGG_SCALE_MAX, NULL,
     "side of a training crop, a multiple of 32 [the base's, else chosen; paper: 224]"},
    {"batch-norm", NULL, OPTION_FLAG, FIELD(train.batch_norm), 0, 0, NULL,
     "normalise after each convolution; folded into it in the file [chosen; paper: off]"},
    {"init", "he|glorot|gaussian", OPTION_CHOICE, FIELD(init), 0, 0, "he",
     "how weights begin; gaussian is the paper's, variance 0.01"},
    {"init-from", "FILE", OPTION_STRING, FIELD(train.init_from), 0, 0, NULL,
     "begin with a model: its first four convolutions and FC layers, or, of the same ARCH, all "
     "[none]"},
    {"dropout", "P", OPTION_REAL, FIELD(train.dropout), 0, 0, NULL,
     "part of the hidden FC units left out [chosen; paper: 0.5]"},
    /* The pictures. */
    {"scale", "S|MIN-MAX", OPTION_STRING, FIELD(scale), 0, 0, NULL,
     "shorter side that pictures are rescaled to, or a range [by the crop; paper: 256-512]"},
    {"mirror", "on|off", OPTION_SWITCH, FIELD(mirror), 0, 0, "on", "mirror half of the crops"},
    {"colour", "X", OPTION_REAL, FIELD(train.colour), 0, 0, "0.1",
     "deviation of the colour shift along the principal components"},
    {"turn", NULL, OPTION_FLAG, FIELD(train.turn), 0, 0, NULL,
     "also turn crops, by 0 to 3 right angles, for things that lie any way up [not]"},
    {"squeeze", "P", OPTION_REAL, FIELD(train.squeeze), 0, 0, NULL,
     "part that one side of a picture loses at most, before the crop [none]"},
    {"erase", "P", OPTION_REAL, FIELD(train.erase), 0, 0, NULL,
     "probability that a part of a crop is erased [0]"},
    {"mixup", "X", OPTION_REAL, FIELD(train.mixup), 0, 0, NULL,
     "mix crops in pairs, by shares drawn from Beta(X, X); at most 1 [not]"},
    {"balance", NULL, OPTION_FLAG, FIELD(train.balance), 0, 0, NULL,
     "let pictures of rare classes count for more [alike]"},
    {"validation", "DIR", OPTION_STRING, FIELD(train.validation), 0, 0, NULL,
     "photographs to validate on [a part of the others, or all of them, left out in turn]"},
    {"validation-fraction", "P", OPTION_POSITIVE, FIELD(train.validation_fraction), 0, 0, "0.1",
     "that part, of each class"},
    {"validation-list", "FILE", OPTION_STRING, FIELD(train.validation_list), 0, 0, NULL,
     "write the paths of the validation pictures, a line each; refused where none are set aside, "
     "but all are left out in turn [none]"},
    {"validation-scale", "PIXELS", OPTION_COUNT, FIELD(train.validation_scale), 32, VGG_SCALE_MAX,
     NULL, "shorter side in validation [the middle of --scale]"},
    /* The descent. */
    {"batch", "N", OPTION_COUNT, FIELD(train.batch), 1, 1 << 16, NULL,
     "crops of a step [chosen; paper: 256]"},
    {"epochs", "N", OPTION_COUNT, FIELD(train.epochs), 1, 1 << 20, NULL,
     "at most so many [what an hour holds; paper: 74]"},
    {"rate", "X", OPTION_POSITIVE, FIELD(train.rate), 0, 0, NULL,
     "learning rate to begin with [chosen; paper: 0.01]"},
    {"cosine", NULL, OPTION_FLAG, FIELD(train.cosine), 0, 0, NULL,
     "the rate falls to 0 over the epochs, without --patience and --drops [chosen; paper: off]"},
    {"patience", "N", OPTION_COUNT, FIELD(train.patience), 1, 1 << 20, NULL,
     "epochs without a better validation before the rate drops to a tenth [10]"},
    {"drops", "N", OPTION_COUNT, FIELD(train.drops), 1, 16, NULL,
     "such drops, after which training ends at the next [3]"},
    {"momentum", "X", OPTION_REAL, FIELD(train.momentum), 0, 0, "0.9", "of the descent"},
    {"decay", "X", OPTION_REAL, FIELD(train.decay), 0, 0, NULL, "weight decay [0.0005]"},
    {"smoothing", "P", OPTION_REAL, FIELD(train.smoothing), 0, 0, NULL,
     "part of each target that is spread over all classes [chosen; paper: 0]"},
    {"seed", "N", OPTION_SEED, FIELD(train.seed), 0, 0, "1", "of all that is random"},
    {ROW_THREADS(FIELD(train.threads), "compute threads; they change no result")},
    {"cache", "SIZE", OPTION_SIZE, FIELD(train.cache_bytes), 0, 0, "2GiB",
     "decoded pictures kept in memory, at most a quarter of what is free"},
    /* The files. */
    {"checkpoint", "FILE", OPTION_STRING, FIELD(checkpoint), 0, 0, NULL,
     "the state, to go on from; --freeze features has none [OUTPUT.checkpoint]"},
    {"resume", NULL, OPTION_FLAG, FIELD(train.resume), 0, 0, NULL,
     "go on from the checkpoint, with the options that Ctrl-C has shown"},
    {"history", "FILE", OPTION_STRING, FIELD(train.log), 0, 0, NULL,
     "a line of JSON for each epoch [none]"},
    {"json", NULL, OPTION_FLAG, FIELD(json), 0, 0, NULL,
     "on standard output a line of JSON for the plan, each epoch and the result"},
    {"report", "FILE", OPTION_STRING, FIELD(report), 0, 0, NULL,
     "also write an HTML page: mistakes with their pictures, confusion, copies, the learning curve "
     "[none]"},
    {"weights", "f32|f16", OPTION_WEIGHTS, FIELD(train.half), 0, 0, "f32", "of the model file"},
    {"name", "NAME", OPTION_STRING, FIELD(train.name), 0, 0, NULL,
     "of the model [that of the file, without .safetensors]"},
    {"scales", "LIST", OPTION_SCALES, FIELD(test_scales), 0, 0, NULL,
     "test scales that the model file asks for [the base's, else by --scale]"},
};

#define OPTIONS (sizeof options / sizeof *options)

_Static_assert(OPTIONS <= TRAIN_OPTIONS_MAX, "given[] has a place for each");

const struct command_usage train_usage = {
    .command = "vgg train",
    .operands = "[OPTIONS] DIR",
    .summary =
        "Make a model of your own classes from DIR/class/picture: DIR has a folder for each "
        "class,\n"
        "with at least 2 pictures; those in DIR/_unknown show none of them. With nothing else "
        "said\n"
        "a trained network is built on, in a minute or so. What is chosen is said. Pictures that\n"
        "cannot be read are named and left out.",
    .options = options,
    .options_n = OPTIONS,
    .footer =
        "\nThe base, if a class has fewer than 200 pictures: vgg16.safetensors (make run "
        "MODEL=vgg16\n"
        "fetches it) in models, in models of the checkout or in /var/lib/vgg, else the embedded\n"
        "model. If all have more, or an option of the network is given: none. A network from "
        "random\n"
        "weights has a size that trains within an hour here.\n"
        "Ctrl-C keeps the state and shows the command that goes on to the same bits; of\n"
        "--freeze features only what --features-cache holds.\n",
    .given = FIELD(given),
};

bool train_is_given(const struct train_options *given, const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0)
            return given->given[i];
    return false;
}

/* ---------------------------------------------------------------- options -------------------- */

/* Pixels at *text, from 1 on, and past them. */
static bool parse_pixels(const char **text, uint32_t *pixels)
{
    *pixels = 0;
    for (; **text >= '0' && **text <= '9' && *pixels <= VGG_SCALE_MAX; ++*text)
        *pixels = 10 * *pixels + (uint32_t)(**text - '0');
    return *pixels != 0;
}

/* "256" or "256-512". */
static bool parse_scale(const char *text, struct vgg_train_options *train)
{
    if (text == NULL)
        return true;
    if (!parse_pixels(&text, &train->scale_min))
        return false;
    train->scale_max = train->scale_min;
    if (*text == '-' && (++text, !parse_pixels(&text, &train->scale_max)))
        return false;
    return *text == '\0';
}

/* A word, or a number of blocks. */
static bool parse_freeze(const char *text, struct vgg_train_options *train)
{
    static const enum vgg_freeze words[] = {VGG_FREEZE_FEATURES, VGG_FREEZE_CONVS, VGG_FREEZE_NONE};

    train->freeze = VGG_FREEZE_FEATURES;
    if (text == NULL)
        return true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, freeze_word(words[i], 0)) == 0) {
            train->freeze = words[i];
            return true;
        }
    train->freeze = VGG_FREEZE_BLOCKS;
    train->freeze_blocks = (uint32_t)(text[0] - '0');
    return text[0] >= '1' && text[0] <= '4' && text[1] == '\0';
}

/* What the library takes for none, where 0 was said. */
static void none_below_zero(const struct train_options *given, const char *name, double *amount)
{
    if (*amount == 0 && train_is_given(given, name))
        *amount = -1;
}

/* False with one line on standard error. */
static bool complete(struct train_options *given, const struct operands *operands)
{
    struct vgg_train_options *train = &given->train;

    if (operands->n != 1)
        terminal_say("train needs one directory of photographs, DIR/class/picture (see vgg train "
                     "--help)");
    else if (!parse_scale(given->scale, train))
        terminal_say("--scale %.40s: a number of pixels, or a range such as 256-512", given->scale);
    else if (!parse_freeze(given->freeze, train))
        terminal_say("--freeze %.40s: features, convs, none, or a number of blocks from 1 to 4",
                     given->freeze);
    else if (given->recipe == RECIPE_PAPER && given->base != NULL)
        terminal_say("--recipe paper begins with random weights: leave --base out");
    else {
        train->init = (enum vgg_train_init)given->init;
        none_below_zero(given, "dropout", &train->dropout);
        none_below_zero(given, "colour", &train->colour);
        none_below_zero(given, "momentum", &train->momentum);
        none_below_zero(given, "decay", &train->decay);
        none_below_zero(given, "smoothing", &train->smoothing);
        train->no_mirror = !given->mirror;
        memcpy(train->scales, given->test_scales.scales, sizeof train->scales);
        train->scales_n = given->test_scales.n;
        return true;
    }
    return false;
}

enum options_result train_options_parse(int argc, char **argv, struct train_options *given,
                                        const char **directory)
{
    struct operands operands;
    enum options_result result = options_parse(&train_usage, argc, argv, given, &operands);

    if (result != OPTIONS_RUN)
        return result;
    if (!complete(given, &operands))
        return OPTIONS_BAD;
    *directory = operands.items[0];
    return OPTIONS_RUN;
}

bool train_option_choose(struct train_options *given, const char *name, const char *value,
                         struct text *chosen)
{
    char reason[OPTION_REASON_BYTES];

    if (train_is_given(given, name))
        return false;
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0 && option_set(&options[i], value, given, reason)) {
            bool flag = options[i].kind == OPTION_FLAG;

            text_print(chosen, " --%s%s", name, flag ? "" : " ");
            if (!flag)
                text_shell(chosen, value);
        }
    return true;
}
