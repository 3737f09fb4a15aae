// The CPU extension: a plain shared library for ctypes. The fastest launcher that the processor can run is chosen once.
#define OTF_HOST_LAUNCH otf_launch_baseline
#define OTF_LISTING
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <vector>

#include "host_launch.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define OTF_HAS_VARIANTS 1
extern "C" int otf_launch_v3(const char*, const void*, long long, int);
extern "C" int otf_launch_v4(const char*, const void*, long long, int);
#endif

namespace {

using Launcher = int (*)(const char*, const void*, long long, int);

struct Variant {
    const char* name;
    Launcher launch;
};

// OTFSYNTH_ISA=baseline|v3|v4 overrides the choice, for tests and for comparing processors.
Variant choose() {
    const Variant baseline{"baseline", otf_launch_baseline};
#ifdef OTF_HAS_VARIANTS
    const char* wanted = std::getenv("OTFSYNTH_ISA");
    __builtin_cpu_init();
    const bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512cd");
    if (wanted && std::strcmp(wanted, "baseline") == 0) return baseline;
    if (v4 && !(wanted && std::strcmp(wanted, "v3") == 0)) return {"v4", otf_launch_v4};
    if (v3) return {"v3", otf_launch_v3};
#endif
    return baseline;
}

const Variant& chosen() {
    static const Variant variant = choose();
    return variant;
}

// Layout of every struct that Python fills: those that operators hold.
const Fields& fields() {
    static const Fields all = [] {
        Fields found;
#define OTF_LIST_OPERATOR(Operator) Listed<Operator>::add(found);
        OTF_ELEMENT_OPERATORS(OTF_LIST_OPERATOR)
        OTF_ROW_OPERATORS(OTF_LIST_OPERATOR)
#undef OTF_LIST_OPERATOR
        return found;
    }();
    return all;
}

}  // namespace

#if defined(_WIN32)
#define OTF_EXPORT __declspec(dllexport)
#else
#define OTF_EXPORT __attribute__((visibility("default")))
#endif

extern "C" {

OTF_EXPORT int otf_launch(const char* name, const void* operators, long long count, int threads) {
    return chosen().launch(name, operators, count, threads > 0 ? threads : 1);
}

OTF_EXPORT const char* otf_variant() { return chosen().name; }

// How a GPU launches a batch: the largest number of indices or rows, and the most working memory a row needs, in floats;
// -1 for an operator of indices. Pointers are compared with null, never read. Returns 1 for an unknown operator.
OTF_EXPORT int otf_launch_size(const char* name, const void* operators, long long count, long long* size, long long* scratch) {
    *size = 0;
    *scratch = -1;
#define OTF_SIZE_OF_ELEMENT(Operator)                                                   \
    if (std::strcmp(name, #Operator) == 0) {                                            \
        const Operator* batch = static_cast<const Operator*>(operators);                \
        for (i64 o = 0; o < count; ++o) *size = batch[o].size() > *size ? batch[o].size() : *size; \
        return 0;                                                                       \
    }
#define OTF_SIZE_OF_ROW(Operator)                                                       \
    if (std::strcmp(name, #Operator) == 0) {                                            \
        const Operator* batch = static_cast<const Operator*>(operators);                \
        for (i64 o = 0; o < count; ++o) {                                               \
            *size = batch[o].size() > *size ? batch[o].size() : *size;                  \
            *scratch = batch[o].scratch_floats() > *scratch ? batch[o].scratch_floats() : *scratch; \
        }                                                                               \
        return 0;                                                                       \
    }
    OTF_ELEMENT_OPERATORS(OTF_SIZE_OF_ELEMENT)
    OTF_ROW_OPERATORS(OTF_SIZE_OF_ROW)
    return 1;
}

// Philox4x32-10 of n counters, for the published test vectors.
OTF_EXPORT void otf_philox4x32(const unsigned* counters, unsigned k0, unsigned k1, unsigned* out, long long n) {
    for (long long i = 0; i < n; ++i) {
        const unsigned* c = counters + 4 * i;
        const Words w = philox4x32(Words{c[0], c[1], c[2], c[3]}, k0, k1);
        out[4 * i] = w.x0;
        out[4 * i + 1] = w.x1;
        out[4 * i + 2] = w.x2;
        out[4 * i + 3] = w.x3;
    }
}

// Layout of every structure as this compiler sees it; returns the number of fields.
OTF_EXPORT long long otf_fields(const void** table) {
    *table = fields().data();
    return static_cast<long long>(fields().size());
}

// Python's build tools expect an extension module; this one is opened with ctypes and never imported.
OTF_EXPORT void* PyInit__host() { return nullptr; }
}
