// Defacing: what lies in front of and below oblique surfaces in the head is exactly 0; nothing near the brain ever is.
#pragma once
#include "lattice.h"

namespace otfsynth {

constexpr i32 DEFACING_PLANES = 3;  // face, and either ear

struct Defacing {
    RowLattice bumps;                      // millimetres; no coefficients: planes
    float planes[4 * DEFACING_PLANES];     // (a, b, c, d): millimetres beyond it are a x + b y + c z + d, voxels of the map
    float spared;                          // encoded distance from the brain below which everything stays
    i32 count;                             // 0: none
};

// Take out of the mask what is beyond any of the surfaces and far from the brain.
template <class Team>
OTF_INLINE void deface_row(const Team& team, const Defacing& defacing, const float* sx, const float* sy, const float* sz,
                           const u8* distances, const i32* offsets, const float* bumps, i32 n, u8* mask_row) {
    const float spared = defacing.spared;
    for (i32 plane = 0; plane < defacing.count; ++plane) {
        const float* p = defacing.planes + 4 * plane;
        const float a = p[0], b = p[1], c = p[2], d = p[3];
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float beyond = a * sx[z] + b * sy[z] + c * sz[z] + d + (bumps ? bumps[z] : 0.0f);
            const bool gone = beyond > 0.0f && static_cast<float>(distances[offsets[z]]) >= spared;
            mask_row[z] = gone ? 0 : mask_row[z];
        }
    }
}

}  // namespace otfsynth
