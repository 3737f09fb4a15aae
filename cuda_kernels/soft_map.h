// Probability maps: each voxel keeps its two most probable labels, and mixes their intensities by their shares.
#pragma once
#include "listing.h"
#include "portable.h"

namespace otfsynth {

constexpr float SHARE_STEP = 1.0f / 255.0f;

// Beside the labels of a map; null: a map of hard labels.
struct SoftMap {
    const u8* second;  // second most probable label of each voxel
    const u8* share;   // 255 times the share of the first
};
OTF_FIELDS(SoftMap, (second)(share))

// Mean and variance of a voxel are the averages of its tissues', weighted by their shares, as for partial volume (Van
// Leemput et al. 2003); with several points a voxel, averages over the points as well.
template <class Team>
OTF_STEP void mix_soft_row(const Team& team, const SoftMap& soft, const u8* labels, const i32* points, i32 stride, i32 count,
                             const float* means, const i32* tables, const float* stds, i32 n, float* mean, float* std) {
    const u8 *second = soft.second, *share = soft.share;
    const float weight = 1.0f / static_cast<float>(count);
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float* table = tables ? means + tables[z] : means;  // `tables` may lie in `mean`: read before it is written
        float sum = 0.0f, variance = 0.0f;
        for (i32 point = 0; point < count; ++point) {
            const i32 place = points[point * stride + z];
            const u8 a = labels[place], b = second[place];
            const float first = SHARE_STEP * static_cast<float>(share[place]), rest = 1.0f - first;
            sum += first * table[a] + rest * table[b];
            variance += first * stds[a] * stds[a] + rest * stds[b] * stds[b];
        }
        mean[z] = weight * sum;
        std[z] = square_root(weight * variance);
    }
}

}  // namespace otfsynth
