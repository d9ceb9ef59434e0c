// Losses on logits, value and gradient at once. Logits are few: one block takes them all.

#include "logistic.cuh"
#include "reduce.cuh"

// value = mean of t softplus(-a) + (1 - t) softplus(a), slope = d value / da. The target t is the
// same for all logits a, or with ``many`` each has its own.
extern "C" __global__ void binary_cross_entropy(const REAL* logits, REAL target,
                                                const REAL* targets, int many, REAL* value,
                                                REAL* slope, long long n) {
    double sum = 0;
    for (long long i = threadIdx.y; i < n; i += THREADS) {
        REAL a = logits[i], t = many ? targets[i] : target;
        sum += t * softplus_of(-a) + (1 - t) * softplus_of(a);
        slope[i] = ((1 - t) * sigmoid_of(a) - t * sigmoid_of(-a)) / n;
    }
    sum = down_block(sum);
    if (threadIdx.y == 0) *value = sum / n;
}
