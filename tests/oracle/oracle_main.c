/*
 * The oracle as a program:
 *
 *     oracle [--maps|--features] MODEL.safetensors on|off WIDTHxHEIGHT:FILE...
 *
 * Each FILE holds the raw RGB bytes of one rescaled picture; on|off says whether mirror images are
 * evaluated too. Prints {"posterior":[...],"views":[[...],...]}, with --maps also the score map of
 * each view, "maps":[{"rows":N,"columns":N,"logits":[...]},...], with --features the image
 * features, "features":[...]. Exit status 2 on any failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

enum { PICTURES_MAX = 64, SIDE_MAX = 1 << 20 };

/* Parse "WxH:FILE" and read the file; false and a message where that fails. */
static bool read_picture(const char *text, struct oracle_picture *picture)
{
    unsigned width = 0;
    unsigned height = 0;
    int length = 0;
    if (sscanf(text, "%ux%u:%n", &width, &height, &length) != 2 || length == 0 || width == 0 ||
        height == 0 || width > SIDE_MAX || height > SIDE_MAX) {
        fprintf(stderr, "oracle: %s: not WIDTHxHEIGHT:FILE\n", text);
        return false;
    }
    size_t size = (size_t)width * height * 3;
    unsigned char *pixels = malloc(size + 1);
    FILE *stream = fopen(text + length, "rb");
    size_t got = pixels && stream ? fread(pixels, 1, size + 1, stream) : 0;
    if (stream) {
        fclose(stream);
    }
    if (got != size) {
        fprintf(stderr, "oracle: %s: not a file of %zu bytes\n", text + length, size);
        free(pixels);
        return false;
    }
    *picture = (struct oracle_picture){.width = width, .height = height, .pixels = pixels};
    return true;
}

static void print_array(const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        printf("%s%.17g", i == 0 ? "[" : ",", values[i]);
    }
    printf("]");
}

static void print_map(const struct oracle_net *net, const struct oracle_picture *picture,
                      bool mirror)
{
    struct oracle_map map;

    oracle_net_map(net, picture, mirror, &map);
    printf("{\"rows\":%zu,\"columns\":%zu,\"logits\":", map.height, map.width);
    print_array(map.logits, net->classes * map.height * map.width);
    printf("}");
    free(map.logits);
}

static bool print_features(const struct oracle_net *net, const struct oracle_picture *pictures,
                           size_t n, bool flip)
{
    size_t units = oracle_net_features_n(net);
    double *features = calloc(units, sizeof(*features));

    if (!features) {
        fprintf(stderr, "oracle: out of memory\n");
        return false;
    }
    oracle_net_features(net, pictures, n, flip, features);
    printf(",\"features\":");
    print_array(features, units);
    free(features);
    return true;
}

static bool run(const struct oracle_net *net, const struct oracle_picture *pictures, size_t n,
                bool flip, bool maps, bool features)
{
    for (size_t i = 0; i < n; i++) {
        if (!oracle_net_fits(net, &pictures[i])) {
            fprintf(stderr, "oracle: %zux%zu: a side is below %zu pixels\n", pictures[i].width,
                    pictures[i].height, net->crop);
            return false;
        }
    }
    size_t views_n = flip ? 2 * n : n;
    double *posterior = calloc((views_n + 1) * net->classes, sizeof(*posterior));
    if (!posterior) {
        fprintf(stderr, "oracle: out of memory\n");
        return false;
    }
    double *views = posterior + net->classes;
    oracle_net_posterior(net, pictures, n, flip, posterior, views);
    printf("{\"posterior\":");
    print_array(posterior, net->classes);
    for (size_t i = 0; i < views_n; i++) {
        printf(i == 0 ? ",\"views\":[" : ",");
        print_array(views + i * net->classes, net->classes);
    }
    printf("]");
    for (size_t i = 0; maps && i < views_n; i++) {
        printf(i == 0 ? ",\"maps\":[" : ",");
        print_map(net, &pictures[flip ? i / 2 : i], flip && i % 2 == 1);
    }
    printf(maps ? "]" : "");
    bool good = !features || print_features(net, pictures, n, flip);
    printf("}\n");
    free(posterior);
    return good;
}

int main(int argc, char **argv)
{
    bool maps = argc > 1 && strcmp(argv[1], "--maps") == 0;
    bool features = argc > 1 && strcmp(argv[1], "--features") == 0;
    argv += maps || features;
    argc -= maps || features;
    bool flip = argc > 2 && strcmp(argv[2], "on") == 0;
    if (argc < 4 || argc > 3 + PICTURES_MAX || (!flip && strcmp(argv[2], "off") != 0)) {
        fprintf(stderr, "usage: oracle [--maps|--features] MODEL.safetensors on|off "
                        "WIDTHxHEIGHT:FILE...\n");
        return 2;
    }
    struct oracle_net net;
    const char *error = oracle_net_load(argv[1], &net);
    if (error) {
        fprintf(stderr, "oracle: %s: %s\n", argv[1], error);
        return 2;
    }
    struct oracle_picture pictures[PICTURES_MAX];
    size_t n = 0;
    while (n < (size_t)argc - 3 && read_picture(argv[3 + n], &pictures[n])) {
        n++;
    }
    bool good = n == (size_t)argc - 3 && run(&net, pictures, n, flip, maps, features);
    for (size_t i = 0; i < n; i++) {
        free((void *)pictures[i].pixels);
    }
    oracle_net_free(&net);
    return good && fflush(stdout) == 0 ? 0 : 2;
}
