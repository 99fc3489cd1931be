/* What memory a model and an engine will take, before they are loaded. A part of libvgg. */
#ifndef VGG_FOOTPRINT_H
#define VGG_FOOTPRINT_H

#include "vgg.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a model and an engine for it take, in bytes. */
struct vgg_footprint {
    uint64_t load;   /* at most at a time until the model is loaded */
    uint64_t held;   /* then: the model, and what vgg_engine_reserve allocates */
    uint64_t mapped; /* of the address space beside these, never touched */
};

/*
 * Predict it from the header of an open model file; `path` is for messages, `load` may be NULL, and
 * `engine` is where there is none. Errors: as vgg_model_load. Thread-safe.
 */
enum vgg_status vgg_footprint_fd(int fd, const char *path, const struct vgg_load_options *load,
                                 const struct vgg_engine_options *engine,
                                 struct vgg_footprint *footprint, struct vgg_error *error);

/* The same for a file held in memory. */
enum vgg_status vgg_footprint_memory(const void *bytes, size_t size,
                                     const struct vgg_load_options *load,
                                     const struct vgg_engine_options *engine,
                                     struct vgg_footprint *footprint, struct vgg_error *error);

/* The same for what vgg_model_init makes, in the precision of `load`. Errors: BAD_ARGUMENT. */
enum vgg_status vgg_footprint_init(const struct vgg_init_options *options,
                                   const struct vgg_load_options *load,
                                   const struct vgg_engine_options *engine,
                                   struct vgg_footprint *footprint, struct vgg_error *error);

#ifdef __cplusplus
}
#endif

#endif
