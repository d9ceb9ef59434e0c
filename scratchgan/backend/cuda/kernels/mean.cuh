// A mean in two parts, because it has more digits than a REAL. Far from 0, where it is subtracted
// from numbers that are nearly equal to it, those of a REAL are too few.
struct Mean {
    REAL most, rest;
};

__device__ Mean in_parts(double mean) {
    REAL most = mean;
    return {most, REAL(mean - most)};
}

__device__ REAL apart(REAL x, Mean mean) { return x - mean.most - mean.rest; }
