// Functions of single numbers: y = f(x), and dx = f'(x) dy with f' in terms of y.

// f(a[i]...) for all n places; threads take turns, as many times as it needs.
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

// x where x > 0, slope * x elsewhere. With slope 0 the latter is 0, also of -infinity.
extern "C" __global__ void leaky_relu(const REAL* x, REAL* y, REAL slope, long long n) {
    each(n, [=](REAL& y, REAL x) { y = x > 0 ? x : slope > 0 || x != x ? slope * x : 0; }, y, x);
}

// dy where y > 0, slope * dy elsewhere.
extern "C" __global__ void leaky_relu_grad(const REAL* dy, const REAL* y, REAL* dx, REAL slope,
                                           long long n) {
    each(n, [=](REAL& dx, REAL dy, REAL y) { dx = y > 0 ? dy : slope * dy; }, dx, dy, y);
}
