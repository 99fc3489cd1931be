/* The bytes of openapi.json. */
    .section .rodata
    .global vgg_openapi, vgg_openapi_end
vgg_openapi:
    .incbin "server/api/openapi.json"
vgg_openapi_end:
    .section .note.GNU-stack, "", %progbits
