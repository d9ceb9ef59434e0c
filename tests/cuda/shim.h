// CUDA's language as far as our kernels speak it, for g++: a kernel's threads run one after the
// other on one core, and change places at __syncthreads().

#include <math.h>
#include <stdlib.h>
#include <ucontext.h>

#define __global__ static
#define __device__ static inline
#define __shared__ static
#define __restrict__

struct dim3 {
    unsigned x, y, z;
};
static dim3 gridDim, blockDim, blockIdx, threadIdx;

template <typename T>
static inline T min(T a, T b) {
    return b < a ? b : a;
}

namespace shim {

constexpr size_t STACK = 32 * 1024;

struct Fiber {
    ucontext_t place;
    dim3 threadIdx;
    bool done;
};
static ucontext_t scheduler, way_out;
static Fiber* running;
static void (*body)(void**);
static void** arguments;
static const char* volatile failure;

// Leave the kernel, from whichever of its threads.
static void fail(const char* why) {
    failure = why;
    setcontext(&way_out);
}

static void run_thread() {
    body(arguments);
    running->done = true;  // and on to the scheduler, which uc_link names
}

static dim3 unflatten(unsigned t) {
    return {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
}

// A block whose threads meet: each runs to its next barrier or its end, then the next one runs.
// CUDA wants a barrier to be met by all threads of a block or by none.
static void run_fibers(Fiber* fibers, char* stacks, unsigned threads, bool backwards) {
    for (unsigned t = 0; t < threads; t++) {
        Fiber& f = fibers[t];
        getcontext(&f.place);
        f.place.uc_stack.ss_sp = stacks + t * STACK;
        f.place.uc_stack.ss_size = STACK;
        f.place.uc_link = &scheduler;
        f.threadIdx = unflatten(t);
        f.done = false;
        makecontext(&f.place, run_thread, 0);
    }
    for (unsigned left = threads; left;) {
        unsigned ended = 0;
        for (unsigned k = 0; k < threads; k++) {
            running = &fibers[backwards ? threads - 1 - k : k];
            threadIdx = running->threadIdx;
            swapcontext(&scheduler, &running->place);
            ended += running->done;
        }
        if (ended && ended < threads)
            fail("__syncthreads() was reached by some threads of a block and not by others");
        left -= ended;
    }
}

static const char* launch(void (*kernel)(void**), void** args, const unsigned* shape, bool meets,
                          bool backwards) {
    gridDim = {shape[0], shape[1], shape[2]};
    blockDim = {shape[3], shape[4], shape[5]};
    unsigned blocks = gridDim.x * gridDim.y * gridDim.z;
    unsigned threads = blockDim.x * blockDim.y * blockDim.z;
    body = kernel, arguments = args, failure = nullptr;
    Fiber* fibers = meets ? new Fiber[threads] : nullptr;
    char* stacks = meets ? static_cast<char*>(malloc(threads * STACK)) : nullptr;
    getcontext(&way_out);  // where `fail` goes on
    for (unsigned k = 0; k < blocks && !failure; k++) {
        unsigned b = backwards ? blocks - 1 - k : k;
        blockIdx = {b % gridDim.x, b / gridDim.x % gridDim.y, b / gridDim.x / gridDim.y};
        if (meets) {
            run_fibers(fibers, stacks, threads, backwards);
            continue;
        }
        for (unsigned t = 0; t < threads; t++) {
            threadIdx = unflatten(backwards ? threads - 1 - t : t);
            kernel(args);
        }
    }
    delete[] fibers;
    free(stacks);
    return failure;
}

}  // namespace shim

static void __syncthreads() { swapcontext(&shim::running->place, &shim::scheduler); }

// What g++ calls, by its options -fsanitize=alignment,bounds.
extern "C" void __ubsan_handle_type_mismatch_v1(void*, void*) {
    shim::fail("a pack was read or written at an address that is not a multiple of its size");
}
extern "C" void __ubsan_handle_out_of_bounds(void*, void*) {
    shim::fail("an index lies outside of its array");
}

