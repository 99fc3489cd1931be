/* Alignment. Everything is in double precision and in one order. */
#include "data/align.h"

#include <math.h>
#include <string.h>

enum {
    SIDE = VGG_FINGERPRINT_SIDE,
    AFFINE = 6,
    UNKNOWNS = AFFINE + 2, /* and gain and offset of the luminance */
    STEPS = 8
};

static const double MOVE_MAX = 3;       /* pixels, of each of the six: a tenth of the side */
static const double COVERED_MIN = 0.75; /* part of the picture that must still be overlaid */
static const double GAIN_MIN = 0.2;
static const double RIDGE = 1; /* keeps pictures without structure solvable */

typedef double plane[SIDE][SIDE];

struct fit {
    plane a;
    plane b, bx, by;    /* and its gradient */
    double map[AFFINE]; /* of (u, v, 1), in -1 .. 1, to displacements in x, then in y */
    plane moved, movedx, movedy;
    bool covered[SIDE][SIDE];
};

static double coordinate(unsigned i)
{
    return (2.0 * i - (SIDE - 1)) / (SIDE - 1);
}

static void set_gradient(struct fit *fit)
{
    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++) {
            unsigned left = x > 0 ? x - 1 : 0, right = x + 1 < SIDE ? x + 1 : x;
            unsigned up = y > 0 ? y - 1 : 0, down = y + 1 < SIDE ? y + 1 : y;

            fit->bx[y][x] = (fit->b[y][right] - fit->b[y][left]) / (right - left);
            fit->by[y][x] = (fit->b[down][x] - fit->b[up][x]) / (down - up);
        }
}

static void begin(struct fit *fit, const struct vgg_fingerprint *a, const struct vgg_fingerprint *b)
{
    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++) {
            fit->a[y][x] = a->luminance[y][x];
            fit->b[y][x] = b->luminance[y][x];
        }
    memset(fit->map, 0, sizeof fit->map);
    set_gradient(fit);
}

/* A place between pixels: the upper left one, and how far it is on. */
struct place {
    unsigned x, y;
    double fx, fy;
};

static double interpolate(const plane from, const struct place *at)
{
    const double *upper = &from[at->y][at->x], *lower = &from[at->y + 1][at->x];

    return (upper[0] * (1 - at->fx) + upper[1] * at->fx) * (1 - at->fy) +
           (lower[0] * (1 - at->fx) + lower[1] * at->fx) * at->fy;
}

/* Where a pixel of `a` is in `b`; false outside. */
static bool find_place(const double map[AFFINE], unsigned x, unsigned y, struct place *at)
{
    double u = coordinate(x), v = coordinate(y);
    double px = x + map[0] * u + map[1] * v + map[2], py = y + map[3] * u + map[4] * v + map[5];

    if (px < 0 || py < 0 || px > SIDE - 1 || py > SIDE - 1)
        return false;
    at->x = px < SIDE - 2 ? (unsigned)px : SIDE - 2;
    at->y = py < SIDE - 2 ? (unsigned)py : SIDE - 2;
    at->fx = px - at->x;
    at->fy = py - at->y;
    return true;
}

/* Part of the picture that is covered. */
static double move(struct fit *fit)
{
    unsigned covered = 0;

    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++) {
            struct place at;

            fit->covered[y][x] = find_place(fit->map, x, y, &at);
            if (!fit->covered[y][x])
                continue;
            fit->moved[y][x] = interpolate(fit->b, &at);
            fit->movedx[y][x] = interpolate(fit->bx, &at);
            fit->movedy[y][x] = interpolate(fit->by, &at);
            covered++;
        }
    return covered / (double)(SIDE * SIDE);
}

