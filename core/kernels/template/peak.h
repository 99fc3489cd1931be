/*
 * Template: the limits of one core, measured with the instructions that the kernels use. Both count
 * what they do in the numbers they compute with, so that no work can be left out unnoticed.
 */

TARGET static double vec_sum(vec x)
{
    float lanes[LANES] __attribute__((aligned(LANES * sizeof(float))));
    double sum = 0;

    vec_store(lanes, x);
    for (size_t i = 0; i < LANES; i++)
        sum += lanes[i];
    return sum;
}

/*
 * Each multiply-add takes a lane's count one further. Chains begin with numbers of their own: of
 * equal ones the compiler would compute one for all.
 */
TARGET static double peak_fma(size_t rounds)
{
    static volatile const float unit = 1; /* not to be simplified away */
    vec x[VGG_PEAK_CHAINS], one = vec_set(unit);
    double sum = 0;

    UNROLL for (int c = 0; c < VGG_PEAK_CHAINS; c++)
    {
        x[c] = vec_set((float)c);
    }
    for (size_t round = 0; round < rounds; round++)
        UNROLL for (int c = 0; c < VGG_PEAK_CHAINS; c++)
        {
            x[c] = vec_fma(x[c], one, one);
        }
    UNROLL for (int c = 0; c < VGG_PEAK_CHAINS; c++)
    {
        sum += vec_sum(x[c]) - (double)LANES * c;
    }
    return sum;
}

enum { READ_VECTORS = 8 };

TARGET static double peak_read(const float *floats, size_t n)
{
    vec sums[READ_VECTORS];
    double sum = 0;

    UNROLL for (size_t i = 0; i < READ_VECTORS; i++)
    {
        sums[i] = vec_zero();
    }
    for (size_t from = 0; from < n; from += READ_VECTORS * LANES)
        UNROLL for (size_t i = 0; i < READ_VECTORS; i++)
        {
            sums[i] = vec_add(sums[i], vec_load(floats + from + i * LANES));
        }
    UNROLL for (size_t i = 0; i < READ_VECTORS; i++)
    {
        sum += vec_sum(sums[i]);
    }
    return sum;
}
