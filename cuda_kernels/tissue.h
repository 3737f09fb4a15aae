// What lies inside a tissue: correlated texture, slow variation.
//
// Helpers of the painting pass, each working on one row of n voxels; a struct of zeros is a stage that is off and costs
// one branch a row.
#pragma once
#include "lattice.h"
#include "listing.h"

namespace otfsynth {

// Part of each class's variance that is smooth instead of white; the variance as a whole stays.
struct Texture {
    RowLattice field;  // unit variance
    float smooth;      // weights of the field and of white noise, squares summing to 1
    float white;
};
OTF_FIELDS(Texture, (field)(smooth)(white))

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
OTF_FIELDS(Heterogeneity, (field)(strengths))

template <class Team>
OTF_STEP void vary_row(const Team& team, const u8* found, const float* strengths, const float* field, i32 n, float* mean) {
    for (i32 z = team.lane; z < n; z += team.lanes) mean[z] *= larger(1.0f + strengths[found[z]] * field[z], 0.0f);
}

}  // namespace otfsynth
