/* vgg init: an untrained model. */
#include <stddef.h>

#include "cli/cli.h"
#include "process/option_rows.h"
#include "process/resources.h"
#include "process/terminal.h"

struct init_options {
    const char *arch, *output;
    uint32_t width, fc, classes, crop;
    uint64_t seed;
};

#define FIELD(name) offsetof(struct init_options, name)

static const struct option options[] = {
    {ROW_ARCH(FIELD(arch))},
    {ROW_WIDTH(FIELD(width))},
    {ROW_FC(FIELD(fc))},
    {"classes", "N", OPTION_COUNT, FIELD(classes), 1, 1 << 16, "1000", "classes"},
    {ROW_CROP(FIELD(crop))},
    {"seed", "N", OPTION_SEED, FIELD(seed), 0, 0, "1", "seed of the weights"},
    {"output", "FILE", OPTION_STRING, FIELD(output), 0, 0, NULL, "the file to write; also -o FILE"},
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
    struct init_options given = {0};
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
