// Painting: one gather per output voxel looks up the label and gives it an intensity, a target and a mask bit.
//
// Per voxel: source coordinates (spline), nearest label, Gaussian mixture (mean and standard deviation of the label plus
// a normal deviate), multiplicative bias, clipping. Nothing but the requested patch is ever computed. Intensities are on
// lab2im's 0-255 scale (Billot et al. 2020).
#pragma once
#include "lattice.h"
#include "statistics.h"

namespace otfsynth {

// Row operator; row = x * size_y + y of the patch.
struct Paint {
    const u8* labels;           // label indices of the map, with a border of background
    const u8* brain_distance;   // null: no skull-strip
    const float* means;         // 256, by label index
    const float* stds;          // 256
    const u8* targets;          // 256
    float* image;
    u8* target;
    u8* mask;                   // null: keep everything
    Statistics* statistics;     // one a row
    RowLattice source;          // 3 components
    RowLattice bias;            // natural logarithm of the field; no coefficients: no bias
    RowLattice edge;            // millimetres; no coefficients: smooth edge
    RandomKey key;
    i32 map_shape[3];
    i32 size_[3];
    float clip_max;
    float edge_offset;          // millimetres
    i32 mask_background;        // 1: background voxels leave the mask
    i32 padding_;

    OTF_INLINE i64 size() const { return static_cast<i64>(size_[0]) * size_[1]; }

    OTF_INLINE i32 padded_row() const {
        i32 n = whole_cells(size_[2], 8);
        if (bias.coefficients) n = n > whole_cells(size_[2], bias.spacing) ? n : whole_cells(size_[2], bias.spacing);
        if (edge.coefficients) n = n > whole_cells(size_[2], edge.spacing) ? n : whole_cells(size_[2], edge.spacing);
        return Scratch::rounded(n);
    }
    OTF_INLINE i64 scratch_floats() const { return 8LL * padded_row() + 4LL * Scratch::rounded((size_[2] + 3) / 4) + Scratch::rounded(longest_column()); }
    OTF_INLINE i32 longest_column() const {
        i32 n = source.shape[2];
        if (bias.coefficients && bias.shape[2] > n) n = bias.shape[2];
        if (edge.coefficients && edge.shape[2] > n) n = edge.shape[2];
        return column_floats(n);
    }

    template <class Team>
    OTF_INLINE void spline_row(const Team& team, const RowLattice& lattice, i32 component, i64 row, float* column, float* out) const {
        const i32 x = static_cast<i32>(row / size_[1]), y = static_cast<i32>(row % size_[1]);
        team.sync();  // the column may still be read for the last component
        collapse_row(team, lattice, component, x, y, column);
        team.sync();
        expand_row(team, lattice, column, size_[2], out);
    }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const i32 n = size_[2];
        const i32 quads = (n + 3) / 4;
        Scratch scratch{team.scratch};
        float* column = scratch.take(longest_column());
        float* sx = scratch.take(padded_row());
        float* sy = scratch.take(padded_row());
        float* sz = scratch.take(padded_row());
        i32* offsets = reinterpret_cast<i32*>(scratch.take(padded_row()));
        float* mean = scratch.take(padded_row());
        float* std = scratch.take(padded_row());
        float* field = scratch.take(padded_row());
        float* normals = scratch.take(4 * Scratch::rounded(quads));
        spline_row(team, source, 0, row, column, sx);
        spline_row(team, source, 1, row, column, sy);
        spline_row(team, source, 2, row, column, sz);
        team.sync();
        locate(team, sx, sy, sz, offsets);
        normal_row(team, key, static_cast<u64>(row) * static_cast<u64>(quads), quads, normals);
        team.sync();
        look_up(team, row, offsets, mean, std);
        if (mask) cut(team, row, offsets, column, field);
        if (bias.coefficients) spline_row(team, bias, 0, row, column, field);
        team.sync();
        paint(team, row, mean, std, normals, field);
    }

