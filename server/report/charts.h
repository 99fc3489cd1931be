/* Charts as SVG, in the colours of report.css. */
#ifndef HTML_REPORT_CHARTS_H
#define HTML_REPORT_CHARTS_H

#include "report/markup.h"

enum { CHART_WIDTH = 560, CHART_HEIGHT = 280 }; /* of its view box */

/* What its axes go over; `label` tells those who do not see it what it shows. */
struct chart {
    struct text *text;
    double x[2], y[2];
    const char *x_title, *y_title, *label;
};

/* A value of an axis and what is written there. */
struct chart_tick {
    double value;
    const char *text;
};

void chart_begin(const struct chart *chart, const struct chart_tick *x, size_t x_n,
                 const struct chart_tick *y, size_t y_n);
void chart_end(const struct chart *chart);

/* Where a value is. */
double chart_x(const struct chart *chart, double value);
double chart_y(const struct chart *chart, double value);

/* A straight line, and a box, of a class of the style sheet. */
void chart_line(const struct chart *chart, const char *style, const double from[2],
                const double to[2]);
void chart_box(const struct chart *chart, const char *style, const double from[2],
               const double to[2]);

/* A line through the points whose y is a number. */
void chart_curve(const struct chart *chart, const char *style, const double (*points)[2], size_t n);

#endif
