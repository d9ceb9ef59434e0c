// Add up the rows of (R, C), each channel by itself.
//
// There are two steps. gridDim.y blocks share the rows, and each block leaves one partial result
// for each channel, (gridDim.y, C). Then a second kernel, the "finish", combines these. If one
// block is enough, it finishes at once. The shape alone decides what is added to what: so the same
// numbers give the same sums in every run.
//
// A thread adds up to CHUNK rows in REAL (with more, rounding would show), all else in double.

__device__ double merge(double a, double b) { return a + b; }

struct Sums {
    double s, q;
};

__device__ Sums merge(Sums a, Sums b) { return {a.s + b.s, a.q + b.q}; }

// The mean of n numbers, and the sum of the squares of their distances to it. Two of these combine
// as in Chan, Golub and LeVeque, "Updating formulae ... for computing sample variances".
struct Moments {
    double n, mean, squares;
};

__device__ Moments merge(Moments a, Moments b) {
    double n = a.n + b.n, apart = b.mean - a.mean, share = n > 0 ? b.n / n : 0;
    return {n, a.mean + share * apart, a.squares + b.squares + share * a.n * apart * apart};
}

// Adds up the results of a block's threads, column by column; the threads of row 0 get the total.
template <typename T>
__device__ T down_block(T own) {
    __shared__ T parts[THREADS];
    int t = threadIdx.y * blockDim.x + threadIdx.x;
    parts[t] = own;
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half) parts[t] = merge(parts[t], parts[t + half * blockDim.x]);
    }
    return parts[t];
}

// First step: partial(c, i, step, k) is the result for channel c's k numbers at i, i + step, ...
template <typename T, typename Partial, typename Finish>
__device__ void reduce(int R, int C, T* partials, Partial partial, Finish finish) {
    constexpr int CHUNK = 64;
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    long long rows = gridDim.y * blockDim.y;  // between a thread's row and its next
    T total = {};
    if (c < C)
        for (long long r = blockIdx.y * blockDim.y + threadIdx.y; r < R; r += rows * CHUNK) {
            int k = min((R - r + rows - 1) / rows, (long long)CHUNK);
            total = merge(total, partial(c, r * C + c, rows * C, k));
        }
    total = down_block(total);
    if (threadIdx.y > 0 || c >= C) return;
    if (gridDim.y == 1)
        finish(c, total);
    else
        partials[(size_t)blockIdx.y * C + c] = total;
}

// Second step, for ``many`` partial results of each channel.
template <typename T, typename Finish>
__device__ void combine(int many, int C, const T* partials, Finish finish) {
    int c = blockIdx.x * blockDim.x + threadIdx.x;
    T total = {};
    if (c < C)
        for (int k = threadIdx.y; k < many; k += blockDim.y)
            total = merge(total, partials[(size_t)k * C + c]);
    total = down_block(total);
    if (threadIdx.y == 0 && c < C) finish(c, total);
}
