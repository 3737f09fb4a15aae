// Looking up: the nearest voxel of the label map, and the intensity and the target that its label has.
#pragma once
#include "listing.h"
#include "part.h"

namespace otfsynth {

constexpr i32 FETCH_STEP = 2;  // voxels: an oblique row leaves a cache line of the map after a few

// A label map and what its labels look like.
struct LookUp {
    const u8* labels;   // label indices, with a border of background
    const float* means; // 256 for each sub-class, by label index
    const float* stds;  // 256
    const u8* targets;  // 256
    i32 map_shape[3];
    i32 padding_;
};
OTF_FIELDS(LookUp, (labels)(means)(stds)(targets)(map_shape))

// Place of the nearest voxel of the map to one point of each voxel of a row, its middle or beside it; coordinates beyond
// the map land on its border: background, far from the brain.
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

// Ask for what a row will read of a map, to have it in the cache when it is looked up: memory answers many requests at once.
// Inlined: a function without a result would be left out. Nothing on a GPU, where other threads work while some wait.
template <class Team>
OTF_INLINE void fetch_row(const Team& team, const u8* map, const i32* offsets, i32 n) {
    for (i32 z = FETCH_STEP * team.lane; z < n; z += FETCH_STEP * team.lanes) OTF_PREFETCH(map + offsets[z]);
}

// Pointers are copied: a store of bytes may alias what they are members of, which would be read again for every voxel.
template <class Team>
OTF_STEP void look_up_row(const Team& team, const LookUp& look_up, const i32* offsets, i32 n, u8* found, float* mean, float* std,
                          u8* target_row) {
    const u8 *labels = look_up.labels, *targets = look_up.targets;
    const float *means = look_up.means, *stds = look_up.stds;
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const u8 label = labels[offsets[z]];
        found[z] = label;
        mean[z] = means[label];
        std[z] = stds[label];
        target_row[z] = targets[label];
    }
}

// Label and target alone.
template <class Team>
OTF_STEP void find_row(const Team& team, const LookUp& look_up, const i32* offsets, i32 n, u8* found, u8* target_row) {
    const u8 *labels = look_up.labels, *targets = look_up.targets;
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const u8 label = labels[offsets[z]];
        found[z] = label;
        target_row[z] = targets[label];
    }
}

// Background in the part of a row outside `inner`, where nothing needs to be looked up.
template <class Team>
OTF_STEP void leave_background(const Team& team, const LookUp& look_up, const Part& part, const Part& inner, u8* found, float* mean,
                               float* std, u8* target_row) {
    const float its_mean = look_up.means[0], its_std = look_up.stds[0];
    const u8 its_target = look_up.targets[0];
    const i32 first = inner.first - part.first, end = first + inner.count;
    for (i32 side = 0; side < 2; ++side) {
        const i32 from = side == 0 ? 0 : end, to = side == 0 ? first : part.count;
        OTF_VECTOR_LOOP
        for (i32 z = from + team.lane; z < to; z += team.lanes) {
            found[z] = 0;
            mean[z] = its_mean;
            std[z] = its_std;
            target_row[z] = its_target;
        }
    }
}

}  // namespace otfsynth
