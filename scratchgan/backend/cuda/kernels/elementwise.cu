// Functions of single numbers: y = f(x), and dx = f'(x) dy with f' in terms of y.

#include "logistic.cuh"
#include "packs.cuh"

// x where x > 0, slope * x elsewhere. With slope 0 that is 0, also for x = -infinity.
extern "C" __global__ void leaky_relu(const REAL* x, REAL* y, REAL slope, long long n) {
    each(n, [=](REAL& y, REAL x) { y = x > 0 ? x : slope > 0 || x != x ? slope * x : 0; }, y, x);
}

// dy where y > 0, slope * dy elsewhere.
extern "C" __global__ void leaky_relu_grad(const REAL* dy, const REAL* y, REAL* dx, REAL slope,
                                           long long n) {
    each(n, [=](REAL& dx, REAL dy, REAL y) { dx = y > 0 ? dy : slope * dy; }, dx, dy, y);
}

extern "C" __global__ void sigmoid(const REAL* x, REAL* y, long long n) {
    each(n, [](REAL& y, REAL x) { y = sigmoid_of(x); }, y, x);
}

extern "C" __global__ void softplus(const REAL* x, REAL* y, long long n) {
    each(n, [](REAL& y, REAL x) { y = softplus_of(x); }, y, x);
}

// Not named tanh: that is the function it calls.
extern "C" __global__ void tanh_value(const REAL* x, REAL* y, long long n) {
    each(n, [](REAL& y, REAL x) { y = tanh(x); }, y, x);
}

// (1 - y^2) dy.
extern "C" __global__ void tanh_grad(const REAL* dy, const REAL* y, REAL* dx, long long n) {
    each(n, [](REAL& dx, REAL dy, REAL y) { dx = (1 - y * y) * dy; }, dx, dy, y);
}
