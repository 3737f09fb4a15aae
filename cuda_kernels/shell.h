// A head around a brain-only map: layers of CSF, skull and scalp by distance from the brain's surface.
#pragma once
#include "lattice.h"
#include "listing.h"
#include "shell_neck.h"
#include "statistics.h"

namespace otfsynth {

constexpr i32 SHELL_LAYERS = 3;
constexpr i32 FAR = 255;            // of encoded distances: farther than they are stored, inside the map and beyond it
constexpr float FARTHEST = 15.75f;  // millimetres, the last one stored: layers stretch as far as that, not beyond
constexpr i32 TAKEN = 256;          // instead of an encoded distance, where a label has its own intensity

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

// Intensity of every background voxel; `distances` is the map of bytes 128 + 8 mm, `offsets` the row's places in it.
// `places` and `from_brain` are rows of working memory.
template <class Team>
OTF_STEP void paint_shell(const Team& team, const Shell& shell, const u8* distances, const i32* offsets, const float* sx,
                            const float* sy, const float* sz, const u8* found, const float* change, i32 n, i32* places,
                            float* from_brain, float* mean, float* std) {
    const float spacing = shell.spacing;
    for (i32 z = team.lane; z < n; z += team.lanes) places[z] = found[z] == 0 ? distances[offsets[z]] : TAKEN;
    team.sync();
    const float end0 = shell.ends[0], end1 = shell.ends[1], end2 = shell.ends[2];
    const float mean0 = shell.means[0], mean1 = shell.means[1], mean2 = shell.means[2], beyond_mean = shell.outside_mean;
    const float std0 = shell.stds[0], std1 = shell.stds[1], std2 = shell.stds[2], beyond_std = shell.outside_std;
    const float most = smaller(FARTHEST / end2, 3.0f);
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float stretch = smaller(change ? larger(1.0f + change[z], 0.2f) : 1.0f, most);
        const float mm = places[z] == FAR ? HUGE_VALUE : (static_cast<float>(places[z]) - 128.0f) * 0.125f;
        const float m = mm < end0 * stretch ? mean0 : mm < end1 * stretch ? mean1 : mm < end2 * stretch ? mean2 : beyond_mean;
        const float s = mm < end0 * stretch ? std0 : mm < end1 * stretch ? std1 : mm < end2 * stretch ? std2 : beyond_std;
        const bool taken = places[z] == TAKEN;
        mean[z] = taken ? mean[z] : m;
        std[z] = taken ? std[z] : s;
        from_brain[z] = taken ? -HUGE_VALUE : mm;
    }
    if (shell.neck.on) paint_neck(team, shell.neck, spacing, end1, end2, sx, sy, sz, change, from_brain, n, places, mean, std);
}

}  // namespace otfsynth
