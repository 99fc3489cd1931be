/* The bytes of the page's files. */
#include "page.h"

    .section .rodata
#define PAGE_BYTES(name, path, file, type)                                                         \
    .global vgg_page_##name; .global vgg_page_##name##_end;                                        \
    vgg_page_##name: .incbin file; vgg_page_##name##_end: .byte 0;
PAGE_FILES(PAGE_BYTES)
    .section .note.GNU-stack, "", %progbits
