/* Axes, lines and boxes. */
#include "report/charts.h"

#include <math.h>

enum { LEFT = 72, RIGHT = 28, TOP = 10, BOTTOM = 44 }; /* margins */

double chart_x(const struct chart *chart, double value)
{
    return LEFT +
           (value - chart->x[0]) / (chart->x[1] - chart->x[0]) * (CHART_WIDTH - LEFT - RIGHT);
}

double chart_y(const struct chart *chart, double value)
{
    return CHART_HEIGHT - BOTTOM -
           (value - chart->y[0]) / (chart->y[1] - chart->y[0]) * (CHART_HEIGHT - TOP - BOTTOM);
}

void chart_line(const struct chart *chart, const char *style, const double from[2],
                const double to[2])
{
    markup_print(chart->text, "<path class=\"%s\" d=\"M%.1f %.1fL%.1f %.1f\"/>", style,
                 chart_x(chart, from[0]), chart_y(chart, from[1]), chart_x(chart, to[0]),
                 chart_y(chart, to[1]));
}

void chart_box(const struct chart *chart, const char *style, const double from[2],
               const double to[2])
{
    markup_print(chart->text,
                 "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", style,
                 chart_x(chart, from[0]), chart_y(chart, to[1]),
                 chart_x(chart, to[0]) - chart_x(chart, from[0]),
                 chart_y(chart, from[1]) - chart_y(chart, to[1]));
}

void chart_curve(const struct chart *chart, const char *style, const double (*points)[2], size_t n)
{
    const char *step = "M";

    markup_print(chart->text, "<path class=\"%s\" d=\"", style);
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(points[i][1])) {
            step = "M";
            continue;
        }
        markup_print(chart->text, "%s%.1f %.1f", step, chart_x(chart, points[i][0]),
                     chart_y(chart, points[i][1]));
        step = "L";
    }
    text_print(chart->text, "\"/>");
}

void chart_begin(const struct chart *chart, const struct chart_tick *x, size_t x_n,
                 const struct chart_tick *y, size_t y_n)
{
    markup_print(chart->text,
                 "<svg class=\"chart\" viewBox=\"0 0 %u %u\" role=\"img\" aria-label=\"%s\">",
                 (unsigned)CHART_WIDTH, (unsigned)CHART_HEIGHT, chart->label);
    for (size_t i = 0; i < y_n; i++) {
        chart_line(chart, "grid", (double[]){chart->x[0], y[i].value},
                   (double[]){chart->x[1], y[i].value});
        markup_print(chart->text, "<text class=\"y\" x=\"%u\" y=\"%.1f\">%s</text>",
                     (unsigned)LEFT - 8, chart_y(chart, y[i].value) + 4, y[i].text);
    }
    for (size_t i = 0; i < x_n; i++)
        markup_print(chart->text, "<text class=\"x\" x=\"%.1f\" y=\"%u\">%s</text>",
                     chart_x(chart, x[i].value), (unsigned)(CHART_HEIGHT - BOTTOM + 18), x[i].text);
    markup_print(chart->text,
                 "<text class=\"x\" x=\"%u\" y=\"%u\">%s</text>"
                 "<text class=\"x\" transform=\"translate(14 %u)rotate(-90)\">%s</text>\n",
                 (unsigned)(LEFT + CHART_WIDTH - RIGHT) / 2, (unsigned)CHART_HEIGHT - 6,
                 chart->x_title, (unsigned)(TOP + CHART_HEIGHT - BOTTOM) / 2, chart->y_title);
}

void chart_end(const struct chart *chart)
{
    text_print(chart->text, "</svg>\n");
}
