/*
 * The layers of the oracle, each as its definition reads. Only the loop order of the convolution is
 * chosen for speed: one weight at a time, added along whole rows.
 */
#include <math.h>

#include "oracle.h"

/* out[oh][ow] += weight * in[h][w] moved by (ky - pad, kx - pad); what falls outside is zero. */
static void add_shifted(const double *in, size_t h, size_t w, double weight, size_t ky, size_t kx,
                        size_t pad, size_t oh, size_t ow, double *out)
{
    size_t first = kx < pad ? pad - kx : 0;
    size_t end = w + pad > kx ? w + pad - kx : 0;
    if (end > ow) {
        end = ow;
    }
    if (end <= first) {
        return;
    }
    for (size_t y = 0; y < oh; y++) {
        if (y + ky < pad || y + ky - pad >= h) {
            continue;
        }
        const double *restrict from = in + (y + ky - pad) * w + (first + kx - pad);
        double *restrict to = out + y * ow + first;
        for (size_t i = 0; i < end - first; i++) {
            to[i] += weight * from[i];
        }
    }
}

void oracle_conv(const double *in, size_t in_c, size_t h, size_t w, const double *weight,
                 const double *bias, size_t out_c, size_t kernel, size_t pad, double *out)
{
    size_t oh = h + 2 * pad - kernel + 1;
    size_t ow = w + 2 * pad - kernel + 1;
    for (size_t o = 0; o < out_c; o++) {
        double *plane = out + o * oh * ow;
        for (size_t i = 0; i < oh * ow; i++) {
            plane[i] = bias ? bias[o] : 0.0;
        }
        for (size_t c = 0; c < in_c; c++) {
            for (size_t ky = 0; ky < kernel; ky++) {
                for (size_t kx = 0; kx < kernel; kx++) {
                    double value = weight[((o * in_c + c) * kernel + ky) * kernel + kx];
                    add_shifted(in + c * h * w, h, w, value, ky, kx, pad, oh, ow, plane);
                }
            }
        }
    }
}

void oracle_batch_norm(double *x, size_t c, size_t n, const double *gamma, const double *beta,
                       const double *mean, const double *var)
{
    for (size_t i = 0; i < c; i++) {
        for (size_t j = 0; j < n; j++) {
            double normal = (x[i * n + j] - mean[i]) / sqrt(var[i] + 1e-5);
            x[i * n + j] = gamma[i] * normal + beta[i];
        }
    }
}

void oracle_relu(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] > 0.0 ? x[i] : 0.0;
    }
}

void oracle_lrn(const double *in, size_t c, size_t h, size_t w, double *out)
{
    size_t n = h * w;
    for (size_t i = 0; i < c; i++) {
        size_t first = i < 2 ? 0 : i - 2;
        size_t last = i + 2 < c ? i + 2 : c - 1;
        for (size_t p = 0; p < n; p++) {
            double sum = 0.0;
            for (size_t j = first; j <= last; j++) {
                sum += in[j * n + p] * in[j * n + p];
            }
            out[i * n + p] = in[i * n + p] / pow(2.0 + 1e-4 * sum, 0.75);
        }
    }
}

void oracle_maxpool(const double *in, size_t c, size_t h, size_t w, double *out)
{
    size_t oh = h / 2;
    size_t ow = w / 2;
    for (size_t i = 0; i < c; i++) {
        for (size_t y = 0; y < oh; y++) {
            for (size_t x = 0; x < ow; x++) {
                const double *from = in + (i * h + 2 * y) * w + 2 * x;
                double top = fmax(from[0], from[1]);
                double bottom = fmax(from[w], from[w + 1]);
                out[(i * oh + y) * ow + x] = fmax(top, bottom);
            }
        }
    }
}

void oracle_mean(const double *in, size_t c, size_t n, double *out)
{
    for (size_t i = 0; i < c; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < n; j++) {
            sum += in[i * n + j];
        }
        out[i] = sum / (double)n;
    }
}

void oracle_softmax(const double *in, size_t n, double *out)
{
    double largest = in[0];
    for (size_t i = 1; i < n; i++) {
        largest = fmax(largest, in[i]);
    }
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp(in[i] - largest);
        sum += out[i];
    }
    for (size_t i = 0; i < n; i++) {
        out[i] /= sum;
    }
}
