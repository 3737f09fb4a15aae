// What lies inside a voxel and inside a tissue: partial volume, sub-classes, correlated texture, slow variation.
//
// Helpers of the painting pass, each working on one row of n voxels; a struct of zeros is a stage that is off and costs
// one branch a row.
#pragma once
#include "lattice.h"

namespace otfsynth {

constexpr i32 SUB_VOXELS = 4;

// Points of a voxel whose labels share its intensity, as displacements in the label map.
struct SubVoxels {
    float shift[3 * SUB_VOXELS];  // x of all points, then y, then z
    i32 count;                    // SUB_VOXELS, or 0: the nearest label alone
    i32 padding_;
};

// Label of one point of each voxel: nearest voxel of the map; coordinates beyond it land on its border of background.
template <class Team>
OTF_STEP void locate_row(const Team& team, const float* sx, const float* sy, const float* sz, const float shift[3],
                           const i32 map_shape[3], i32 n, i32* offsets) {
    const float hx = static_cast<float>(map_shape[0] - 1), hy = static_cast<float>(map_shape[1] - 1);
    const float hz = static_cast<float>(map_shape[2] - 1);
    const float dx = shift[0], dy = shift[1], dz = shift[2];
    const i32 ny = map_shape[1], nz = map_shape[2];
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const i32 i = static_cast<i32>(clamp(sx[z] + dx, 0.0f, hx) + 0.5f);
        const i32 j = static_cast<i32>(clamp(sy[z] + dy, 0.0f, hy) + 0.5f);
        const i32 k = static_cast<i32>(clamp(sz[z] + dz, 0.0f, hz) + 0.5f);
        offsets[z] = (i * ny + j) * nz + k;
    }
}

// A voxel of several tissues: the sum of equal parts, each with its tissue's mean and variance a part (Van Leemput et al.
// 2003, "A unifying framework for partial volume segmentation of brain MR images"). Voxels inside a tissue keep its own.
template <class Team>
OTF_STEP void mix_row(const Team& team, const u8* labels, const i32* points, i32 stride, const float* means,
                        const i32* tables, const float* stds, i32 n, float* mean, float* std) {
    const i32 *pa = points, *pb = pa + stride, *pc = pb + stride, *pd = pc + stride;
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float* table = tables ? means + tables[z] : means;
        const u8 a = labels[pa[z]], b = labels[pb[z]], c = labels[pc[z]], d = labels[pd[z]];
        if (a == b && b == c && c == d) {
            mean[z] = table[a];
            std[z] = stds[a];
        } else {
            mean[z] = 0.25f * (table[a] + table[b] + table[c] + table[d]);
            const float variance = stds[a] * stds[a] + stds[b] * stds[b] + stds[c] * stds[c] + stds[d] * stds[d];
            std[z] = 0.5f * square_root(variance);
        }
    }
}

// Smooth fields whose signs cut every class in 2**count sub-classes, each with its own mean.
struct Subclasses {
    RowLattice fields;  // `count` components
    i32 count;          // 0: none
    i32 padding_;
};

// Position of each voxel's table of means: 256 times the number that the signs of the fields spell.
template <class Team>
OTF_STEP void add_sign(const Team& team, const float* field, i32 component, i32 n, i32* tables) {
    const i32 step = 256 << component;
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const i32 before = component > 0 ? tables[z] : 0;
        tables[z] = before + (field[z] > 0.0f ? step : 0);
    }
}

// Part of each class's variance that is smooth instead of white; the variance as a whole stays.
struct Texture {
    RowLattice field;  // unit variance
    float smooth;      // weights of the field and of white noise, squares summing to 1
    float white;
};

template <class Team>
OTF_INLINE void blend_texture(const Team& team, const Texture& texture, const float* field, i32 n, float* normals) {
    const float smooth = texture.smooth, white = texture.white;
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) normals[z] = white * normals[z] + smooth * field[z];
}

// Slow variation of a tissue's mean, as of myelin in white matter: mean * (1 + strength of the label * field).
struct Heterogeneity {
    RowLattice field;        // unit variance
    const float* strengths;  // 256, by label index
};

template <class Team>
OTF_STEP void vary_row(const Team& team, const u8* found, const float* strengths, const float* field, i32 n, float* mean) {
    for (i32 z = team.lane; z < n; z += team.lanes) mean[z] *= larger(1.0f + strengths[found[z]] * field[z], 0.0f);
}

}  // namespace otfsynth
