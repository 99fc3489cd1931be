/* The bytes of the page's files, and of each as gzip leaves it, which the Makefile makes. */
#include "api/page_files.h"

    .macro page_bytes name, file
    .global vgg_page_\name, vgg_page_\name\()_end, vgg_page_\name\()_gzip_end
vgg_page_\name:
    .incbin "\file"
vgg_page_\name\()_end: /* the compressed ones begin here */
    .incbin "\file\().gz"
vgg_page_\name\()_gzip_end:
    .byte 0
    .endm

    .section .rodata
#define PAGE_BYTES(name, path, file, type) page_bytes name, file;
PAGE_FILES(PAGE_BYTES)
    .section .note.GNU-stack, "", %progbits
