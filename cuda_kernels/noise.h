// What the receiver adds and the scanner stores: noise of one or many coils, its local strength, clipping, whole numbers.
#pragma once
#include "lattice.h"
#include "listing.h"

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
        const i32 words = NoiseBlocks::floats(n);
        const i32 expanded = g_factor.coefficients ? Scratch::rounded(expanded_floats(n, g_factor.spacing)) : 0;
        return words > expanded ? words : expanded;
    }

    // Of the voxels of a span of a row of n; `values` is that of its first one.
    template <class Team>
    OTF_INLINE void add(const Team& team, i64 row, i32 n, Span span, float* values) const {
        Scratch scratch{team.scratch};
        float* along = scratch.take(row_floats(n));
        float* squares = scratch.take(row_floats(n));
        float* strength = scratch.take(row_floats(n));
        const NoiseBlocks blocks{row, n, span};
        first_coil(team, blocks, along, squares);
        for (i32 coil = 1; coil < coils; ++coil) other_coil(team, NoiseBlocks{row * (coils - 1) + coil - 1, n, span}, squares);
        blocks.settle(team, along);
        blocks.settle(team, squares);
        along += span.first - blocks.first;
        squares += span.first - blocks.first;
        const i32 count = span.end - span.first;
        if (g_factor.coefficients) {
            local_strength(team, row, span, scratch.take(column_floats(g_factor.shape[2])), strength);
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < count; z += team.lanes) values[z] = magnitude(values[z], strength[z], along[z], squares[z]);
        } else {
            const float everywhere = std;
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < count; z += team.lanes) values[z] = magnitude(values[z], everywhere, along[z], squares[z]);
        }
    }

    // Root of |signal + noise of the first coil|^2 and the other coils' squares; rounding may leave the sum below 0.
    static OTF_INLINE float magnitude(float signal, float strength, float along, float squares) {
        return square_root(larger(signal * signal + strength * (2.0f * signal * along + strength * squares), 0.0f));
    }

    // Complex normal noise of unit variance as Box and Muller (1958) draw it: its component along the signal, and its
    // square. One word a voxel, 20 bits for the radius (below 5.4 standard deviations) and 12 for the direction.
    template <class Team>
    OTF_STEP void first_coil(const Team& team, const NoiseBlocks& blocks, float* along, float* squares) const {
        blocks.each(team, key, [along, squares](i32 place, u32 x0, u32 x1, u32 x2, u32 x3) {
            polar(x0, along[place], squares[place]);
            polar(x1, along[place + WORD], squares[place + WORD]);
            polar(x2, along[place + 2 * WORD], squares[place + 2 * WORD]);
            polar(x3, along[place + 3 * WORD], squares[place + 3 * WORD]);
        });
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
    OTF_STEP void other_coil(const Team& team, const NoiseBlocks& blocks, float* squares) const {
        blocks.each(team, coil_key, [squares](i32 place, u32 x0, u32 x1, u32 x2, u32 x3) {
            squares[place] += exponential(x0);
            squares[place + WORD] += exponential(x1);
            squares[place + 2 * WORD] += exponential(x2);
            squares[place + 3 * WORD] += exponential(x3);
        });
        team.sync();
    }

    // The sum of squares of two normal numbers: -2 ln u = -2 ln 2 log2 u.
    static OTF_INLINE float exponential(u32 word) {
        return -1.386294361f * fast_log2(static_cast<float>(static_cast<i32>(word >> 8)) * 0x1p-24f + 0x1p-25f);
    }

    // Standard deviation of the noise along the row.
    template <class Team>
    OTF_STEP void local_strength(const Team& team, i64 row, Span span, float* column, float* strength) const {
        const float everywhere = std;
        const i32 n = span.end - span.first;
        collapse_row(team, g_factor, 0, static_cast<i32>(row / rows_y), static_cast<i32>(row % rows_y), column);
        team.sync();
        expand_row(team, g_factor, column, span.first, n, strength);
        team.sync();
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) strength[z] = everywhere * fast_exp2(1.442695041f * strength[z]);
        team.sync();
    }
};
OTF_FIELDS(ReceiverNoise, (key)(coil_key)(g_factor)(std)(coils)(rows_y))

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
OTF_FIELDS(Storage, (highest)(levels))

}  // namespace otfsynth
