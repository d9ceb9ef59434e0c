// Sums over the rows of (R, C): for gradients of biases, and for batch normalisation.

#include "mean.cuh"
#include "reduce.cuh"

// out = the sum of the rows, or with ``add`` out += the sum.
__device__ auto into(REAL* out, int add) {
    return [=](int c, double sum) { out[c] = (add ? out[c] : 0) + REAL(sum); };
}

extern "C" __global__ void sum_rows(const REAL* a, REAL* out, int add, double* partials, int R,
                                    int C) {
    auto partial = [=](int c, size_t i, size_t step, int k) {
        REAL sum = 0;
#pragma unroll 8
        for (; k > 0; k--, i += step) sum += a[i];
        return double(sum);
    };
    reduce(R, C, partials, partial, into(out, add));
}

extern "C" __global__ void sum_rows_finish(const double* partials, REAL* out, int add, int many,
                                           int C) {
    combine(many, C, partials, into(out, add));
}

// mean and sigma = sqrt(var + eps); mean and var are also taken into the running averages.
__device__ auto into(double* mean, REAL* sigma, REAL* running_mean, REAL* running_var, double decay,
                     double eps) {
    return [=](int c, Moments of) {
        double var = of.squares / of.n;
        mean[c] = of.mean;
        sigma[c] = sqrt(var + eps);
        REAL before = running_mean[c], goal = of.mean;
        REAL after = decay * before + (1 - decay) * of.mean;
        // Far from 0, a small part of a small difference is rounded away: take the smallest step.
        if (after == before && decay < 1)
            after = sizeof(REAL) == 4 ? nextafterf(before, goal) : nextafter(before, goal);
        running_mean[c] = after;
        running_var[c] = decay * running_var[c] + (1 - decay) * var * of.n / (of.n - 1);
    };
}

extern "C" __global__ void batch_moments(const REAL* x, double* mean, REAL* sigma,
                                         REAL* running_mean, REAL* running_var, double decay,
                                         double eps, Moments* partials, int R, int C) {
    // The sums are of distances to one of the numbers, the pivot. If it lies far from the others,
    // then the variance is large, too, and the rounding of the difference below is small beside it.
    auto partial = [=](int c, size_t i, size_t step, int k) {
        REAL pivot = x[i], sum = 0, squares = 0;
#pragma unroll 8
        for (int left = k; left > 0; left--, i += step) {
            REAL apart = x[i] - pivot;
            sum += apart;
            squares += apart * apart;
        }
        double mean = double(sum) / k;
        return Moments{double(k), pivot + mean, squares - sum * mean};
    };
    reduce(R, C, partials, partial, into(mean, sigma, running_mean, running_var, decay, eps));
}

extern "C" __global__ void batch_moments_finish(const Moments* partials, double* mean, REAL* sigma,
                                                REAL* running_mean, REAL* running_var,
                                                double decay, double eps, int many, int C) {
    combine(many, C, partials, into(mean, sigma, running_mean, running_var, decay, eps));
}

// s = sum of dy, q = sum of xhat dy; with add, also dbeta += s and dgamma += q.
__device__ auto into(const REAL* sigma, REAL* s, REAL* q, REAL* dgamma, REAL* dbeta, int add) {
    return [=](int c, Sums sums) {
        s[c] = sums.s;
        q[c] = sums.q / sigma[c];
        if (add) {
            dgamma[c] += q[c];
            dbeta[c] += s[c];
        }
    };
}

extern "C" __global__ void batch_norm_sums(const REAL* dy, const REAL* x, const double* mean,
                                           const REAL* sigma, REAL* s, REAL* q, REAL* dgamma,
                                           REAL* dbeta, int add, Sums* partials, int R, int C) {
    auto partial = [=](int c, size_t i, size_t step, int k) {
        REAL s = 0, q = 0;
        Mean mu = in_parts(mean[c]);
#pragma unroll 8
        for (; k > 0; k--, i += step) {
            s += dy[i];
            q += apart(x[i], mu) * dy[i];
        }
        return Sums{double(s), double(q)};
    };
    reduce(R, C, partials, partial, into(sigma, s, q, dgamma, dbeta, add));
}

extern "C" __global__ void batch_norm_sums_finish(const Sums* partials, const REAL* sigma, REAL* s,
                                                  REAL* q, REAL* dgamma, REAL* dbeta, int add,
                                                  int many, int C) {
    combine(many, C, partials, into(sigma, s, q, dgamma, dbeta, add));
}
