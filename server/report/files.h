/* The style sheets and the script of a report, linked into the program by files.S. */
#ifndef HTML_REPORT_FILES_H
#define HTML_REPORT_FILES_H

/* Each from its name to its end. */
extern const char html_report_look[], html_report_look_end[]; /* of the page of the server */
extern const char html_report_style[], html_report_style_end[];
extern const char html_report_script[], html_report_script_end[];

#endif
