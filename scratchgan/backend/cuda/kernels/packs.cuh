// Arrays read and written in packs of 16 bytes, the most that one thread moves at once.
//
// REAL is float or double, THREADS the number of threads in a block: see grids.py.

constexpr int LANES = 16 / sizeof(REAL);  // the numbers of a full pack

template <int L>
struct alignas(L * sizeof(REAL)) Pack {
    REAL at[L];
};

template <typename... A>
__device__ bool aligned(A*... a) {
    return ((reinterpret_cast<size_t>(a) % 16 == 0) && ...);
}

template <int L>
__device__ Pack<L> load(const REAL* a, size_t i) {
    return *reinterpret_cast<const Pack<L>*>(a + i);
}

template <int L>
__device__ void store(REAL* a, size_t i, Pack<L> p) {
    *reinterpret_cast<Pack<L>*>(a + i) = p;
}

template <int L>
__device__ void store(const REAL*, size_t, Pack<L>) {}  // a const array is only read

// Calls f(first, a[i]...), f(first + 1, a[i + 1]...), ... for L numbers of each array, and writes
// them back to the arrays that are not const. If f only writes an array, the compiler drops its
// load.
template <int L, typename F, typename... A>
__device__ void lanes(F f, int first, size_t i, A*... a) {
    [&](auto... p) {
#pragma unroll
        for (int l = 0; l < L; l++) f(first + l, p.at[l]...);
        (store<L>(a, i, p), ...);
    }(load<L>(a, i)...);
}

// Calls f(a[i]...) for all n places i. Each thread takes its place, then jumps over those of all
// other threads to its next one.
template <typename F, typename... A>
__device__ void each(long long n, F f, A*... a) {
    auto ignore_lane = [&](int, auto&... numbers) { f(numbers...); };
    long long step = (long long)gridDim.x * THREADS, done = 0;
    long long own = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (aligned(a...)) {
        done = n - n % LANES;
        for (long long i = own * LANES; i < done; i += step * LANES)
            lanes<LANES>(ignore_lane, 0, i, a...);
    }
    for (long long i = done + own; i < n; i += step) lanes<1>(ignore_lane, 0, i, a...);
}
