// The logistic function and its integral.

// 1 / (1 + e^-x) without overflow: e^-|x| never exceeds 1.
__device__ REAL sigmoid_of(REAL x) {
    REAL e = exp(-fabs(x));
    return (x >= 0 ? 1 : e) / (1 + e);
}

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), which cannot overflow.
__device__ REAL softplus_of(REAL x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
