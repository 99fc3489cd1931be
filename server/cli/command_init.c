/* vgg init: an untrained model. */
#include <stddef.h>

#include "cli/cli.h"
#include "process/resources.h"
#include "process/terminal.h"

struct init_options {
    const char *arch, *output;
    uint32_t width, fc, classes, crop;
    uint64_t seed;
};

#define FIELD(name) offsetof(struct init_options, name)

static const struct option options[] = {
    {"arch", "ARCH", OPTION_STRING, FIELD(arch), 0, 0, "A, A-LRN, B, C, D or E [D]"},
    {"width", "N", OPTION_COUNT, FIELD(width), 1, 1 << 16, "channels of the first layer [64]"},
    {"fc", "N", OPTION_COUNT, FIELD(fc), 1, 1 << 16, "units of the hidden FC layers [4096]"},
    {"classes", "N", OPTION_COUNT, FIELD(classes), 1, 1 << 16, "classes [1000]"},
    {"crop", "PIXELS", OPTION_COUNT, FIELD(crop), 32, VGG_SCALE_MAX,
     "side of a training crop, a multiple of 32 [224]"},
    {"seed", "N", OPTION_SEED, FIELD(seed), 0, 0, "seed of the weights [1]"},
    {"output", "FILE", OPTION_STRING, FIELD(output), 0, 0, "the file to write; also -o FILE"},
};

const struct command_usage init_usage = {
    .command = "vgg init",
    .operands = "[OPTIONS] -o FILE",
    .summary =
        "Write an untrained F32 model (safetensors) with seeded He-normal weights: for load\n"
        "tests, and as the start of training. The same options give the same bytes.",
    .options = options,
    .options_n = sizeof options / sizeof *options,
};

int command_init(int argc, char **argv)
{
    struct init_options given = {.seed = 1};
    struct vgg_error error = {0};
    struct operands operands;
    enum options_result result;
    struct vgg_init_options init;

    result = options_parse(&init_usage, argc, argv, &given, &operands);
    if (result != OPTIONS_RUN)
        return (int)result;
    if (operands.n != 0) {
        terminal_say("init takes no operand \"%s\"; the file is -o FILE", operands.items[0]);
        return EXIT_USAGE;
    }
    if (given.output == NULL) {
        terminal_say("init needs -o FILE");
        return EXIT_USAGE;
    }
    init = (struct vgg_init_options){.arch = given.arch,
                                     .width = given.width,
                                     .fc = given.fc,
                                     .classes = given.classes,
                                     .crop = given.crop,
                                     .seed = given.seed};
    if (vgg_model_init_file(given.output, &init, &error) == VGG_OK)
        return 0;
    resources_explain(&error);
    terminal_say("%s", error.text);
    return EXIT_USAGE;
}
