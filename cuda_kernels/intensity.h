// The end of painting: deviates and bias make the intensity of each voxel, clipped; the range of what is seen goes to the
// gamma curve.
#pragma once
#include "fast_math.h"
#include "portable.h"
#include "statistics.h"

namespace otfsynth {

// (mean + std * normal) * exp(bias), clipped to [0, most]; no bias: null.
template <class Team>
OTF_STEP void expose_row(const Team& team, const float* mean, const float* std, const float* normals, const float* bias, float most,
                         i32 n, float* image) {
    if (!bias) {
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) image[z] = clamp(mean[z] + std[z] * normals[z], 0.0f, most);
        return;
    }
    const float log2_e = 1.442695041f;
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        image[z] = clamp((mean[z] + std[z] * normals[z]) * fast_exp2(log2_e * bias[z]), 0.0f, most);
    }
}

// Range of a row of which `n` voxels are painted; what the mask (null: none) cuts away counts as 0, and so does what is
// not painted.
template <class Team>
OTF_STEP Statistics range_of_row(const Team& team, const float* image, const u8* mask, i32 n, bool whole) {
    float lowest = whole ? HUGE_VALUE : 0.0f, highest = whole ? -HUGE_VALUE : 0.0f;
    if (mask) {
        OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest))
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float value = mask[z] ? image[z] : 0.0f;
            lowest = smaller(lowest, value);
            highest = larger(highest, value);
        }
    } else {
        OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest))
        for (i32 z = team.lane; z < n; z += team.lanes) {
            lowest = smaller(lowest, image[z]);
            highest = larger(highest, image[z]);
        }
    }
    return Statistics{team.lowest(lowest), team.highest(highest), 0.0f, 0.0f, 0.0f, {0.0f, 0.0f, 0.0f}};
}

}  // namespace otfsynth
