/*
 * L-BFGS with a line search that only shortens steps: along any step the slope of a convex function
 * rises, so even a short one tells of the curvature.
 */
#include "fit/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/vectors.h"

enum { TRIALS = 25 }; /* of one line search; each shrinks its interval by a tenth at least */

static const double DECREASE = 1e-4; /* part of the slope that is to be gained (Armijo) */
static const double NOISE = 1e-7;    /* of a loss whose scores are floats, relative */

uint64_t vgg_lbfgs_bytes(size_t n)
{
    return (uint64_t)n * (5 * sizeof(double) + 2 * VGG_LBFGS_PAIRS * sizeof(float));
}

bool vgg_lbfgs_init(struct vgg_lbfgs *solver, size_t n)
{
    double **vectors[] = {&solver->x, &solver->gradient, &solver->from, &solver->from_gradient,
                          &solver->direction};
    size_t pairs;

    *solver = (struct vgg_lbfgs){.n = n};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        if ((*vectors[i] = vgg_calloc(n, sizeof(double))) == NULL)
            return false;
    if (!vgg_size_mul(n, VGG_LBFGS_PAIRS, &pairs))
        return false;
    solver->change = vgg_alloc(pairs, sizeof *solver->change);
    solver->gradient_change = vgg_alloc(pairs, sizeof *solver->gradient_change);
    return solver->change != NULL && solver->gradient_change != NULL;
}

void vgg_lbfgs_fini(struct vgg_lbfgs *solver)
{
    free(solver->x);
    free(solver->gradient);
    free(solver->from);
    free(solver->from_gradient);
    free(solver->direction);
    free(solver->change);
    free(solver->gradient_change);
    *solver = (struct vgg_lbfgs){.n = 0};
}

void vgg_lbfgs_start(struct vgg_lbfgs *solver)
{
    solver->steps = solver->trials = 0;
    solver->pairs = solver->next = 0;
}

/* ---------------------------------------------------------------- direction ------------------ */

/* The pair of `age` steps ago. */
static size_t slot_of(const struct vgg_lbfgs *solver, size_t age)
{
    return (solver->next + VGG_LBFGS_PAIRS - 1 - age) % VGG_LBFGS_PAIRS;
}

