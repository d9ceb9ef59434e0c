// Operations that do the same in each of R rows of (R, C): in image layers a row is a pixel.
//
// A block is blockDim.x columns wide and blockDim.y rows high; a column is LANES channels if
// memory is aligned for it, else one channel. The compiler computes what depends on the channel
// alone once, before the loop over rows: it may, because no array overlaps another (__restrict__).

#include "mean.cuh"
#include "packs.cuh"

template <int L, typename F, typename... A>
__device__ void down_columns(int R, int C, F f, A*... a) {
    for (int c = (blockIdx.x * blockDim.x + threadIdx.x) * L; c < C; c += gridDim.x * blockDim.x * L)
        for (size_t r = blockIdx.y * blockDim.y + threadIdx.y; r < R; r += gridDim.y * blockDim.y)
            lanes<L>(f, c, r * C + c, a...);
}

// Calls f(c, a[r, c]...) for all rows r and channels c.
template <typename F, typename... A>
__device__ void each_channel(int R, int C, F f, A*... a) {
    if (C % LANES == 0 && aligned(a...))
        down_columns<LANES>(R, C, f, a...);
    else
        down_columns<1>(R, C, f, a...);
}

// y += b.
extern "C" __global__ void add_bias(REAL* __restrict__ y, const REAL* __restrict__ b, int R,
                                    int C) {
    each_channel(R, C, [=](int c, REAL& y) { y += b[c]; }, y);
}

// gamma (x - mean) / sigma + beta.
extern "C" __global__ void batch_norm(const REAL* __restrict__ x,
                                      const double* __restrict__ mean,
                                      const REAL* __restrict__ sigma,
                                      const REAL* __restrict__ gamma,
                                      const REAL* __restrict__ beta, REAL* __restrict__ y, int R,
                                      int C) {
    each_channel(R, C, [=](int c, REAL& y, REAL x) {
        y = gamma[c] / sigma[c] * apart(x, in_parts(mean[c])) + beta[c];
    }, y, x);
}

// gamma (dy - s / R - xhat q / R) / sigma, with xhat = (x - mean) / sigma.
extern "C" __global__ void batch_norm_grad(const REAL* __restrict__ dy,
                                           const REAL* __restrict__ x,
                                           const double* __restrict__ mean,
                                           const REAL* __restrict__ sigma,
                                           const REAL* __restrict__ gamma,
                                           const REAL* __restrict__ s,
                                           const REAL* __restrict__ q, REAL* __restrict__ dx,
                                           int R, int C) {
    each_channel(R, C, [=](int c, REAL& dx, REAL dy, REAL x) {
        REAL a = gamma[c] / sigma[c];
        dx = a * dy - a * q[c] / (R * sigma[c]) * apart(x, in_parts(mean[c])) - a * s[c] / R;
    }, dx, dy, x);
}
