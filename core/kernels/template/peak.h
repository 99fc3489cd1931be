/* Template: the limits of one core, measured with the instructions that the kernels use. */

TARGET static float vec_sum(vec x)
{
    float lanes[LANES] __attribute__((aligned(LANES * sizeof(float)))), sum = 0;

    vec_store(lanes, x);
    for (size_t i = 0; i < LANES; i++)
        sum += lanes[i];
    return sum;
}

TARGET static float peak_fma(size_t rounds)
{
    vec x[VGG_PEAK_CHAINS], factor = vec_set(0.999F), term = vec_set(0.001F);

    UNROLL for (int c = 0; c < VGG_PEAK_CHAINS; c++)
    {
        x[c] = vec_set((float)c);
    }
    for (size_t round = 0; round < rounds; round++)
        UNROLL for (int c = 0; c < VGG_PEAK_CHAINS; c++)
        {
            x[c] = vec_fma(x[c], factor, term);
        }
    UNROLL for (int c = 1; c < VGG_PEAK_CHAINS; c++)
    {
        x[0] = vec_add(x[0], x[c]);
    }
    return vec_sum(x[0]);
}

enum { READ_VECTORS = 8 };

TARGET static float peak_read(const float *floats, size_t n)
{
    vec sums[READ_VECTORS];

    UNROLL for (size_t i = 0; i < READ_VECTORS; i++)
    {
        sums[i] = vec_zero();
    }
    for (size_t from = 0; from < n; from += READ_VECTORS * LANES)
        UNROLL for (size_t i = 0; i < READ_VECTORS; i++)
        {
            sums[i] = vec_add(sums[i], vec_load(floats + from + i * LANES));
        }
    UNROLL for (size_t i = 1; i < READ_VECTORS; i++)
    {
        sums[0] = vec_add(sums[0], sums[i]);
    }
    return vec_sum(sums[0]);
}