static double correlate(const struct fit *fit)
{
    double product = 0, a2 = 0, b2 = 0;

    for (unsigned y = 1; y < SIDE - 1; y++)
        for (unsigned x = 1; x < SIDE - 1; x++) {
            double ax = fit->a[y][x + 1] - fit->a[y][x - 1];
            double ay = fit->a[y + 1][x] - fit->a[y - 1][x], bx, by;

            if (!fit->covered[y][x - 1] || !fit->covered[y][x + 1] || !fit->covered[y - 1][x] ||
                !fit->covered[y + 1][x])
                continue;
            bx = fit->moved[y][x + 1] - fit->moved[y][x - 1];
            by = fit->moved[y + 1][x] - fit->moved[y - 1][x];
            product += ax * bx + ay * by;
            a2 += ax * ax + ay * ay;
            b2 += bx * bx + by * by;
        }
    return a2 > 0 && b2 > 0 ? product / sqrt(a2 * b2) : 0;
}

/* ---------------------------------------------------------------- a step --------------------- */

/* The lower triangle of a symmetric matrix, and the right side. */
struct equations {
    double matrix[UNKNOWNS][UNKNOWNS], right[UNKNOWNS];
};

/* a = gain * (moved + its derivative by the map) + offset, in the least squares. */
static void set_equations(const struct fit *fit, struct equations *equations)
{
    memset(equations, 0, sizeof *equations);
    for (unsigned i = 0; i < UNKNOWNS; i++)
        equations->matrix[i][i] = RIDGE;
    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++) {
            double u = coordinate(x), v = coordinate(y);
            double dx = fit->movedx[y][x], dy = fit->movedy[y][x];
            double row[UNKNOWNS] = {dx * u, dx * v, dx, dy * u, dy * v, dy, fit->moved[y][x], 1};

            if (!fit->covered[y][x])
                continue;
            for (unsigned i = 0; i < UNKNOWNS; i++) {
                equations->right[i] += row[i] * fit->a[y][x];
                for (unsigned j = 0; j <= i; j++)
                    equations->matrix[i][j] += row[i] * row[j];
            }
        }
}

/* By Cholesky's decomposition, in place: `right` becomes the solution. */
static void solve(struct equations *equations)
{
    double(*m)[UNKNOWNS] = equations->matrix, *x = equations->right;

    for (unsigned i = 0; i < UNKNOWNS; i++) {
        for (unsigned j = 0; j < i; j++) {
            for (unsigned k = 0; k < j; k++)
                m[i][j] -= m[i][k] * m[j][k];
            m[i][j] /= m[j][j];
            x[i] -= m[i][j] * x[j];
            m[i][i] -= m[i][j] * m[i][j];
        }
        m[i][i] = sqrt(fmax(m[i][i], RIDGE / 2));
        x[i] /= m[i][i];
    }
    for (unsigned i = UNKNOWNS; i-- > 0;) {
        for (unsigned k = i + 1; k < UNKNOWNS; k++)
            x[i] -= m[k][i] * x[k];
        x[i] /= m[i][i];
    }
}

static void improve(struct fit *fit)
{
    struct equations equations;
    double gain;

    set_equations(fit, &equations);
    solve(&equations);
    gain = fmax(equations.right[AFFINE], GAIN_MIN);
    for (unsigned i = 0; i < AFFINE; i++)
        fit->map[i] = fmax(-MOVE_MAX, fmin(fit->map[i] + equations.right[i] / gain, MOVE_MAX));
}

/* Of pairs that came to 0.9 in the end all but one in a hundred had so much after the first steps;
 * of others, nine in ten had less. */
static bool is_hopeful(unsigned step, double best)
{
    static const double least[] = {0, 0.4, 0.65};

    return step == 0 || best > least[step < 2 ? step : 2];
}

bool vgg_align(const struct vgg_fingerprint *a, const struct vgg_fingerprint *b, double enough)
{
    struct fit fit;
    double best = 0;

    begin(&fit, a, b);
    for (unsigned step = 0; step <= STEPS && best < enough; step++) {
        if (step != 0)
            improve(&fit);
        if (move(&fit) < COVERED_MIN)
            break;
        best = fmax(best, correlate(&fit));
        if (!is_hopeful(step, best))
            break;
    }
    return best >= enough;
}
