/* The bytes of openapi.json, and as gzip leaves them, which the Makefile makes. */
    .section .rodata
    .global vgg_openapi, vgg_openapi_end, vgg_openapi_gzip_end
vgg_openapi:
    .incbin "server/openapi.json"
vgg_openapi_end: /* the compressed ones begin here */
    .incbin "server/openapi.json.gz"
vgg_openapi_gzip_end:
    .section .note.GNU-stack, "", %progbits
