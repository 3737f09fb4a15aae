// More than one intensity a voxel or a class: partial volume, probability maps, sub-classes.
#pragma once
#include "listing.h"
#include "look_up.h"
#include "soft_map.h"

namespace otfsynth {

constexpr i32 SUB_VOXELS = 4;

// Points of a voxel whose labels share its intensity, as displacements in the label map.
struct SubVoxels {
    float shift[3 * SUB_VOXELS];  // x of all points, then y, then z
    i32 count;                    // SUB_VOXELS, or 0: the nearest label alone
    i32 padding_;
};
OTF_FIELDS(SubVoxels, (shift)(count))

// Smooth fields whose signs cut every class in 2**count sub-classes, each with its own mean.
struct Subclasses {
    RowLattice fields;  // `count` components
    i32 count;          // 0: none
    i32 padding_;
};
OTF_FIELDS(Subclasses, (fields)(count))

// A voxel of several tissues: the sum of equal parts, each with its tissue's mean and variance a part (Van Leemput et al.
// 2003, "A unifying framework for partial volume segmentation of brain MR images"). Voxels inside a tissue keep its own.
template <class Team>
OTF_STEP void mix_row(const Team& team, const u8* labels, const i32* points, i32 stride, const float* means, const i32* tables,
                      const float* stds, i32 n, float* mean, float* std) {
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

// One intensity a voxel, from its own label and sub-class.
template <class Team>
OTF_STEP void choose_row(const Team& team, const u8* found, const float* means, const i32* tables, const float* stds, i32 n,
                         float* mean, float* std) {
    for (i32 z = team.lane; z < n; z += team.lanes) {
        mean[z] = means[tables[z] + found[z]];
        std[z] = stds[found[z]];
    }
}

// Intensities of a part of a row; the target stays that of the voxel's middle. `points` holds SUB_VOXELS rows of `stride`.
template <class Team>
OTF_STEP void mix_part(const Team& team, const LookUp& look_up, const SubVoxels& sub_voxels, const Subclasses& subclasses,
                       const SoftMap& soft, const Part& part, const i32* offsets, const float* sx, const float* sy, const float* sz,
                       float* column, float* field, i32* points, i32 stride, u8* found, float* mean, float* std, u8* target_row) {
    const i32 n = part.count;
    i32* tables = nullptr;
    if (subclasses.count > 0) {
        tables = reinterpret_cast<i32*>(mean);  // read before `mean` is written, voxel by voxel
        for (i32 component = 0; component < subclasses.count; ++component) {
            spline_row(team, subclasses.fields, component, part, column, field);
            team.sync();
            add_sign(team, field, component, n, tables);
        }
    }
    for (i32 point = 0; point < sub_voxels.count; ++point) {
        const float shift[3] = {sub_voxels.shift[point], sub_voxels.shift[SUB_VOXELS + point], sub_voxels.shift[2 * SUB_VOXELS + point]};
        locate_row(team, sx, sy, sz, shift, look_up.map_shape, n, points + point * stride);
    }
    team.sync();
    find_row(team, look_up, offsets, n, found, target_row);
    if (soft.share) {
        const i32* places = sub_voxels.count > 0 ? points : offsets;
        const i32 count = sub_voxels.count > 0 ? sub_voxels.count : 1;
        mix_soft_row(team, soft, look_up.labels, places, stride, count, look_up.means, tables, look_up.stds, n, mean, std);
    } else if (sub_voxels.count > 0) {
        mix_row(team, look_up.labels, points, stride, look_up.means, tables, look_up.stds, n, mean, std);
    } else {
        choose_row(team, found, look_up.means, tables, look_up.stds, n, mean, std);
    }
}

}  // namespace otfsynth
