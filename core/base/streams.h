/* What training draws random numbers for: the second key of every stream (base/random.h). */
#ifndef VGG_CORE_BASE_STREAMS_H
#define VGG_CORE_BASE_STREAMS_H

enum vgg_stream {
    VGG_STREAM_SPLIT = 1, /* class */
    VGG_STREAM_ORDER,     /* epoch */
    VGG_STREAM_SAMPLE,    /* epoch, example */
    VGG_STREAM_INIT,
    VGG_STREAM_DROPOUT,
    VGG_STREAM_FOLDS,
    VGG_STREAM_VIEW,   /* example */
    VGG_STREAM_BEYOND, /* epoch, example: what a sample has and the paper does not */
    VGG_STREAM_MIXUP,  /* epoch, step, pair */
    VGG_STREAM_PLACES  /* crop, layer */
};

#endif
