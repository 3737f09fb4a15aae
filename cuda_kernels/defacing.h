// Defacing: what lies in front of and below oblique surfaces in the head is exactly 0; nothing near the brain ever is.
#pragma once
#include "lattice.h"
#include "listing.h"
#include "statistics.h"

namespace otfsynth {

constexpr i32 DEFACING_PLANES = 3;  // face, and either ear

struct Defacing {
    RowLattice bumps;                      // millimetres; no coefficients: planes
    float planes[4 * DEFACING_PLANES];     // (a, b, c, d): millimetres beyond it are a x + b y + c z + d, voxels of the map
    float spared;                          // encoded distance from the brain below which everything stays, a whole number
    i32 count;                             // 0: none
};
OTF_FIELDS(Defacing, (bumps)(planes)(spared)(count))

// Take out of the mask what is beyond any of the surfaces and far from the brain. Most rows are beyond none, and look no
// distance up. `bumps` holds those of the row, if any, and is overwritten.
template <class Team>
OTF_STEP void deface_row(const Team& team, const Defacing& defacing, const float* sx, const float* sy, const float* sz,
                           const u8* distances, const i32* offsets, float* bumps, i32 n, u8* mask_row) {
    const float* p = defacing.planes;
    const float bumpy = defacing.bumps.coefficients ? 1.0f : 0.0f;
    const i32 second = defacing.count > 1 ? 4 : 0, third = defacing.count > 2 ? 8 : 0;
    const float a0 = p[0], b0 = p[1], c0 = p[2], d0 = p[3];
    const float a1 = p[second], b1 = p[second + 1], c1 = p[second + 2], d1 = p[second + 3];
    const float a2 = p[third], b2 = p[third + 1], c2 = p[third + 2], d2 = p[third + 3];
    float farthest = -HUGE_VALUE;
    OTF_VECTOR_REDUCTION(reduction(max : farthest))
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float x = sx[z], y = sy[z], w = sz[z];
        const float face = a0 * x + b0 * y + c0 * w + d0, ear = a1 * x + b1 * y + c1 * w + d1;
        const float other = larger(larger(face, ear), a2 * x + b2 * y + c2 * w + d2);
        const float beyond = other + (bumpy > 0.0f ? bumps[z] : 0.0f);
        bumps[z] = beyond;
        farthest = larger(farthest, beyond);
    }
    if (!(team.highest(farthest) > 0.0f)) return;
    const i32 spared = static_cast<i32>(defacing.spared);  // rounded up
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const bool gone = bumps[z] > 0.0f && distances[offsets[z]] >= spared;
        mask_row[z] = gone ? 0 : mask_row[z];
    }
}

}  // namespace otfsynth
