/* The options of a training with every default filled in, checked; and as text. */
#ifndef VGG_CORE_TRAIN_SETTINGS_H
#define VGG_CORE_TRAIN_SETTINGS_H

#include "frozen/base.h"
#include "vgg_train.h"

enum { VGG_SETTINGS_TEXT_BYTES = 1024 };

/* Fill in the defaults, of a base where there is one (else NULL), and check. Errors: BAD_ARGUMENT.
 */
enum vgg_status vgg_settings_complete(const struct vgg_train_options *given,
                                      const struct vgg_model *base,
                                      struct vgg_train_options *settings, struct vgg_error *error);

/* Of the network, by these and the base, which is open where settings name one. */
struct vgg_net_sizes vgg_settings_sizes(const struct vgg_train_options *settings,
                                        const struct vgg_base *base, uint32_t classes);

/*
 * Everything that the result depends on beside the data: "arch=D width=64 ...". Base and teacher
 * are NULL where there is none.
 */
void vgg_settings_format(const struct vgg_train_options *settings, const struct vgg_model *base,
                         const struct vgg_model *teacher, uint32_t classes,
                         char text[VGG_SETTINGS_TEXT_BYTES]);

/*
 * BAD_ARGUMENT where two such texts differ, with the first difference: "the checkpoint has
 * width=64, and the options width=16".
 */
enum vgg_status vgg_settings_compare(const char *saved, const char *wanted,
                                     struct vgg_error *error);

#endif
