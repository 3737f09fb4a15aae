// A head around a brain-only map: layers of CSF, skull and scalp by distance from the brain's surface.
#pragma once
#include "lattice.h"

namespace otfsynth {

constexpr i32 SHELL_LAYERS = 3;
constexpr float FARTHEST = 48.0f;  // millimetres; the thickest layers, stretched the most, end before

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
                            const float* sy, const float* sz, const i32* offsets, const u8* found, const float* change, i32 n, float* mean, float* std) {
    // The faces of the map hold 255, so its edge is the voxel before them.
    const float hx = static_cast<float>(map_shape[0] - 2), hy = static_cast<float>(map_shape[1] - 2);
    const float hz = static_cast<float>(map_shape[2] - 2);
    const float outside_mean = shell.outside_mean, outside_std = shell.outside_std, spacing = shell.spacing;
    const i32 ny = map_shape[1], nz = map_shape[2];
    const u8* from = distances;
    const float end0 = shell.ends[0], end1 = shell.ends[1], end2 = shell.ends[2];
    for (i32 z = team.lane; z < n; z += team.lanes) {
        if (found[z] != 0) continue;
        u8 distance = from[offsets[z]];
        float gap = 0.0f;
        const bool in_map = sx[z] >= 1.0f && sx[z] <= hx && sy[z] >= 1.0f && sy[z] <= hy && sz[z] >= 1.0f && sz[z] <= hz;
        if (!in_map) {
            const float x = clamp(sx[z], 1.0f, hx), y = clamp(sy[z], 1.0f, hy), w = clamp(sz[z], 1.0f, hz);
            const float dx = sx[z] - x, dy = sy[z] - y, dz = sz[z] - w;
            gap = spacing * square_root(dx * dx + dy * dy + dz * dz);
            const i32 row = static_cast<i32>(x + 0.5f) * ny + static_cast<i32>(y + 0.5f);
            distance = gap < FARTHEST ? from[row * nz + static_cast<i32>(w + 0.5f)] : 255;
        }
        if (distance == 255) {
            mean[z] = outside_mean;
            std[z] = outside_std;
            continue;
        }
        const float stretch = change ? clamp(1.0f + change[z], 0.2f, 3.0f) : 1.0f;
        const float outward = (static_cast<float>(distance) - 128.0f) * 0.125f + gap;
        const i32 layer = outward < end0 * stretch ? 0 : outward < end1 * stretch ? 1 : outward < end2 * stretch ? 2 : 3;
        mean[z] = layer < 3 ? shell.means[layer] : outside_mean;
        std[z] = layer < 3 ? shell.stds[layer] : outside_std;
    }
}

}  // namespace otfsynth
