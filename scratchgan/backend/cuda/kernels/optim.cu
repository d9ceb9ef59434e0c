// Optimisers, each one pass over the flat vectors. Coefficients are passed in double and rounded
// once: in float, 1 - beta2 would be wrong in the fifth digit.
//
// A rate that may change from step to step is passed as a number. In a step that is recorded once
// and repeated (`recorded` is not 0), it is passed as the place in memory where the current step
// has its value.

#include "packs.cuh"

__device__ double now(double number, const double* place, int recorded) {
    return recorded ? *place : number;
}

// g, or the largest number whose square is finite: so running means of squares stay finite. Where
// all of them are made of such a g, their ratio stays the same. An infinite g is left to be seen.
__device__ REAL bounded(REAL g) {
    const REAL most = sizeof(REAL) == 4 ? 18446742974197923840.0 : 1.3407807929942596e154;
    return isinf(g) ? g : g > most ? most : g < -most ? -most : g;
}

extern "C" __global__ void sgd(REAL* theta, const REAL* grad, REAL* velocity, double lr,
                               const double* lr_now, int recorded, double momentum, long long n) {
    REAL rate = now(lr, lr_now, recorded), keep = momentum;
    each(n, [=](REAL& w, REAL g, REAL& v) {
        v = keep * v + g;
        w -= rate * v;
    }, theta, grad, velocity);
}

extern "C" __global__ void rmsprop(REAL* theta, const REAL* grad, REAL* square, double lr,
                                   const double* lr_now, int recorded, double alpha, double eps,
                                   long long n) {
    REAL rate = now(lr, lr_now, recorded), keep = alpha, add = 1 - alpha, tiny = eps;
    each(n, [=](REAL& w, REAL g, REAL& s) {
        g = bounded(g);
        s = keep * s + add * g * g;
        w -= rate * (g / (sqrt(s) + tiny));
    }, theta, grad, square);
}

// theta -= rate * m / (sqrt(v) + eps). rate and eps hold the corrections by 1 - beta^t: nothing
// else in the step depends on t and lr.
extern "C" __global__ void adam(REAL* theta, const REAL* grad, REAL* m, REAL* v, double rate,
                                const double* rate_now, double eps, const double* eps_now,
                                int recorded, double beta1, double beta2, long long n) {
    REAL step = now(rate, rate_now, recorded), tiny = now(eps, eps_now, recorded);
    REAL keep1 = beta1, add1 = 1 - beta1, keep2 = beta2, add2 = 1 - beta2;
    each(n, [=](REAL& w, REAL g, REAL& m, REAL& v) {
        g = bounded(g);
        m = keep1 * m + add1 * g;
        v = keep2 * v + add2 * g * g;
        w -= step * (m / (sqrt(v) + tiny));
    }, theta, grad, m, v);
}

extern "C" __global__ void ema(REAL* mean, const REAL* theta, double decay,
                               const double* decay_now, int recorded, long long n) {
    REAL add = 1 - now(decay, decay_now, recorded);
    each(n, [=](REAL& m, REAL w) { m += add * (w - m); }, mean, theta);
}
