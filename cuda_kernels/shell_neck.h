// A neck below the head around a brain-only map: elliptic cylinders along the spinal canal, down to the image's end.
#pragma once
#include "listing.h"
#include "statistics.h"

namespace otfsynth {

enum NeckPart : i32 { NECK_OUTLINE, NECK_ARCH, NECK_CANAL, NECK_CORD, NECK_SPINE, NECK_AIRWAY, NECK_PARTS };
enum NeckTissue : i32 {
    NECK_NOTHING, NECK_SKIN, NECK_MUSCLE, NECK_BONE, NECK_MARROW, NECK_FLUID, NECK_NERVE, NECK_AIR, NECK_TISSUES
};

struct ShellNeck {
    float anchor[3];            // where the cord leaves the brain, voxels of the map
    float slopes[2];            // of the canal below it: millimetres to the right, and forward, for each one down
    float forward[NECK_PARTS];  // of each ellipse's middle from the canal's, millimetres
    float across[NECK_PARTS];   // inverse squares of the half axes, right to left and back to front
    float along[NECK_PARTS];
    float reach;                // mean half axis of the outline, millimetres
    float widening;             // of the outline at the head, a share
    float inverse_join;         // 1 / millimetres below the anchor at which it ends
    float dome;                 // begins so far above the anchor, millimetres, and is twice as high
    float fat;                  // thickness under the skin, millimetres
    float fat_planes;           // half the width of fat between muscles, in units of the thickness field
    float inverse_vertebra;     // 1 / millimetres
    float disc_share;           // of a vertebra and its disc
    float means[NECK_TISSUES];
    float stds[NECK_TISSUES];
    i32 on;
};
OTF_FIELDS(ShellNeck, (anchor)(slopes)(forward)(across)(along)(reach)(widening)(inverse_join)(dome)(fat)(fat_planes)
           (inverse_vertebra)(disc_share)(means)(stds)(on))

// Part of a row outside which nothing is neck: the outline at its widest under its dome, and the canal with the cord. Most
// of an image lies outside. Arguments as below.
template <class Team>
OTF_STEP Span neck_span(const Team& team, const ShellNeck& neck, float spacing, float skin, const float* sx, const float* sy,
                        const float* sz, const float* bumps, float bumpy, i32 n) {
    const float ax = neck.anchor[0], ay = neck.anchor[1], az = neck.anchor[2], s0 = neck.slopes[0], s1 = neck.slopes[1];
    const float f0 = neck.forward[NECK_OUTLINE], top = neck.dome, inverse_dome = 0.5f / top;
    const float narrow = 1.0f / ((1.0f + neck.widening) * (1.0f + neck.widening));
    const float a0 = neck.across[NECK_OUTLINE] * narrow, b0 = neck.along[NECK_OUTLINE] * narrow;
    const float a2 = smaller(neck.across[NECK_CANAL], neck.across[NECK_CORD]);
    const float b2 = smaller(neck.along[NECK_CANAL], neck.along[NECK_CORD]);
    const float swell = bumpy * skin / neck.reach;
    i32 first = n, last = -1;
    OTF_VECTOR_REDUCTION(reduction(min : first) reduction(max : last))
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float down = spacing * (az - sz[z]);
        const float above = larger(-down, 0.0f), along_it = larger(down, 0.0f);
        const float u = spacing * (sx[z] - ax) - s0 * along_it, v = spacing * (sy[z] - ay) - s1 * along_it, v0 = v - f0;
        const float dome = larger(above - top, 0.0f) * inverse_dome;
        const float radius = 1.001f + swell * larger(bumps[z], 0.0f);  // beyond rounding
        const float outside = u * u * a0 + v0 * v0 * b0 + dome * dome - radius * radius;
        const bool near = smaller(outside, u * u * a2 + (v * v + above * above) * b2 - 1.001f) < 0.0f;
        first = near && z < first ? z : first;
        last = near && z > last ? z : last;
    }
    const i32 from = static_cast<i32>(team.lowest(static_cast<float>(first)));
    return Span{from, static_cast<i32>(team.highest(static_cast<float>(last))) + 1};
}

