// What the receiver adds and the scanner stores: noise of one or many coils, its local strength, clipping, whole numbers.
#pragma once
#include "lattice.h"

namespace otfsynth {

// Magnitude of a complex signal with noisy channels: Rician for one coil (Gudbjartsson and Patz 1995), non-central chi
// for the root of the sum of squares of several (Constantinides et al. 1997). Noise alone fills the other coils' channels:
// the sum of squares depends on the signals' sum of squares only, so all of the signal may stand in the first one. The two
// squared normals of each of the others are -2 ln of a uniform number.
struct ReceiverNoise {
    RandomKey key;
    RandomKey coil_key;
    RowLattice g_factor;  // logarithm of the local strength, on the acquired grid; no coefficients: the same everywhere
    float std;            // 0: none
    i32 coils;            // 0 counts as 1
    i32 rows_y;           // rows of a slice of the acquired grid
    i32 padding_;

    OTF_INLINE i64 scratch_floats(i32 n) const {
        if (std == 0.0f) return 0;
        const i32 nodes = g_factor.coefficients ? column_floats(g_factor.shape[2]) : 0;
        return 3LL * row_floats(n) + Scratch::rounded(nodes);
    }
    OTF_INLINE i32 row_floats(i32 n) const {
        const i32 words = Scratch::rounded(n);
        const i32 expanded = g_factor.coefficients ? Scratch::rounded(expanded_floats(n, g_factor.spacing)) : 0;
        return words > expanded ? words : expanded;
    }

    template <class Team>
    OTF_INLINE void add(const Team& team, i64 row, i32 n, float* values) const {
        Scratch scratch{team.scratch};
        float* along = scratch.take(row_floats(n));
        float* squares = scratch.take(row_floats(n));
        float* strength = scratch.take(row_floats(n));
        first_coil(team, row, n, along, squares);
        for (i32 coil = 1; coil < coils; ++coil) other_coil(team, row, coil, n, squares);
        if (g_factor.coefficients) {
            local_strength(team, row, n, scratch.take(column_floats(g_factor.shape[2])), strength);
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) values[z] = magnitude(values[z], strength[z], along[z], squares[z]);
        } else {
            const float everywhere = std;
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) values[z] = magnitude(values[z], everywhere, along[z], squares[z]);
        }
    }

    // Root of |signal + noise of the first coil|^2 and the other coils' squares; rounding may leave the sum below 0.
    static OTF_INLINE float magnitude(float signal, float strength, float along, float squares) {
        return square_root(larger(signal * signal + strength * (2.0f * signal * along + strength * squares), 0.0f));
    }

    // Complex normal noise of unit variance as Box and Muller (1958) draw it: its component along the signal, and its
    // square. One word a voxel, 20 bits for the radius (below 5.4 standard deviations) and 12 for the direction.
    template <class Team>
    OTF_INLINE void first_coil(const Team& team, i64 row, i32 n, float* along, float* squares) const {
        const i32 quads = (n + 3) / 4;
        const u64 first = static_cast<u64>(row) * static_cast<u64>(quads);
        const u32 lo = static_cast<u32>(first), hi = static_cast<u32>(first >> 32);
        const u32 sample = key.sample, stage = key.stage, k0 = key.seed_lo, k1 = key.seed_hi;
        OTF_VECTOR_LOOP
        for (i32 q = team.lane; q < quads; q += team.lanes) {
            u32 x0 = lo + static_cast<u32>(q), x1 = hi + (x0 < lo ? 1u : 0u), x2 = sample, x3 = stage;
            philox_rounds(x0, x1, x2, x3, k0, k1);
            polar(x0, along[q], squares[q]);
            polar(x1, along[q + quads], squares[q + quads]);
            polar(x2, along[q + 2 * quads], squares[q + 2 * quads]);
            polar(x3, along[q + 3 * quads], squares[q + 3 * quads]);
        }
        team.sync();
    }
    static OTF_INLINE void polar(u32 word, float& along, float& squares) {
        const float u = static_cast<float>(static_cast<i32>(word >> 12)) * 0x1p-20f + 0x1p-21f;
        const float direction = static_cast<float>(static_cast<i32>(word & 4095u)) * 0x1p-12f;
        squares = -1.386294361f * fast_log2(u);  // -2 ln u = -2 ln 2 log2 u
        along = square_root(squares) * fast_cosine(direction);
    }

    // Adds the square of a channel without signal.
    template <class Team>
    OTF_INLINE void other_coil(const Team& team, i64 row, i32 coil, i32 n, float* squares) const {
        const i32 quads = (n + 3) / 4;
        const u64 first = static_cast<u64>(row * (coils - 1) + coil - 1) * static_cast<u64>(quads);
        const u32 lo = static_cast<u32>(first), hi = static_cast<u32>(first >> 32);
        const u32 sample = coil_key.sample, stage = coil_key.stage, k0 = coil_key.seed_lo, k1 = coil_key.seed_hi;
        OTF_VECTOR_LOOP
        for (i32 q = team.lane; q < quads; q += team.lanes) {
            u32 x0 = lo + static_cast<u32>(q), x1 = hi + (x0 < lo ? 1u : 0u), x2 = sample, x3 = stage;
            philox_rounds(x0, x1, x2, x3, k0, k1);
            squares[q] += exponential(x0);
            squares[q + quads] += exponential(x1);
            squares[q + 2 * quads] += exponential(x2);
            squares[q + 3 * quads] += exponential(x3);
        }
        team.sync();
    }

    // The sum of squares of two normal numbers: -2 ln u = -2 ln 2 log2 u.
    static OTF_INLINE float exponential(u32 word) {
        return -1.386294361f * fast_log2(static_cast<float>(static_cast<i32>(word >> 8)) * 0x1p-24f + 0x1p-25f);
    }

    // Standard deviation of the noise along the row.
    template <class Team>
    OTF_INLINE void local_strength(const Team& team, i64 row, i32 n, float* column, float* strength) const {
        const float everywhere = std;
        collapse_row(team, g_factor, 0, static_cast<i32>(row / rows_y), static_cast<i32>(row % rows_y), column);
        team.sync();
        expand_row(team, g_factor, column, n, strength);
        team.sync();
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) strength[z] = everywhere * fast_exp2(1.442695041f * strength[z]);
        team.sync();
    }
};

// Magnitude, clipped to what the scanner can store and rounded to its whole numbers.
struct Storage {
    float highest;  // 0: the values stay as they are
    float levels;   // whole numbers from 0 to `highest`; 0: no rounding

    template <class Team>
    OTF_INLINE void store(const Team& team, i32 n, float* values) const {
        const float scale = levels > 0.0f ? levels / highest : 0.0f, step = levels > 0.0f ? highest / levels : 0.0f;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float magnitude = smaller(values[z] < 0.0f ? -values[z] : values[z], highest);
            const float whole = static_cast<float>(static_cast<i32>(magnitude * scale + 0.5f)) * step;
            values[z] = levels > 0.0f ? whole : magnitude;
        }
    }
};

}  // namespace otfsynth
