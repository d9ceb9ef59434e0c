// im2col and its adjoint. Letters as in conv_reference.py:
//
//     cols[n, i, j, p, q, c] = x[n, i * SH + p - top, j * SW + q - left, c],  zero outside of x
//
// x (N, H, W, C), cols (N, Y, X, KH, KW, C). A block is blockDim.x columns wide and blockDim.y
// pixels high; a column is LANES channels if memory is aligned for it, else one channel.

#include "packs.cuh"

struct Geometry {
    int H, W, C, Y, X, KH, KW, SH, SW, top, left;
};

// Calls f(pixel, column) for all pixels and all columns, L numbers at a time.
template <int L, typename F>
__device__ void each_place(int pixels, int columns, F f) {
    for (int k = (blockIdx.x * blockDim.x + threadIdx.x) * L; k < columns;
         k += gridDim.x * blockDim.x * L)
        for (long long r = blockIdx.y * blockDim.y + threadIdx.y; r < pixels;
             r += gridDim.y * blockDim.y)
            f(r, k);
}

template <int L>
__device__ void copy_patches(const REAL* x, REAL* cols, int N, Geometry g) {
    int columns = g.KH * g.KW * g.C;
    each_place<L>(N * g.Y * g.X, columns, [=](unsigned r, int k) {
        int c = k % g.C, q = k / g.C % g.KW, p = k / g.C / g.KW;
        unsigned j = r % g.X, i = r / g.X % g.Y, n = r / g.X / g.Y;
        int row = i * g.SH + p - g.top, column = j * g.SW + q - g.left;
        bool inside = 0 <= row && row < g.H && 0 <= column && column < g.W;
        size_t from = ((size_t)(n * g.H + row) * g.W + column) * g.C + c;
        store<L>(cols, (size_t)r * columns + k, inside ? load<L>(x, from) : Pack<L>{});
    });
}

extern "C" __global__ void im2col(const REAL* x, REAL* cols, int N, int H, int W, int C, int Y,
                                  int X, int KH, int KW, int SH, int SW, int top, int left) {
    Geometry g = {H, W, C, Y, X, KH, KW, SH, SW, top, left};
    if (C % LANES == 0 && aligned(x, cols))
        copy_patches<LANES>(x, cols, N, g);
    else
        copy_patches<1>(x, cols, N, g);
}

// Each pixel of x adds up the numbers of cols that im2col has copied from it: those at i, p with
// i * SH + p - top = its row, and j, q likewise. So no two threads write to one place.
template <int L>
__device__ void gather(const REAL* cols, REAL* x, int N, Geometry g) {
    each_place<L>(N * g.H * g.W, g.C, [=](unsigned r, int c) {
        int row = r / g.W % g.H + g.top, column = r % g.W + g.left;
        size_t first = (size_t)(r / g.W / g.H) * g.Y;  // the image's first row of patches
        Pack<L> sum = {};
        for (int p = row % g.SH; p < g.KH && p <= row; p += g.SH) {
            int i = (row - p) / g.SH;
            if (i >= g.Y) continue;
            for (int q = column % g.SW; q < g.KW && q <= column; q += g.SW) {
                int j = (column - q) / g.SW;
                if (j >= g.X) continue;
                size_t patch = (first + i) * g.X + j;
                Pack<L> one = load<L>(cols, ((patch * g.KH + p) * g.KW + q) * g.C + c);
#pragma unroll
                for (int l = 0; l < L; l++) sum.at[l] += one.at[l];
            }
        }
        store<L>(x, (size_t)r * g.C + c, sum);
    });
}

extern "C" __global__ void col2im(const REAL* cols, REAL* x, int N, int H, int W, int C, int Y,
                                  int X, int KH, int KW, int SH, int SW, int top, int left) {
    Geometry g = {H, W, C, Y, X, KH, KW, SH, SW, top, left};
    if (C % LANES == 0 && aligned(cols, x))
        gather<LANES>(cols, x, N, g);
    else
        gather<1>(cols, x, N, g);
}
