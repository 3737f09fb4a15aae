// A head around a brain-only map: layers of CSF, skull and scalp by distance from the brain's surface.
#pragma once
#include "lattice.h"

namespace otfsynth {

constexpr i32 SHELL_LAYERS = 3;

struct Shell {
    RowLattice thickness;         // relative change of all layers; no coefficients: even layers
    float ends[SHELL_LAYERS];     // outer surface of each layer, millimetres from the brain
    float means[SHELL_LAYERS];
    float stds[SHELL_LAYERS];
    float outside_mean;           // of the background beyond; the table of means holds the first layer's for it
    float outside_std;
    float spacing;                // of the map's voxels, millimetres
    i32 on;
    i32 padding_;
};

// Intensity of every background voxel; `distances` is the map of bytes 128 + 8 mm, 255 being beyond its range. Maps end
// close to the brain, and the layers go on: beyond the map, its edge's distance and the way to there add up.
template <class Team>
OTF_INLINE void paint_shell(const Team& team, const Shell& shell, const u8* distances, const i32 map_shape[3], const float* sx,
                            const float* sy, const float* sz, const u8* found, const float* change, i32 n, float* mean, float* std) {
    // The faces of the map hold 255, so its edge is the voxel before them.
    const float hx = static_cast<float>(map_shape[0] - 2), hy = static_cast<float>(map_shape[1] - 2);
    const float hz = static_cast<float>(map_shape[2] - 2);
    const float end0 = shell.ends[0], end1 = shell.ends[1], end2 = shell.ends[2];
    for (i32 z = team.lane; z < n; z += team.lanes) {
        if (found[z] != 0) continue;
        const float x = clamp(sx[z], 1.0f, hx), y = clamp(sy[z], 1.0f, hy), w = clamp(sz[z], 1.0f, hz);
        const i32 row = static_cast<i32>(x + 0.5f) * map_shape[1] + static_cast<i32>(y + 0.5f);
        const u8 distance = distances[row * map_shape[2] + static_cast<i32>(w + 0.5f)];
        const float dx = sx[z] - x, dy = sy[z] - y, dz = sz[z] - w;
        const float gap = shell.spacing * square_root(dx * dx + dy * dy + dz * dz);
        const float stretch = change ? clamp(1.0f + change[z], 0.2f, 3.0f) : 1.0f;
        const float outward = (static_cast<float>(distance) - 128.0f) * 0.125f + gap;
        const bool beyond = distance == 255 || outward >= end2 * stretch;
        const i32 layer = outward < end0 * stretch ? 0 : outward < end1 * stretch ? 1 : 2;
        mean[z] = beyond ? shell.outside_mean : shell.means[layer];
        std[z] = beyond ? shell.outside_std : shell.stds[layer];
    }
}

}  // namespace otfsynth
