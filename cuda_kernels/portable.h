// What differs between the two compilers: qualifiers, vector hints, bit casts, and the team that shares a row.
//
// Every operator of this folder is a plain struct of parameters and pointers. An element operator has
// `operator()(index)`; a row operator has `operator()(row, team)`, where the team is one thread on a CPU (whose compiler
// vectorises the loops) and a block of threads on a GPU. No standard headers: NVRTC has none, and inline functions of
// the standard library must not be compiled for several processors into one extension.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define OTF_DEVICE_CODE 1
#define OTF_INLINE __host__ __device__ __forceinline__
#define OTF_STEP OTF_INLINE
#define OTF_VECTOR_LOOP
#define OTF_VECTOR_REDUCTION(clauses)
#define OTF_PREFETCH(address) static_cast<void>(address)
#define OTF_UNROLL _Pragma("unroll")
#else
#define OTF_INLINE inline __attribute__((always_inline))
// One of many loops of a pass: inlined together, they would share one set of registers on a CPU.
#define OTF_STEP inline __attribute__((noinline))
#define OTF_PRAGMA(text) _Pragma(#text)
#define OTF_VECTOR_LOOP _Pragma("omp simd")
#define OTF_VECTOR_REDUCTION(clauses) OTF_PRAGMA(omp simd clauses)
#define OTF_PREFETCH(address) __builtin_prefetch(address)
#define OTF_UNROLL _Pragma("GCC unroll 25")
#endif

namespace otfsynth {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i32 = int;
using i64 = long long;

OTF_INLINE u32 bits_of(float value) {
#ifdef __CUDA_ARCH__
    return __float_as_uint(value);
#else
    u32 bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
#endif
}

OTF_INLINE float float_of(u32 bits) {
#ifdef __CUDA_ARCH__
    return __uint_as_float(bits);
#else
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
#endif
}

OTF_INLINE float square_root(float value) {
#ifdef __CUDA_ARCH__
    return sqrtf(value);
#else
    return __builtin_sqrtf(value);
#endif
}

OTF_INLINE float smaller(float a, float b) { return a < b ? a : b; }
OTF_INLINE float larger(float a, float b) { return a > b ? a : b; }
OTF_INLINE float clamp(float value, float low, float high) { return smaller(larger(value, low), high); }
OTF_INLINE i32 clamp_index(i32 value, i32 low, i32 high) { return value < low ? low : (value > high ? high : value); }

#ifndef OTF_DEVICE_CODE  // NVRTC takes no functions of the host
// One CPU thread is a team of one: `lane` and `lanes` are constants, so the row loops are plain loops.
struct HostTeam {
    static constexpr i32 lane = 0;
    static constexpr i32 lanes = 1;
    float* scratch;  // enough for the operator's `scratch_floats()`, private to the thread
    void sync() const {}
    float sum(float value) const { return value; }
    float lowest(float value) const { return value; }
    float highest(float value) const { return value; }
};
#endif

// Part of a row: from `first` to one before `end`.
struct Span {
    i32 first;
    i32 end;

    OTF_INLINE bool is_empty() const { return first >= end; }
};

// Rows of working memory, handed out one after the other; each starts on a cache line.
struct Scratch {
    float* next;
    OTF_INLINE float* take(i32 floats) {
        float* row = next;
        next += rounded(floats);
        return row;
    }
    static OTF_INLINE i32 rounded(i32 floats) { return (floats + 15) / 16 * 16; }
};

}  // namespace otfsynth
