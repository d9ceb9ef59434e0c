// What all kernels share; it stands before each of the .cu files when they are compiled.
//
// REAL is float or double. THREADS, the threads of a block, and how many blocks there are: see
// cuda.py. The formulas are those of numpy_ops.py, in the same letters; an array that Python
// writes (R, C) is here R rows of C numbers, one after the other.

constexpr int LANES = 16 / sizeof(REAL);  // the numbers that one load of 16 bytes brings

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
__device__ void store(const REAL*, size_t, Pack<L>) {}  // what is const is read only

// f(first, a[i]...), f(first + 1, a[i + 1]...), ... for L numbers of each array, written back to
// those that are not const. Where f only writes an array, the compiler drops the load of it.
template <int L, typename F, typename... A>
__device__ void lanes(F f, int first, size_t i, A*... a) {
    [&](auto... p) {
#pragma unroll
        for (int l = 0; l < L; l++) f(first + l, p.at[l]...);
        (store<L>(a, i, p), ...);
    }(load<L>(a, i)...);
}
