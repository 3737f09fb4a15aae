// Local loss of signal where the field is inhomogeneous, as beside air and metal: smooth blobs that lie in the head.
#pragma once
#include "fast_math.h"
#include "listing.h"
#include "portable.h"

namespace otfsynth {

constexpr i32 LOSS_BLOBS = 4;

struct SignalLoss {
    float centres[3 * LOSS_BLOBS];  // x of all blobs, then y, then z: voxels of the label map
    float falls[LOSS_BLOBS];        // log2(e) / (2 radius**2)
    float depths[LOSS_BLOBS];       // share of the signal lost in the middle
    i32 count;
    i32 padding_;
};
OTF_FIELDS(SignalLoss, (centres)(falls)(depths)(count))

// Mean and deviation times the product of 1 - depth exp(-d**2 / (2 radius**2)).
template <class Team>
OTF_STEP void lose_signal(const Team& team, const SignalLoss& loss, const float* sx, const float* sy, const float* sz, i32 n,
                            float* mean, float* std) {
    for (i32 blob = 0; blob < loss.count; ++blob) {
        const float cx = loss.centres[blob], cy = loss.centres[LOSS_BLOBS + blob], cz = loss.centres[2 * LOSS_BLOBS + blob];
        const float fall = -loss.falls[blob], depth = loss.depths[blob];
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float dx = sx[z] - cx, dy = sy[z] - cy, dz = sz[z] - cz;
            const float kept = 1.0f - depth * fast_exp2(fall * (dx * dx + dy * dy + dz * dz));
            mean[z] *= kept;
            std[z] *= kept;
        }
    }
}

}  // namespace otfsynth
