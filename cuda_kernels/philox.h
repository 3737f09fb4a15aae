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

OTF_INLINE Words philox4x32(Words c, u32 k0, u32 k1) {
    OTF_UNROLL
    for (i32 round = 0; round < 10; ++round) {
        const u64 p0 = static_cast<u64>(0xD2511F53u) * c.x0;
        const u64 p1 = static_cast<u64>(0xCD9E8D57u) * c.x2;
        const u32 y0 = static_cast<u32>(p1 >> 32) ^ c.x1 ^ k0;
        const u32 y2 = static_cast<u32>(p0 >> 32) ^ c.x3 ^ k1;
        c.x1 = static_cast<u32>(p1);
        c.x3 = static_cast<u32>(p0);
        c.x0 = y0;
        c.x2 = y2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
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
    OTF_VECTOR_LOOP
    for (i32 q = team.lane; q < quads; q += team.lanes) {
        const u32 position = lo + static_cast<u32>(q);
        const Words counter{position, hi + (position < lo ? 1u : 0u), key.sample, key.stage};
        const Words words = philox4x32(counter, key.seed_lo, key.seed_hi);
        normal_quad(words, out[q], out[q + quads], out[q + 2 * quads], out[q + 3 * quads]);
    }
}

}  // namespace otfsynth
