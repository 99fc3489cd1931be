/*
 * The bytes of the model that serves without --model: a safetensors file named by the Makefile, or
 * none in build/vgg-bare.
 */
    .section .rodata
    .global vgg_embedded_model
    .global vgg_embedded_model_end
    .balign 64
vgg_embedded_model:
#ifdef EMBEDDED_MODEL
    .incbin EMBEDDED_MODEL
#endif
vgg_embedded_model_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits
