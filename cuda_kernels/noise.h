// What the receiver adds and the scanner stores: noise of one or many coils, its local strength, clipping, whole numbers.
#pragma once
#include "lattice.h"

namespace otfsynth {

// Magnitude of a complex signal with noisy channels: Rician for one coil (Gudbjartsson and Patz 1995), non-central chi
// for the root of the sum of squares of several (Constantinides et al. 1997). Noise alone fills the other coils' channels:
// the sum of squares depends on the signals' sum of squares only, so all of the signal may stand in the first one. Their
// 2 (coils - 1) squared normals are -2 ln of a product of coils - 1 uniform numbers (Erlang's distribution).
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
        return Scratch::rounded(4 * ((n + 1) / 2)) + Scratch::rounded(nodes) + 2LL * strength_floats(n);
    }
    OTF_INLINE i32 strength_floats(i32 n) const {
        return Scratch::rounded(g_factor.coefficients ? expanded_floats(n, g_factor.spacing) : n);
    }

    template <class Team>
    OTF_INLINE void add(const Team& team, i64 row, i32 n, float* values) const {
        const i32 half = (n + 1) / 2;
        Scratch scratch{team.scratch};
        float* normals = scratch.take(4 * half);
        normal_row(team, key, static_cast<u64>(row) * static_cast<u64>(half), half, normals);
        team.sync();
        if (coils <= 1 && !g_factor.coefficients) {
            add_half(team, half, half, values, normals);
            add_half(team, n - half, half, values + half, normals + 2 * half);
            return;
        }
        float* squares = scratch.take(strength_floats(n));
        float* strength = scratch.take(strength_floats(n));
        other_coils(team, row, n, squares);
        if (g_factor.coefficients) {
            float* column = scratch.take(column_floats(g_factor.shape[2]));
            collapse_row(team, g_factor, 0, static_cast<i32>(row / rows_y), static_cast<i32>(row % rows_y), column);
            team.sync();
            expand_row(team, g_factor, column, n, strength);
            team.sync();
        }
        add_local(team, half, half, values, normals, squares, strength);
        add_local(team, n - half, half, values + half, normals + 2 * half, squares + half, strength + half);
    }

    // The channels of voxel z take the normals at z and z + half.
    template <class Team>
    OTF_INLINE void add_half(const Team& team, i32 n, i32 half, float* values, const float* normals) const {
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float real = values[z] + std * normals[z];
            const float imaginary = std * normals[z + half];
            values[z] = square_root(real * real + imaginary * imaginary);
        }
    }

    template <class Team>
    OTF_INLINE void add_local(const Team& team, i32 n, i32 half, float* values, const float* normals, const float* squares,
                              const float* strength) const {
        const bool varies = g_factor.coefficients != nullptr;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float local = varies ? std * fast_exp2(1.442695041f * strength[z]) : std;
            const float real = values[z] + local * normals[z];
            const float imaginary = local * normals[z + half];
            values[z] = square_root(real * real + imaginary * imaginary + local * local * squares[z]);
        }
    }

    // Sum of squares of the channels without signal, of unit variance; a voxel has `calls` counters of its own.
    template <class Team>
    OTF_INLINE void other_coils(const Team& team, i64 row, i32 n, float* squares) const {
        const u64 first = static_cast<u64>(row) * static_cast<u64>(n);
        const i32 others = coils > 1 ? coils - 1 : 0, calls = (others + 3) / 4;
        for (i32 z = team.lane; z < n; z += team.lanes) squares[z] = 0.0f;
        for (i32 call = 0; call < calls; ++call) {
            const i32 words = others - 4 * call;
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) {
                const u64 position = (first + static_cast<u64>(z)) * static_cast<u64>(calls) + static_cast<u64>(call);
                u32 x0 = static_cast<u32>(position), x1 = static_cast<u32>(position >> 32), x2 = coil_key.sample, x3 = coil_key.stage;
                philox_rounds(x0, x1, x2, x3, coil_key.seed_lo, coil_key.seed_hi);
                float product = unit(x0);
                product *= words > 1 ? unit(x1) : 1.0f;
                product *= words > 2 ? unit(x2) : 1.0f;
                product *= words > 3 ? unit(x3) : 1.0f;
                squares[z] -= 1.386294361f * fast_log2(product);  // 2 ln u = 2 ln 2 log2 u
            }
        }
        team.sync();
    }

    // In (0, 1); the product of four stays a normal number.
    static OTF_INLINE float unit(u32 word) { return static_cast<float>(static_cast<i32>(word >> 8)) * 0x1p-24f + 0x1p-25f; }
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
