/* Soft-max, mean and top-k. */
#include "engine/posterior.h"

#include <math.h>

bool vgg_softmax(double *logits, size_t n)
{
    double max = logits[0], sum = 0;

    for (size_t i = 1; i < n; i++)
        if (logits[i] > max)
            max = logits[i];
    for (size_t i = 0; i < n; i++) {
        logits[i] = exp(logits[i] - max);
        sum += logits[i];
    }
    for (size_t i = 0; i < n; i++)
        logits[i] /= sum;
    return isfinite(sum);
}

void vgg_mean_rows(const double *rows, const uint32_t *order, size_t count, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;

        for (size_t row = 0; row < count; row++)
            sum += rows[(order != NULL ? order[row] : row) * n + i];
        out[i] = (float)(sum / (double)count);
    }
}

/* Does class a rank before class b? */
static bool before(const float *posterior, uint32_t a, uint32_t b)
{
    return posterior[a] > posterior[b] || (posterior[a] == posterior[b] && a < b);
}

/* Restore the heap below `root`; the worst of the best is on top. */
static void sift_down(const float *posterior, uint32_t *heap, size_t n, size_t root)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        uint32_t swap;

        if (child + 1 < n && before(posterior, heap[child], heap[child + 1]))
            child++;
        if (!before(posterior, heap[root], heap[child]))
            return;
        swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
    }
}

size_t vgg_top_k(const float *posterior, uint32_t classes, size_t k, uint32_t *top)
{
    if (k > classes)
        k = classes;
    if (k == 0)
        return 0;
    for (uint32_t i = 0; i < k; i++)
        top[i] = i;
    for (size_t root = k / 2; root-- > 0;)
        sift_down(posterior, top, k, root);
    for (uint32_t i = (uint32_t)k; i < classes; i++)
        if (before(posterior, i, top[0])) {
            top[0] = i;
            sift_down(posterior, top, k, 0);
        }
    /* Heap sort: the worst goes to the end. */
    for (size_t n = k; n > 1; n--) {
        uint32_t worst = top[0];

        top[0] = top[n - 1];
        top[n - 1] = worst;
        sift_down(posterior, top, n - 1, 0);
    }
    return k;
}

uint32_t vgg_class_rank(const float *posterior, uint32_t classes, uint32_t index)
{
    uint32_t rank = 0;

    for (uint32_t i = 0; i < classes; i++)
        rank += before(posterior, i, index);
    return rank;
}
