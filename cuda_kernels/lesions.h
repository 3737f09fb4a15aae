// Lesions: blobs with bumpy edges in chosen tissues, with an intensity and, where wanted, a target of their own; and the
// tissue that a mass pushes aside.
#pragma once
#include "fast_math.h"
#include "listing.h"
#include "part.h"

namespace otfsynth {

constexpr i32 LESION_PARTS = 3;  // oedema, lesions, what is dead in them: painted in this order

struct LesionPart {
    const float* blobs;   // (count, 4): centre x, y, z and radius, voxels of the label map
    const u8* hosts;      // 256, by label index: 1 where lesions may lie
    float mean;
    float std;
    float softness;       // voxels over which the edge fades
    float middle[3];      // of a sphere that holds all blobs ...
    float extent;         // ... and its radius
    i32 count;            // 0: none
    i32 target;           // -1: the host's
    i32 padding_;
};
OTF_FIELDS(LesionPart, (blobs)(hosts)(mean)(std)(softness)(middle)(extent)(count)(target))

struct Lesions {
    RowLattice edge;      // relative change of every radius; no coefficients: spheres
    LesionPart parts[LESION_PARTS];
    i32 count;            // 0: none of the parts has any
    i32 padding_;
};
OTF_FIELDS(Lesions, (edge)(parts)(count))

// The line between the ends of a row in the label map: most rows are told by it to be far from a blob.
struct Chord {
    float first[3];
    float way[3];  // to the last voxel
    float square;  // of its length
    float bend;    // voxels by which the row leaves it

    // Whether any part of the row may lie within `reach` of a place.
    OTF_INLINE bool may_touch(const float* place, float reach) const {
        float along = 0.0f, distance = 0.0f;
        for (i32 axis = 0; axis < 3; ++axis) along += (place[axis] - first[axis]) * way[axis];
        const float share = square > 0.0f ? clamp(along / square, 0.0f, 1.0f) : 0.0f;
        for (i32 axis = 0; axis < 3; ++axis) {
            const float gap = place[axis] - first[axis] - share * way[axis];
            distance += gap * gap;
        }
        return distance < (reach + bend) * (reach + bend);
    }
};

template <class Team>
OTF_STEP Chord chord_of_row(const Team& team, const float* sx, const float* sy, const float* sz, i32 n) {
    const float x = sx[0], y = sy[0], w = sz[0], vx = sx[n - 1] - x, vy = sy[n - 1] - y, vz = sz[n - 1] - w;
    const float step = n > 1 ? 1.0f / static_cast<float>(n - 1) : 0.0f;
    float farthest = 0.0f;
    OTF_VECTOR_REDUCTION(reduction(max : farthest))
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float share = step * static_cast<float>(z);
        const float dx = sx[z] - x - share * vx, dy = sy[z] - y - share * vy, dz = sz[z] - w - share * vz;
        farthest = larger(farthest, dx * dx + dy * dy + dz * dz);
    }
    const float bend = square_root(team.highest(farthest)) + 0.01f;  // beyond rounding
    return Chord{{x, y, w}, {vx, vy, vz}, vx * vx + vy * vy + vz * vz, bend};
}

// Depth inside the deepest blob, voxels, over one row; false where no blob is near. Radii change by at most their size.
template <class Team>
OTF_STEP bool lesion_depth(const Team& team, const LesionPart& part, const Chord& chord, const float* sx, const float* sy,
                             const float* sz, const float* change, i32 n, float* depth) {
    bool near = false;
    if (part.count == 0 || !chord.may_touch(part.middle, 2.0f * part.extent + part.softness)) return near;
    for (i32 b = 0; b < part.count; ++b) {
        const float* blob = part.blobs + 4 * b;
        if (!chord.may_touch(blob, 2.0f * blob[3] + part.softness)) continue;
        const float cx = blob[0], cy = blob[1], cz = blob[2], radius = blob[3];
        const bool begin = !near;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float dx = sx[z] - cx, dy = sy[z] - cy, dz = sz[z] - cz;
            const float size = radius * (1.0f + (change ? clamp(change[z], -1.0f, 1.0f) : 0.0f));
            const float inside = size - square_root(dx * dx + dy * dy + dz * dz);
            depth[z] = begin ? inside : larger(depth[z], inside);
        }
        near = true;
    }
    return near;
}

// Blend intensities over the edge; where a lesion has the larger share, it may have the target.
template <class Team>
OTF_STEP void paint_lesions(const Team& team, const LesionPart& part, const float* depth, const u8* found, i32 n, float* mean,
                              float* std, u8* target_row) {
    const u8* hosts = part.hosts;
    const float slope = 1.0f / part.softness, of_mean = part.mean, of_std = part.std;
    const i32 target = part.target;
    for (i32 z = team.lane; z < n; z += team.lanes) {
        if (depth[z] * slope <= -0.5f || hosts[found[z]] == 0) continue;
        const float share = smaller(depth[z] * slope + 0.5f, 1.0f);
        mean[z] += share * (of_mean - mean[z]);
        std[z] += share * (of_std - std[z]);
        if (share >= 0.5f && target >= 0) target_row[z] = static_cast<u8>(target);
    }
}

// All kinds of lesions over a part of a row; `column`, `field` and `depth` are working memory.
template <class Team>
OTF_STEP void add_lesions(const Team& team, const Lesions& lesions, const Part& part, const float* sx, const float* sy, const float* sz,
                          const u8* found, float* column, float* field, float* depth, float* mean, float* std, u8* target_row) {
    const float* change = nullptr;
    if (lesions.edge.coefficients) {
        spline_row(team, lesions.edge, 0, part, column, field);
        change = field;
    }
    team.sync();
    const Chord chord = chord_of_row(team, sx, sy, sz, part.count);
    for (i32 kind = 0; kind < LESION_PARTS; ++kind) {
        if (!lesion_depth(team, lesions.parts[kind], chord, sx, sy, sz, change, part.count, depth)) continue;
        paint_lesions(team, lesions.parts[kind], depth, found, part.count, mean, std, target_row);
        team.sync();
    }
}

// A growing mass: tissue at a distance r comes from r (1 - strength w), w = exp(-r**2 / 2 reach**2) (1 - r**2 / end**2)**2,
// and stays beyond `end`. Both factors of the map's Jacobian, 1 - strength w squared and 1 - strength (w + r w'), are
// positive for a strength in [0, 1), since w falls from 1: nothing folds.
struct MassEffect {
    float centre[3];    // voxels of the label map
    float fall;         // log2(e) / (2 reach**2)
    float inverse_end;  // 1 / end**2; 0: none
    float strength;     // 0: none
};
OTF_FIELDS(MassEffect, (centre)(fall)(inverse_end)(strength))

template <class Team>
OTF_STEP void push_aside(const Team& team, const MassEffect& mass, i32 n, float* sx, float* sy, float* sz) {
    const float cx = mass.centre[0], cy = mass.centre[1], cz = mass.centre[2], fall = -mass.fall, strength = mass.strength;
    const float inverse_end = mass.inverse_end;
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float dx = sx[z] - cx, dy = sy[z] - cy, dz = sz[z] - cz;
        const float square = dx * dx + dy * dy + dz * dz, left = larger(1.0f - inverse_end * square, 0.0f);
        const float pull = strength * left * left * fast_exp2(fall * square);
        sx[z] -= pull * dx;
        sy[z] -= pull * dy;
        sz[z] -= pull * dz;
    }
}

}  // namespace otfsynth
