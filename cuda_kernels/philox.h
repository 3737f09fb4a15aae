// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// The counter is (position_lo, position_hi, sample index, stage) and the key is the seed, fixed for ever: a sample has the
// same noise whatever the batch, the thread or the device. A new stage gets a new number, so that old ones keep theirs.
#pragma once
#include "fast_math.h"
#include "listing.h"
#include "portable.h"

namespace otfsynth {

struct RandomKey {
    u32 seed_lo;
    u32 seed_hi;
    u32 sample;
    u32 stage;
};
OTF_FIELDS(RandomKey, (seed_lo)(seed_hi)(sample)(stage))

struct Words {
    u32 x0, x1, x2, x3;
};

// Ten rounds in place. Separate scalars, not a struct: GCC vectorises loops over these and not over struct copies.
OTF_INLINE void philox_rounds(u32& x0, u32& x1, u32& x2, u32& x3, u32 k0, u32 k1) {
    OTF_UNROLL
    for (i32 round = 0; round < 10; ++round) {
        const u64 p0 = static_cast<u64>(0xD2511F53u) * x0;
        const u64 p1 = static_cast<u64>(0xCD9E8D57u) * x2;
        const u32 y0 = static_cast<u32>(p1 >> 32) ^ x1 ^ k0;
        const u32 y2 = static_cast<u32>(p0 >> 32) ^ x3 ^ k1;
        x1 = static_cast<u32>(p1);
        x3 = static_cast<u32>(p0);
        x0 = y0;
        x2 = y2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

OTF_INLINE Words philox4x32(Words c, u32 k0, u32 k1) {
    philox_rounds(c.x0, c.x1, c.x2, c.x3, k0, k1);
    return c;
}

OTF_INLINE Words random_words(const RandomKey& key, u64 position) {
    const Words counter{static_cast<u32>(position), static_cast<u32>(position >> 32), key.sample, key.stage};
    return philox4x32(counter, key.seed_lo, key.seed_hi);
}

// Two independent normal deviates from two words (Box and Muller 1958). The first uniform never reaches 0 or 1.
OTF_INLINE void normal_pair(u32 a, u32 b, float& first, float& second) {
    const float u1 = static_cast<float>(static_cast<i32>(a >> 8)) * 0x1p-24f + 0x1p-25f;
    const float u2 = static_cast<float>(static_cast<i32>(b >> 8)) * 0x1p-24f;
    const float radius = square_root(-1.386294361f * fast_log2(u1));  // -2 ln u = -2 ln 2 log2 u
    float sine, cosine;
    fast_sine_cosine(u2, sine, cosine);
    first = radius * cosine;
    second = radius * sine;
}

OTF_INLINE void normal_quad(const Words& w, float& n0, float& n1, float& n2, float& n3) {
    normal_pair(w.x0, w.x1, n0, n1);
    normal_pair(w.x2, w.x3, n2, n3);
}

// Numbers of a row of voxels: voxel 32 b + 8 w + i takes word w of the row's counter 8 b + i, so that stores stay contiguous
// and parts of a row need the counters of their blocks only.
constexpr i32 NOISE_BLOCK = 32;
#ifdef OTF_DEVICE_CODE
constexpr i32 WORD = 8;  // numbers between two words of a counter
#else
constexpr i32 WORD = 16;
#endif

struct NoiseBlocks {
    i32 first;  // voxel, a multiple of NOISE_BLOCK
    i32 count;
    u64 position;  // of the counter of the first

    OTF_INLINE NoiseBlocks(i64 row, i32 n, Span span)
        : first(span.first / NOISE_BLOCK * NOISE_BLOCK),
          count((span.end - first + NOISE_BLOCK - 1) / NOISE_BLOCK),
          position(static_cast<u64>(row) * static_cast<u64>(counters(n)) + static_cast<u64>(first / 4)) {}

    // A CPU works on two blocks at once, a vector of 16 counters, and `settle`s them at the end.
    static OTF_INLINE i32 counters(i32 n) { return (n + NOISE_BLOCK - 1) / NOISE_BLOCK * (NOISE_BLOCK / 4); }
    static OTF_INLINE i32 floats(i32 n) { return 4 * counters(n) + NOISE_BLOCK; }

    // Calls `use(place, x0, x1, x2, x3)` with the four words of every counter; word w goes to place + WORD * w of a row that is
    // then to be settled.
    template <class Team, class Use>
    OTF_INLINE void each(const Team& team, const RandomKey& key, const Use& use) const {
        const u32 lo = static_cast<u32>(position), hi = static_cast<u32>(position >> 32);
        const u32 sample = key.sample, stage = key.stage, k0 = key.seed_lo, k1 = key.seed_hi;
#ifdef OTF_DEVICE_CODE
        for (i32 q = team.lane; q < 8 * count; q += team.lanes) {
            u32 x0 = lo + static_cast<u32>(q), x1 = hi + (x0 < lo ? 1u : 0u), x2 = sample, x3 = stage;
            philox_rounds(x0, x1, x2, x3, k0, k1);
            use(q / 8 * NOISE_BLOCK + q % 8, x0, x1, x2, x3);
        }
#else
        (void)team;
        for (i32 block = 0; block < count; block += 2) {
            const u32 base = lo + 8u * static_cast<u32>(block), carry = hi + (base < lo ? 1u : 0u);
            OTF_VECTOR_LOOP
            for (i32 i = 0; i < WORD; ++i) {
                u32 x0 = base + static_cast<u32>(i), x1 = carry + (x0 < base ? 1u : 0u), x2 = sample, x3 = stage;
                philox_rounds(x0, x1, x2, x3, k0, k1);
                use(block * NOISE_BLOCK + i, x0, x1, x2, x3);
            }
        }
#endif
    }

    // The row's numbers in the order of its voxels, from `first` on.
    template <class Team>
    OTF_INLINE void settle(const Team& team, float* row) const {
#ifndef OTF_DEVICE_CODE
        for (float* pair = row; pair < row + count * NOISE_BLOCK; pair += 2 * NOISE_BLOCK) {
            float words[2 * NOISE_BLOCK];
            __builtin_memcpy(words, pair, sizeof words);
            for (i32 part = 0; part < 8; ++part) __builtin_memcpy(pair + 8 * part, words + 8 * (2 * (part % 4) + part / 4), 32);
        }
#endif
        team.sync();
    }
};

// Normals of a part of a row of n voxels; `out[0]` is the voxel `NoiseBlocks::first`, and whole blocks are written.
template <class Team>
OTF_STEP void normal_row(const Team& team, const RandomKey& key, const NoiseBlocks& blocks, float* out) {
    blocks.each(team, key, [out](i32 place, u32 x0, u32 x1, u32 x2, u32 x3) {
        float n0, n1, n2, n3;
        normal_pair(x0, x1, n0, n1);
        normal_pair(x2, x3, n2, n3);
        out[place] = n0;
        out[place + WORD] = n1;
        out[place + 2 * WORD] = n2;
        out[place + 3 * WORD] = n3;
    });
    blocks.settle(team, out);
}

}  // namespace otfsynth
