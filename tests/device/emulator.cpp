// The emulated device as a shared library: kernels.cu with the blocks of emulator.h.
#include "emulator.h"

namespace otfsynth {
constexpr unsigned SCRATCH_FLOATS = 65536;
float scratch[SCRATCH_FLOATS];  // the dynamic shared memory of run_rows
}  // namespace otfsynth

#define __CUDACC__ 1
#include "kernels.cu"

namespace {

using Body = void (*)(const void*);

struct Kernel {
    const char* name;
    Body body;
};

#define OTF_ENTRY(Operator) {#Operator, [](const void* operators) { otf_##Operator(static_cast<const otfsynth::Operator*>(operators)); }},
const Kernel kernels[] = {OTF_ELEMENT_OPERATORS(OTF_ENTRY) OTF_ROW_OPERATORS(OTF_ENTRY)};

constexpr float CANARY = -1.25e30f;

}  // namespace

// Returns 0; 1 unknown kernel; 2 a barrier that not all threads reach; 3 shared memory overrun; 4 geometry not allowed.
extern "C" int emulate(const char* name, unsigned grid_x, unsigned grid_y, unsigned threads, unsigned shared_bytes,
                       const void* operators, int falling) {
    if (threads == 0 || threads > emulator::MOST_THREADS || threads % 32 != 0 || grid_x == 0 || grid_y == 0) return 4;
    const unsigned floats = shared_bytes / 4;
    if (floats + 64 > otfsynth::SCRATCH_FLOATS) return 4;
    for (const Kernel& kernel : kernels) {
        if (std::strcmp(kernel.name, name) != 0) continue;
        blockDim = Dimensions{threads, 1, 1};
        gridDim = Dimensions{grid_x, grid_y, 1};
        emulator::block.body = kernel.body;
        emulator::block.argument = operators;
        for (unsigned y = 0; y < grid_y; ++y) {
            for (unsigned x = 0; x < grid_x; ++x) {
                blockIdx = Dimensions{x, y, 0};
                for (unsigned i = 0; i < floats; ++i) otfsynth::scratch[i] = __builtin_nanf("");  // is never zero on a GPU either
                for (unsigned i = floats; i < floats + 64; ++i) otfsynth::scratch[i] = CANARY;
                if (!emulator::run_block(threads, falling != 0)) return 2;
                for (unsigned i = floats; i < floats + 64; ++i) {
                    if (otfsynth::scratch[i] != CANARY) return 3;
                }
            }
        }
        return 0;
    }
    return 1;
}
