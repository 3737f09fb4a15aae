// A head around a brain-only map: layers of CSF, skull and scalp by distance from the brain's surface.
#pragma once
#include "lattice.h"
#include "listing.h"
#include "shell_neck.h"
#include "statistics.h"

namespace otfsynth {

constexpr i32 SHELL_LAYERS = 3;
constexpr i32 TAKEN = 256;         // instead of an encoded distance, where a label has its own intensity
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
    ShellNeck neck;
};
OTF_FIELDS(Shell, (thickness)(ends)(means)(stds)(outside_mean)(outside_std)(spacing)(on)(neck))

// Intensity of every background voxel; `distances` is the map of bytes 128 + 8 mm, 255 being beyond its range. Maps end
// close to the brain, and the layers go on: beyond the map, its edge's distance and the way to there add up. `places` and
// `outward` are rows of working memory.
template <class Team>
OTF_STEP void paint_shell(const Team& team, const Shell& shell, const u8* distances, const i32 map_shape[3], const float* sx,
                            const float* sy, const float* sz, const u8* found, const float* change, i32 n, i32* places,
                            float* outward, float* mean, float* std) {
    // The faces of the map hold 255, so its edge is the voxel before them.
    const float hx = static_cast<float>(map_shape[0] - 2), hy = static_cast<float>(map_shape[1] - 2);
    const float hz = static_cast<float>(map_shape[2] - 2);
    const float spacing = shell.spacing;
    const i32 ny = map_shape[1], nz = map_shape[2];
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float x = clamp(sx[z], 1.0f, hx), y = clamp(sy[z], 1.0f, hy), w = clamp(sz[z], 1.0f, hz);
        const float dx = sx[z] - x, dy = sy[z] - y, dz = sz[z] - w;
        outward[z] = spacing * square_root(dx * dx + dy * dy + dz * dz);
        const i32 row = static_cast<i32>(x + 0.5f) * ny + static_cast<i32>(y + 0.5f);
        places[z] = row * nz + static_cast<i32>(w + 0.5f);
    }
    team.sync();
    for (i32 z = team.lane; z < n; z += team.lanes) {
        places[z] = found[z] == 0 ? distances[places[z]] : TAKEN;
    }
    team.sync();
    const float end0 = shell.ends[0], end1 = shell.ends[1], end2 = shell.ends[2];
    const float mean0 = shell.means[0], mean1 = shell.means[1], mean2 = shell.means[2], beyond_mean = shell.outside_mean;
    const float std0 = shell.stds[0], std1 = shell.stds[1], std2 = shell.stds[2], beyond_std = shell.outside_std;
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float stretch = change ? clamp(1.0f + change[z], 0.2f, 3.0f) : 1.0f;
        const bool far = places[z] == 255 || outward[z] >= FARTHEST;
        const float mm = far ? HUGE_VALUE : (static_cast<float>(places[z]) - 128.0f) * 0.125f + outward[z];
        const float m = mm < end0 * stretch ? mean0 : mm < end1 * stretch ? mean1 : mm < end2 * stretch ? mean2 : beyond_mean;
        const float s = mm < end0 * stretch ? std0 : mm < end1 * stretch ? std1 : mm < end2 * stretch ? std2 : beyond_std;
        const bool taken = places[z] == TAKEN;
        mean[z] = taken ? mean[z] : m;
        std[z] = taken ? std[z] : s;
        outward[z] = taken ? -HUGE_VALUE : mm;
    }
    if (shell.neck.on) paint_neck(team, shell.neck, spacing, end1, end2, sx, sy, sz, change, outward, n, places, mean, std);
}

}  // namespace otfsynth
