// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//
// The counter is (position_lo, position_hi, sample index, stage) and the key is the seed, fixed for ever: a sample has the
// same noise whatever the batch, the thread or the device. A new stage gets a new number, so that old ones keep theirs.
#pragma once
#include "fast_math.h"
#include "portable.h"

namespace otfsynth {

enum Stage : u32 {
    STAGE_VELOCITY = 1,
    STAGE_BIAS = 2,
    STAGE_MIXTURE = 3,
    STAGE_STRIP_EDGE = 4,
    STAGE_ACQUISITION = 5,
    STAGE_SUBCLASSES = 6,
    STAGE_TEXTURE = 7,
    STAGE_HETEROGENEITY = 8,
    STAGE_COILS = 9,
    STAGE_NOISE_FIELD = 10,
    STAGE_LESIONS = 11,
    STAGE_SHELL = 12,
    STAGE_SHAPE = 13,
    STAGE_DEFACING = 14,
};

struct RandomKey {
    u32 seed_lo;
    u32 seed_hi;
    u32 sample;
    u32 stage;
};

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

// `quads` times four normals of one row: word w of quad q goes to out[q + w * quads], so that stores stay contiguous.
template <class Team>
OTF_INLINE void normal_row(const Team& team, const RandomKey& key, u64 first_position, i32 quads, float* out) {
    const u32 lo = static_cast<u32>(first_position);
    const u32 hi = static_cast<u32>(first_position >> 32);
    const u32 sample = key.sample, stage = key.stage, k0 = key.seed_lo, k1 = key.seed_hi;
    float* out1 = out + quads;
    float* out2 = out1 + quads;
    float* out3 = out2 + quads;
    OTF_VECTOR_LOOP
    for (i32 q = team.lane; q < quads; q += team.lanes) {
        u32 x0 = lo + static_cast<u32>(q), x1 = hi + (x0 < lo ? 1u : 0u), x2 = sample, x3 = stage;
        philox_rounds(x0, x1, x2, x3, k0, k1);
        float n0, n1, n2, n3;
        normal_pair(x0, x1, n0, n1);
        normal_pair(x2, x3, n2, n3);
        out[q] = n0;
        out1[q] = n1;
        out2[q] = n2;
        out3[q] = n3;
    }
}

}  // namespace otfsynth
