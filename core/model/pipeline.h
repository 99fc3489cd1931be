/*
 * Between reading a model file and packing its weights: one thread reads, in order, into a few
 * buffers; all threads of a team empty them. A buffer belongs to one thread at a time.
 */
#ifndef VGG_CORE_MODEL_PIPELINE_H
#define VGG_CORE_MODEL_PIPELINE_H

#include "base/team.h"

/* Whole rows of one tensor. */
struct vgg_chunk {
    size_t tensor;        /* index in the header */
    uint64_t row, rows;   /* output channels */
    unsigned char *bytes; /* aligned to VGG_ALIGN */
};

struct vgg_pipeline {
    size_t chunk_bytes; /* of a buffer */
    /*
     * Read the next chunk into chunk->bytes and describe it; *more turns false where there is none.
     * Called by the thread that runs the pipeline alone.
     */
    enum vgg_status (*read)(void *user, struct vgg_chunk *chunk, bool *more,
                            struct vgg_error *error);
    /* Put a chunk where it belongs. Called by all threads, `thread` as in vgg_team_fn. */
    enum vgg_status (*store)(void *user, const struct vgg_chunk *chunk, unsigned thread,
                             struct vgg_error *error);
    void *user;
};

/*
 * Read and store everything. The first failure in the order of the file ends it and is returned,
 * however many threads there are. Errors: NO_MEMORY, and those of read and store.
 */
enum vgg_status vgg_pipeline_run(const struct vgg_pipeline *pipeline, struct vgg_team *team,
                                 struct vgg_error *error);

/* Bytes of all buffers. */
size_t vgg_pipeline_bytes(size_t chunk_bytes, unsigned threads);

#endif