static double dot_change(const float *change, const double *x, size_t n)
{
    double sum[4] = {0};
    size_t i = 0;

    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++)
            sum[k] += (double)change[i + k] * x[i + k];
    for (; i < n; i++)
        sum[0] += (double)change[i] * x[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void add_change(double *x, double factor, const float *change, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += factor * (double)change[i];
}

/* A pair tells of the curvature only if it is positive beyond rounding. */
static void remember(struct vgg_lbfgs *solver)
{
    float *change = solver->change + solver->next * solver->n;
    float *gradient_change = solver->gradient_change + solver->next * solver->n;
    double curvature = 0, squares = 0;

    for (size_t i = 0; i < solver->n; i++) {
        double dx = solver->x[i] - solver->from[i];
        double dg = solver->gradient[i] - solver->from_gradient[i];

        change[i] = (float)dx;
        gradient_change[i] = (float)dg;
        curvature += dx * dg;
        squares += dg * dg;
    }
    if (!(curvature > 1e-10 * squares))
        return;
    solver->curvature[solver->next] = curvature;
    solver->next = (solver->next + 1) % VGG_LBFGS_PAIRS;
    if (solver->pairs < VGG_LBFGS_PAIRS)
        solver->pairs++;
}

/*
 * direction = -H gradient by the two loops, H beginning with the last pair's curvature; without one
 * the steepest direction, of a length of at most 1.
 */
static void choose_direction(struct vgg_lbfgs *solver)
{
    double parts[VGG_LBFGS_PAIRS], *direction = solver->direction, scale = 1;
    size_t n = solver->n;

    for (size_t i = 0; i < n; i++)
        direction[i] = -solver->from_gradient[i];
    for (size_t age = 0; age < solver->pairs; age++) {
        size_t slot = slot_of(solver, age);
        const float *y = solver->gradient_change + slot * n;

        parts[age] = dot_change(solver->change + slot * n, direction, n) / solver->curvature[slot];
        add_change(direction, -parts[age], y, n);
    }
    if (solver->pairs > 0) {
        const float *y = solver->gradient_change + slot_of(solver, 0) * n;
        double squares = 0;

        for (size_t i = 0; i < n; i++)
            squares += (double)y[i] * (double)y[i];
        scale = solver->curvature[slot_of(solver, 0)] / squares;
    } else {
        scale = 1 / fmax(1, sqrt(vgg_dot(direction, direction, n)));
    }
    for (size_t i = 0; i < n; i++)
        direction[i] *= scale;
    for (size_t age = solver->pairs; age-- > 0;) {
        size_t slot = slot_of(solver, age);
        double part =
            dot_change(solver->gradient_change + slot * n, direction, n) / solver->curvature[slot];

        add_change(direction, parts[age] - part, solver->change + slot * n, n);
    }
}

/* ---------------------------------------------------------------- line search ---------------- */

static void move(struct vgg_lbfgs *solver)
{
    for (size_t i = 0; i < solver->n; i++)
        solver->x[i] = solver->from[i] + solver->at * solver->direction[i];
}

/* A search from `from` along a new direction; the steepest one where rounding spoils the other. */
static void begin_search(struct vgg_lbfgs *solver)
{
    choose_direction(solver);
    solver->slope = vgg_dot(solver->from_gradient, solver->direction, solver->n);
    if (!(solver->slope < 0)) {
        solver->pairs = 0;
        choose_direction(solver);
        solver->slope = vgg_dot(solver->from_gradient, solver->direction, solver->n);
    }
    solver->at = 1;
    solver->trials = 1;
    move(solver);
}

/* Sufficient decrease, or what tells of it where the loss itself is lost in rounding. */
static bool decreased(const struct vgg_lbfgs *solver, double loss, double slope)
{
    double fall = DECREASE * solver->at * solver->slope;

    return loss <= solver->from_loss + fall ||
           (loss <= solver->from_loss + NOISE * fabs(solver->from_loss) &&
            slope <= (2 * DECREASE - 1) * solver->slope);
}

/* A shorter step, to where the line through both slopes is zero; false: this one is good. */
static bool shorten(struct vgg_lbfgs *solver, double loss)
{
    double slope = vgg_dot(solver->gradient, solver->direction, solver->n), part = 0.1;
    bool finite = isfinite(loss) && isfinite(slope);

    if (finite && decreased(solver, loss, slope))
        return false;
    if (finite && slope > solver->slope)
        part = -solver->slope / (slope - solver->slope);
    solver->at *= fmin(fmax(part, 0.1), 0.9);
    return true;
}

static void accept(struct vgg_lbfgs *solver, double loss)
{
    memcpy(solver->from, solver->x, solver->n * sizeof *solver->x);
    memcpy(solver->from_gradient, solver->gradient, solver->n * sizeof *solver->gradient);
    solver->from_loss = loss;
}

/* Back to where the search began: no step along it is better. */
static bool give_up(struct vgg_lbfgs *solver)
{
    bool again = solver->pairs > 0;

    solver->pairs = 0;
    if (again)
        begin_search(solver);
    else
        memcpy(solver->x, solver->from, solver->n * sizeof *solver->x);
    return again;
}

bool vgg_lbfgs_step(struct vgg_lbfgs *solver, double loss, double enough)
{
    solver->steps++;
    if (solver->trials > 0) {
        if (shorten(solver, loss)) {
            if (solver->trials++ == TRIALS)
                return give_up(solver);
            move(solver);
            return true;
        }
        remember(solver);
    }
    accept(solver, loss);
    if (sqrt(vgg_dot(solver->gradient, solver->gradient, solver->n)) <= enough ||
        solver->steps >= VGG_LBFGS_STEPS)
        return false;
    begin_search(solver);
    return true;
}
