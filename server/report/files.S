/* The bytes of what a report brings along. */
    .macro report_bytes name, file
    .global html_report_\name, html_report_\name\()_end
html_report_\name:
    .incbin "\file"
html_report_\name\()_end:
    .byte 0
    .endm

    .section .rodata
    report_bytes look, "server/api/page/look.css"
    report_bytes style, "server/report/report.css"
    report_bytes script, "server/report/report.js"
    .section .note.GNU-stack, "", %progbits
