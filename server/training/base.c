/* Finding a base. */
#include "training/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/model_file.h"

enum { LEVELS = 3 /* build/asan/, build/, the checkout */ };

static const char script[] = "docker/fetch-model.sh", state[] = "/var/lib/vgg",
                  embedded[] = "embedded";

/* ---------------------------------------------------------------- where they are ------------- */

static bool has_script(const char *directory)
{
    char path[BASE_PATH_BYTES + sizeof script];

    snprintf(path, sizeof path, "%s%s", directory, script);
    return access(path, R_OK) == 0;
}

bool base_find_checkout(char path[BASE_PATH_BYTES])
{
    ssize_t length;

    path[0] = '\0';
    if (has_script(path))
        return true;
    length = readlink("/proc/self/exe", path, BASE_PATH_BYTES - 1);
    path[length > 0 ? length : 0] = '\0';
    for (int i = 0; i < LEVELS; i++) {
        char *slash = strrchr(path, '/');

        if (slash == NULL)
            return false;
        slash[1] = '\0';
        if (has_script(path))
            return true;
        slash[0] = '\0';
    }
    return false;
}

static bool try_file(struct base *base, const char *directory, const char *name)
{
    int length = snprintf(base->path, sizeof base->path, "%s%s.safetensors", directory, name);

    return length > 0 && (size_t)length < sizeof base->path && access(base->path, R_OK) == 0;
}

static bool find_published(struct base *base, const char *name)
{
    char checkout[BASE_PATH_BYTES], directory[BASE_PATH_BYTES + 8];

    base->kind = BASE_PUBLISHED;
    base->published = name;
    if (try_file(base, "models/", name))
        return true;
    if (base_find_checkout(checkout)) {
        snprintf(directory, sizeof directory, "%smodels/", checkout);
        if (try_file(base, directory, name))
            return true;
    }
    snprintf(directory, sizeof directory, "%s/", state);
    return try_file(base, directory, name);
}

/* ---------------------------------------------------------------- which one ------------------ */

static const char *published_name(const char *word)
{
    static const char *const names[] = {"vgg16", "vgg19", "vgg16_bn", "vgg19_bn"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], word) == 0)
            return names[i];
    return NULL;
}

static enum vgg_status fail_published(const char *name, struct vgg_error *error)
{
    struct text text = {0};
    enum vgg_status status;

    base_print_fetch(name, &text);
    status = vgg_fail(error, VGG_BAD_ARGUMENT,
                      "--base %s: it is neither in models nor in %s; this brings it (over 550 MB, "
                      "once): %.*s",
                      name, state, (int)text.size, text.bytes != NULL ? text.bytes : "");
    free(text.bytes);
    return status;
}

enum vgg_status base_open(const char *said, struct base *base, struct vgg_error *error)
{
    const char *name = published_name(said);
    size_t size;

    *base = (struct base){.kind = BASE_FILE};
    if (name != NULL)
        return find_published(base, name) ? VGG_OK : fail_published(name, error);
    if (strcmp(said, embedded) == 0) {
        base->kind = BASE_EMBEDDED;
        (void)model_embedded(&size);
        return size != 0 ? VGG_OK
                         : vgg_fail(error, VGG_BAD_ARGUMENT,
                                    "--base embedded: this build has no embedded model");
    }
    if (snprintf(base->path, sizeof base->path, "%s", said) >= (int)sizeof base->path)
        errno = ENAMETOOLONG;
    else if (access(said, R_OK) == 0)
        return VGG_OK;
    return vgg_fail(error, VGG_IO, "--base %s: %s", said, strerror(errno));
}

void base_choose(struct base *base)
{
    size_t size;

    *base = (struct base){.kind = BASE_NONE};
    if (find_published(base, "vgg16"))
        return;
    (void)model_embedded(&size);
    *base = (struct base){.kind = size != 0 ? BASE_EMBEDDED : BASE_NONE};
}

const char *base_word(const struct base *base)
{
    return base->kind == BASE_EMBEDDED ? embedded : base->path;
}

void base_apply(const struct base *base, struct vgg_train_options *options)
{
    options->base = base->kind != BASE_NONE ? base_word(base) : NULL;
    if (base->kind == BASE_NONE)
        options->freeze = VGG_FREEZE_NONE;
    if (base->kind == BASE_EMBEDDED)
        options->base_bytes = model_embedded(&options->base_size);
}

/* Installed without the sources, there is no script that resumes and checks the sum. */
void base_print_fetch(const char *published, struct text *text)
{
    char checkout[BASE_PATH_BYTES], path[BASE_PATH_BYTES + sizeof script];

    if (!base_find_checkout(checkout)) {
        text_print(text,
                   "curl -fL --create-dirs -o models/%s.safetensors "
                   "https://huggingface.co/timm/%s.tv_in1k/resolve/main/model.safetensors",
                   published, published);
        return;
    }
    text_print(text, "sh ");
    snprintf(path, sizeof path, "%s%s", checkout, script);
    text_shell(text, path);
    snprintf(path, sizeof path, "%smodels", checkout);
    text_print(text, " %s ", published);
    text_shell(text, path);
}
