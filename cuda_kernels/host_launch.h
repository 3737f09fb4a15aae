// The CPU's one launcher, compiled once for each processor generation (see host.cpp). OTF_HOST_LAUNCH names the copy.
//
// Everything sits in an unnamed namespace: two copies of one inline function, compiled for different processors, must
// never be merged by the linker, or the newer one would run on a machine that lacks its instructions.
#include <cstdlib>
#include <cstring>

namespace {
#include "operators.h"

using namespace otfsynth;

// Below this many indices (some tens of microseconds) waking the other threads costs more than they save.
constexpr i64 WORTH_A_THREAD = 4096;

template <class Operator>
void for_each_element(const Operator* operators, i64 count, int threads) {
    i64 indices = 0;
    for (i64 o = 0; o < count; ++o) indices += operators[o].size();
#pragma omp parallel num_threads(threads) if (indices >= WORTH_A_THREAD)
    for (i64 o = 0; o < count; ++o) {
        const Operator op = operators[o];
        const i64 size = op.size();
#pragma omp for schedule(static) nowait
        for (i64 i = 0; i < size; ++i) op(i);
    }
}

// Rows are handed out in small runs: their cost varies (masks, background) and cores may be shared.
template <class Operator>
bool for_each_row(const Operator* operators, i64 count, int threads) {
    i64 floats = 0;
    for (i64 o = 0; o < count; ++o) {
        const i64 wanted = operators[o].scratch_floats();
        floats = wanted > floats ? wanted : floats;
    }
    bool enough = true;
#pragma omp parallel num_threads(threads)
    {
        void* memory = std::aligned_alloc(64, static_cast<std::size_t>(floats + 16) / 16 * 64);
        if (memory) {
            const HostTeam team{static_cast<float*>(memory)};
            for (i64 o = 0; o < count; ++o) {
                const Operator op = operators[o];
                const i64 size = op.size();
#pragma omp for schedule(dynamic, 64) nowait
                for (i64 row = 0; row < size; ++row) op(row, team);
            }
            std::free(memory);
        } else {
            enough = false;
        }
    }
    return enough;
}
}  // namespace

// Returns 0, 1 for an unknown operator, 2 when working memory ran out.
extern "C" int OTF_HOST_LAUNCH(const char* name, const void* operators, long long count, int threads) {
#define OTF_RUN_ELEMENT(Operator)                                                            \
    if (std::strcmp(name, #Operator) == 0) {                                                 \
        for_each_element(static_cast<const Operator*>(operators), count, threads);           \
        return 0;                                                                            \
    }
#define OTF_RUN_ROW(Operator)                                                                \
    if (std::strcmp(name, #Operator) == 0) {                                                 \
        return for_each_row(static_cast<const Operator*>(operators), count, threads) ? 0 : 2; \
    }
    OTF_ELEMENT_OPERATORS(OTF_RUN_ELEMENT)
    OTF_ROW_OPERATORS(OTF_RUN_ROW)
    return 1;
}