    // Nearest voxel of the map; coordinates beyond it land on its border of background.
    template <class Team>
    OTF_INLINE void locate(const Team& team, const float* sx, const float* sy, const float* sz, i32* offsets) const {
        const float hx = static_cast<float>(map_shape[0] - 1), hy = static_cast<float>(map_shape[1] - 1);
        const float hz = static_cast<float>(map_shape[2] - 1);
        const i32 ny = map_shape[1], nz = map_shape[2], n = size_[2];
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const i32 i = static_cast<i32>(clamp(sx[z], 0.0f, hx) + 0.5f);
            const i32 j = static_cast<i32>(clamp(sy[z], 0.0f, hy) + 0.5f);
            const i32 k = static_cast<i32>(clamp(sz[z], 0.0f, hz) + 0.5f);
            offsets[z] = (i * ny + j) * nz + k;
        }
    }

    template <class Team>
    OTF_INLINE void look_up(const Team& team, i64 row, const i32* offsets, float* mean, float* std) const {
        u8* target_row = target + row * size_[2];
        for (i32 z = team.lane; z < size_[2]; z += team.lanes) {
            const u8 label = labels[offsets[z]];
            mean[z] = means[label];
            std[z] = stds[label];
            target_row[z] = targets[label];
        }
    }

    // Mask of the simulated skull-strip and of a background that is exactly zero, taken out of the target as well.
    template <class Team>
    OTF_INLINE void cut(const Team& team, i64 row, const i32* offsets, float* column, float* field) const {
        u8* mask_row = mask + row * size_[2];
        const i32 n = size_[2];
        if (brain_distance) {
            if (edge.coefficients) spline_row(team, edge, 0, row, column, field);
            team.sync();
            const float share = edge.coefficients ? 8.0f : 0.0f, base = 128.0f + 8.0f * edge_offset;
            i32* limits = reinterpret_cast<i32*>(field);
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) {
                // An integer distance lies below the threshold where it lies below the threshold rounded up.
                const float limit = clamp(share > 0.0f ? base + share * field[z] : base, 0.0f, 256.0f);
                const i32 whole = static_cast<i32>(limit);
                limits[z] = whole + (limit > static_cast<float>(whole) ? 1 : 0);
            }
            team.sync();
            for (i32 z = team.lane; z < n; z += team.lanes) mask_row[z] = brain_distance[offsets[z]] < limits[z];
        } else {
            for (i32 z = team.lane; z < n; z += team.lanes) mask_row[z] = 1;
        }
        if (mask_background) {
            for (i32 z = team.lane; z < n; z += team.lanes) mask_row[z] = mask_row[z] && labels[offsets[z]] != 0;
        }
        // Nothing can be told where the image is exactly zero: its target is background too.
        u8* target_row = target + row * n;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) target_row[z] = mask_row[z] ? target_row[z] : 0;
        team.sync();
    }

    template <class Team>
    OTF_INLINE void paint(const Team& team, i64 row, const float* mean, const float* std, const float* normals, const float* field) const {
        float* image_row = image + row * size_[2];
        const i32 n = size_[2];
        const float log2_e = bias.coefficients ? 1.442695041f : 0.0f;
        float lowest = HUGE_VALUE, highest = -HUGE_VALUE;
        if (bias.coefficients) {
            OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest))
            for (i32 z = team.lane; z < n; z += team.lanes) {
                const float value = clamp((mean[z] + std[z] * normals[z]) * fast_exp2(log2_e * field[z]), 0.0f, clip_max);
                image_row[z] = value;
                lowest = smaller(lowest, value);
                highest = larger(highest, value);
            }
        } else {
            OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest))
            for (i32 z = team.lane; z < n; z += team.lanes) {
                const float value = clamp(mean[z] + std[z] * normals[z], 0.0f, clip_max);
                image_row[z] = value;
                lowest = smaller(lowest, value);
                highest = larger(highest, value);
            }
        }
        lowest = team.lowest(lowest);
        highest = team.highest(highest);
        if (team.lane == 0) statistics[row] = Statistics{lowest, highest, 0.0f, 0.0f, 0.0f, {0.0f, 0.0f, 0.0f}};
    }
};

}  // namespace otfsynth
