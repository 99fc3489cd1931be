/* The text of imagenet_labels.txt as bytes of the program. */
    .section .rodata
    .global vgg_imagenet_labels
    .global vgg_imagenet_labels_end
vgg_imagenet_labels:
    .incbin "core/model/imagenet_labels.txt"
vgg_imagenet_labels_end:
    .section .note.GNU-stack, "", %progbits
