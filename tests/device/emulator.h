// A GPU's block on a CPU, for tests: every thread of a block is a fiber, which runs until it meets a barrier.
//
// Included before kernels.cu, which is then compiled as C++ with its device code. Threads between two barriers run one
// after the other, in rising or falling order: code that lacks a barrier gives another result in one of them.
#pragma once
#include <setjmp.h>
#include <ucontext.h>

#include <cstdlib>
#include <cstring>

#define __host__
#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__

struct Dimensions {
    unsigned x, y, z;
};
static Dimensions threadIdx, blockIdx, blockDim, gridDim;

namespace emulator {

constexpr unsigned MOST_THREADS = 256;
constexpr unsigned STACK_BYTES = 64 * 1024;

struct Block {
    ucontext_t start;            // of the fiber that begins next
    jmp_buf scheduler;           // switches by jumps: swapcontext asks the kernel about signals each time
    jmp_buf fibers[MOST_THREADS];
    char* stacks;
    bool begun[MOST_THREADS];
    bool ended[MOST_THREADS];
    float exchanged[MOST_THREADS];
    void (*body)(const void*);
    const void* argument;
};
static Block block;

inline void wait_for_others() {
    const Dimensions self = threadIdx;
    if (_setjmp(block.fibers[self.x]) == 0) _longjmp(block.scheduler, 1);
    threadIdx = self;
}

inline void run_fiber() {
    const unsigned self = threadIdx.x;
    block.body(block.argument);
    block.ended[self] = true;
    _longjmp(block.scheduler, 1);
}

// Until the thread's next barrier, or its end.
__attribute__((noinline)) inline void resume(unsigned thread) {
    threadIdx = Dimensions{thread, 0, 0};
    if (_setjmp(block.scheduler) != 0) return;
    if (block.begun[thread]) _longjmp(block.fibers[thread], 1);
    block.begun[thread] = true;
    getcontext(&block.start);
    block.start.uc_stack.ss_sp = block.stacks + static_cast<std::size_t>(thread) * STACK_BYTES;
    block.start.uc_stack.ss_size = STACK_BYTES;
    makecontext(&block.start, run_fiber, 0);
    setcontext(&block.start);
}

// Returns false where some threads have ended and others wait at a barrier.
inline bool run_block(unsigned threads, bool falling) {
    if (!block.stacks) block.stacks = static_cast<char*>(std::malloc(static_cast<std::size_t>(MOST_THREADS) * STACK_BYTES));
    std::memset(block.begun, 0, sizeof block.begun);
    std::memset(block.ended, 0, sizeof block.ended);
    for (;;) {
        unsigned ended = 0;
        for (unsigned step = 0; step < threads; ++step) {
            const unsigned thread = falling ? threads - 1 - step : step;
            resume(thread);
            ended += block.ended[thread];
        }
        if (ended == threads) return true;
        if (ended != 0) return false;
    }
}

}  // namespace emulator

inline void __syncthreads() { emulator::wait_for_others(); }

inline float __shfl_xor_sync(unsigned, float value, int step) {
    emulator::block.exchanged[threadIdx.x] = value;
    emulator::wait_for_others();
    const float other = emulator::block.exchanged[threadIdx.x ^ static_cast<unsigned>(step)];
    emulator::wait_for_others();
    return other;
}
