/* Filling `struct vgg_error`. Used by every layer of libvgg. */
#ifndef VGG_CORE_BASE_ERROR_H
#define VGG_CORE_BASE_ERROR_H

#include "vgg.h"

/* The one way to report a failed allocation. */
enum vgg_status vgg_fail_memory(struct vgg_error *error);

#endif
