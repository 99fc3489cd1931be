/* Measuring the network, and the machine beside it. A part of libvgg beside vgg.h. */
#ifndef VGG_BENCH_H
#define VGG_BENCH_H

#include "vgg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the machine can do with `threads` threads, measured by loops that do nothing else. */
struct vgg_machine {
    const char *isa; /* the instructions that were measured: "avx2", ... */
    unsigned threads;
    double fma_gflops; /* fused multiply-adds of floats, as two operations each */
    double read_gbps;  /* 1e9 bytes a second, of blocks larger than the caches */
};

/*
 * By the kernels of a precision. `threads` 0: vgg_threads_default(). Errors: BAD_ARGUMENT (too many
 * threads; no such kernels here, as vgg_model_load), NO_MEMORY. Takes about a second.
 */
enum vgg_status vgg_machine_measure(unsigned threads, enum vgg_precision precision,
                                    struct vgg_machine *machine, struct vgg_error *error);

enum { VGG_BENCH_LAYERS_MAX = 19 };

/* The best of several passes, for each part by itself. */
struct vgg_bench {
    double total_ms, conv_ms, fc_ms; /* of whole passes; their convolutions; their FC layers */
    size_t layers_n;
    struct {
        const char *name, *algorithm;
        double ms;
        double gflop;         /* as direct convolution, of the batch */
        double weights_bytes; /* packed */
    } layers[VGG_BENCH_LAYERS_MAX];
};

/*
 * Time passes of `batch` views of width x height pixels, `repeats` of them after a warm-up, with
 * `threads` threads (0: vgg_threads_default()). Errors: BAD_ARGUMENT (below the crop, over 2^30
 * pixels, no views or repeats, too many threads), NO_MEMORY.
 */
enum vgg_status vgg_bench_run(const struct vgg_model *model, uint32_t width, uint32_t height,
                              uint32_t batch, unsigned threads, unsigned repeats,
                              struct vgg_bench *bench, struct vgg_error *error);

#ifdef __cplusplus
}
#endif

#endif