// Tissue of every background voxel; where it is NECK_NOTHING, what the shell painted stays. `from_brain` holds millimetres
// from the brain, -HUGE_VALUE where there is no background, `change` the thickness field or null; `skull` and `skin` are
// those to the outer surfaces of skull and scalp. `kinds` is a row of working memory.
template <class Team>
OTF_STEP void paint_neck(const Team& team, const ShellNeck& neck, float spacing, float skull, float skin, const float* sx,
                         const float* sy, const float* sz, const float* change, const float* from_brain, i32 n, i32* kinds,
                         float* mean, float* std) {
    const float ax = neck.anchor[0], ay = neck.anchor[1], az = neck.anchor[2], s0 = neck.slopes[0], s1 = neck.slopes[1];
    const float *f = neck.forward, *a = neck.across, *b = neck.along;
    const float f0 = f[NECK_OUTLINE], a0 = a[NECK_OUTLINE], b0 = b[NECK_OUTLINE], a1 = a[NECK_ARCH], b1 = b[NECK_ARCH];
    const float a2 = a[NECK_CANAL], b2 = b[NECK_CANAL], a3 = a[NECK_CORD], b3 = b[NECK_CORD];
    const float f4 = f[NECK_SPINE], a4 = a[NECK_SPINE], b4 = b[NECK_SPINE];
    const float f5 = f[NECK_AIRWAY], a5 = a[NECK_AIRWAY], b5 = b[NECK_AIRWAY];
    const float reach = neck.reach, widening = neck.widening, inverse_join = neck.inverse_join, fat = neck.fat;
    const float top = neck.dome, inverse_dome = 0.5f / top;
    const float planes = neck.fat_planes, inverse_vertebra = neck.inverse_vertebra, disc_share = neck.disc_share;
    // Any row where there is no field: a choice in so long a loop keeps it from vectors.
    const float* bumps = change ? change : from_brain;
    const float bumpy = change ? 1.0f : 0.0f;
    const float *mean_of = neck.means, *std_of = neck.stds;
    // From here on voxels go to other threads than the shell's did; the reductions of the span are the barrier between.
    const Span span = neck_span(team, neck, spacing, skin, sx, sy, sz, bumps, bumpy, n);
    OTF_VECTOR_LOOP
    for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) {
        const float field = bumpy * bumps[z];
        const float stretch = clamp(1.0f + field, 0.2f, 3.0f);
        const float down = spacing * (az - sz[z]);
        const float above = larger(-down, 0.0f), along_it = larger(down, 0.0f);
        const float u = spacing * (sx[z] - ax) - s0 * along_it, v = spacing * (sy[z] - ay) - s1 * along_it;
        const float u2 = u * u, v2 = v * v;
        const float t = clamp(1.0f - down * inverse_join, 0.0f, 1.0f);
        const float wide = 1.0f + widening * t * t * (3.0f - 2.0f * t);
        const float v0 = v - f0, v4 = v - f4, v5 = v - f5;
        const float dome = larger(above - top, 0.0f) * inverse_dome;
        const float radius = square_root((u2 * a0 + v0 * v0 * b0) / (wide * wide) + dome * dome);
        const float depth = reach * wide * (1.0f - radius) + skin * (stretch - 1.0f);
        const float vertebra = along_it * inverse_vertebra;
        // Negative inside. Greatest and smallest, not "and" and "or": branches would keep the loop from vectors.
        const float disc = vertebra - static_cast<float>(static_cast<i32>(vertebra)) - disc_share;
        const float airway = larger(-down, u2 * a5 + v5 * v5 * b5 - stretch);
        const float spine = larger(-down, u2 * a4 + v4 * v4 * b4 - stretch);
        const float arch = larger(-down, u2 * a1 + v2 * b1 - 1.0f), cord = larger(-down, u2 * a3 + v2 * b3 - 1.0f);
        const float canal = u2 * a2 + (v2 + above * above) * b2 - 1.0f;
        const float tissue = smaller(depth, from_brain[z] - skull * stretch);
        i32 kind = field * field < planes * planes ? NECK_SKIN : NECK_MUSCLE;
        kind = airway < 0.0f ? NECK_AIR : kind;
        kind = spine < 0.0f ? NECK_MARROW : kind;
        kind = larger(spine, disc) < 0.0f ? NECK_MUSCLE : kind;
        kind = arch < 0.0f ? NECK_BONE : kind;
        kind = depth < fat * stretch ? NECK_SKIN : kind;
        kind = tissue < 0.0f ? NECK_NOTHING : kind;
        kind = canal < 0.0f ? NECK_FLUID : kind;
        kind = cord < 0.0f ? NECK_NERVE : kind;
        kinds[z] = from_brain[z] > -HUGE_VALUE ? kind : NECK_NOTHING;
    }
    for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) {
        if (kinds[z] == NECK_NOTHING) continue;
        mean[z] = mean_of[kinds[z]];
        std[z] = std_of[kinds[z]];
    }
}

}  // namespace otfsynth
