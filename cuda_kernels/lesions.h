// Lesions: blobs with bumpy edges in chosen tissues, with an intensity and, where wanted, a target of their own.
#pragma once
#include "lattice.h"

namespace otfsynth {

constexpr i32 LESION_REACH = 16;  // voxels by which the flow may bend a row away from the line between its ends

struct Lesions {
    RowLattice edge;      // relative change of every radius; no coefficients: spheres
    const float* blobs;   // (count, 4): centre x, y, z and radius, voxels of the label map
    const u8* hosts;      // 256, by label index: 1 where lesions may lie
    float mean;
    float std;
    float softness;       // voxels over which the edge fades
    i32 count;            // 0: none
    i32 target;           // -1: the host's
    i32 padding_;

    // Whether any part of a row may lie in a blob, from its first and last point.
    OTF_INLINE bool may_touch(const float* blob, const float first[3], const float last[3]) const {
        float along = 0.0f, length = 0.0f;
        for (i32 axis = 0; axis < 3; ++axis) {
            along += (blob[axis] - first[axis]) * (last[axis] - first[axis]);
            length += (last[axis] - first[axis]) * (last[axis] - first[axis]);
        }
        const float share = length > 0.0f ? clamp(along / length, 0.0f, 1.0f) : 0.0f;
        float distance = 0.0f;
        for (i32 axis = 0; axis < 3; ++axis) {
            const float gap = blob[axis] - first[axis] - share * (last[axis] - first[axis]);
            distance += gap * gap;
        }
        const float reach = 2.0f * blob[3] + softness + static_cast<float>(LESION_REACH);
        return distance < reach * reach;
    }
};

// Depth inside the deepest blob, voxels, over one row; false where no blob is near. Radii change by at most their size.
template <class Team>
OTF_INLINE bool lesion_depth(const Team& team, const Lesions& lesions, const float* sx, const float* sy, const float* sz,
                             const float* change, i32 n, float* depth) {
    const float first[3] = {sx[0], sy[0], sz[0]}, last[3] = {sx[n - 1], sy[n - 1], sz[n - 1]};
    bool near = false;
    for (i32 b = 0; b < lesions.count; ++b) {
        const float* blob = lesions.blobs + 4 * b;
        if (!lesions.may_touch(blob, first, last)) continue;
        const float cx = blob[0], cy = blob[1], cz = blob[2], radius = blob[3];
        const bool begin = !near;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float dx = sx[z] - cx, dy = sy[z] - cy, dz = sz[z] - cz;
            const float size = radius * (1.0f + (change ? clamp(change[z], -1.0f, 1.0f) : 0.0f));
            const float inside = size - square_root(dx * dx + dy * dy + dz * dz);
            depth[z] = begin ? inside : larger(depth[z], inside);
        }
        near = true;
    }
    return near;
}

// Blend intensities over the edge; where a lesion has the larger share, it may have the target.
template <class Team>
OTF_INLINE void paint_lesions(const Team& team, const Lesions& lesions, const float* depth, const u8* found, i32 n, float* mean,
                              float* std, u8* target_row) {
    const u8* hosts = lesions.hosts;
    const float slope = 1.0f / lesions.softness, of_mean = lesions.mean, of_std = lesions.std;
    const i32 target = lesions.target;
    for (i32 z = team.lane; z < n; z += team.lanes) {
        if (depth[z] * slope <= -0.5f || hosts[found[z]] == 0) continue;
        const float share = smaller(depth[z] * slope + 0.5f, 1.0f);
        mean[z] += share * (of_mean - mean[z]);
        std[z] += share * (of_std - std[z]);
        if (share >= 0.5f && target >= 0) target_row[z] = static_cast<u8>(target);
    }
}

}  // namespace otfsynth
