// The GPU's two launchers: one thread an index, or one block a row, over a batch of operators (blockIdx.y).
#include "operators.h"

namespace otfsynth {

// The threads of one block share a row; reductions go through shared memory in a fixed order.
struct BlockTeam {
    i32 lane;
    i32 lanes;
    float* scratch;
    float* exchange;

    __device__ void sync() const { __syncthreads(); }

    template <class Combine>
    __device__ float reduce(float value, Combine combine) const {
        for (i32 step = 16; step > 0; step >>= 1) value = combine(value, __shfl_xor_sync(0xffffffffu, value, step));
        __syncthreads();
        if (lane % 32 == 0) exchange[lane / 32] = value;
        __syncthreads();
        float all = exchange[0];
        for (i32 warp = 1; warp < lanes / 32; ++warp) all = combine(all, exchange[warp]);
        return all;
    }
    __device__ float sum(float value) const {
        return reduce(value, [](float a, float b) { return a + b; });
    }
    __device__ float lowest(float value) const {
        return reduce(value, [](float a, float b) { return smaller(a, b); });
    }
    __device__ float highest(float value) const {
        return reduce(value, [](float a, float b) { return larger(a, b); });
    }
};

template <class Operator>
__device__ void run_elements(const Operator* operators) {
    const Operator& op = operators[blockIdx.y];
    const i64 size = op.size();
    for (i64 i = blockIdx.x * static_cast<i64>(blockDim.x) + threadIdx.x; i < size; i += static_cast<i64>(gridDim.x) * blockDim.x) op(i);
}

template <class Operator>
__device__ void run_rows(const Operator* operators) {
    extern __shared__ float scratch[];
    static __shared__ float exchange[32];
    const Operator& op = operators[blockIdx.y];
    const i64 size = op.size();
    const BlockTeam team{static_cast<i32>(threadIdx.x), static_cast<i32>(blockDim.x), scratch, exchange};
    for (i64 row = blockIdx.x; row < size; row += gridDim.x) {
        op(row, team);
        __syncthreads();
    }
}

}  // namespace otfsynth

#define OTF_ELEMENT_KERNEL(Operator) \
    extern "C" __global__ void otf_##Operator(const otfsynth::Operator* operators) { otfsynth::run_elements(operators); }
#define OTF_ROW_KERNEL(Operator) \
    extern "C" __global__ void otf_##Operator(const otfsynth::Operator* operators) { otfsynth::run_rows(operators); }

OTF_ELEMENT_OPERATORS(OTF_ELEMENT_KERNEL)
OTF_ROW_OPERATORS(OTF_ROW_KERNEL)
