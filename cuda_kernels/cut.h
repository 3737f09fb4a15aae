// Cutting: what of the head the image does not show, by skull-strip, defacing, a background of zeros or the field of view.
#pragma once
#include "defacing.h"
#include "listing.h"
#include "part.h"

namespace otfsynth {

struct Cut {
    RowLattice edge;     // millimetres that the brain mask's surface moves; no coefficients: smooth edge
    Defacing defacing;
    float edge_offset;   // millimetres
    i32 strip;           // 1: what is far from the brain leaves the mask
    i32 background;      // 1: background voxels leave the mask
    i32 view_first[3];   // voxels of the patch that the scan shows; outside, the mask is 0
    i32 view_end[3];     // one beyond the last; 0: all of them
    i32 padding_;
};
OTF_FIELDS(Cut, (edge)(defacing)(edge_offset)(strip)(background)(view_first)(view_end))

// Voxels nearer to the brain than the bumpy edge. An integer distance lies below the threshold where it lies below the
// threshold rounded up. `edge` holds that of the row, if any, and is overwritten.
template <class Team>
OTF_STEP void strip_row(const Team& team, const Cut& cut, const u8* distances, const i32* offsets, float* edge, i32 n, u8* mask_row) {
    const float share = cut.edge.coefficients ? 8.0f : 0.0f, base = 128.0f + 8.0f * cut.edge_offset;
    i32* limits = reinterpret_cast<i32*>(edge);
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float limit = clamp(share > 0.0f ? base + share * edge[z] : base, 0.0f, 256.0f);
        const i32 whole = static_cast<i32>(limit);
        limits[z] = whole + (limit > static_cast<float>(whole) ? 1 : 0);
    }
    team.sync();
    for (i32 z = team.lane; z < n; z += team.lanes) mask_row[z] = distances[offsets[z]] < limits[z];
}

// Mask of a part of a row of the patch; what it leaves out becomes background in the target. `column` and `field` are
// working memory.
template <class Team>
OTF_STEP void cut_row(const Team& team, const Cut& cut, const Part& part, const u8* distances, const i32* offsets, const float* sx,
                      const float* sy, const float* sz, const u8* found, float* column, float* field, u8* mask_row,
                      u8* target_row) {
    const i32 n = part.count;
    if (cut.strip) {
        if (cut.edge.coefficients) spline_row(team, cut.edge, 0, part, column, field);
        team.sync();
        strip_row(team, cut, distances, offsets, field, n, mask_row);
    } else {
        for (i32 z = team.lane; z < n; z += team.lanes) mask_row[z] = 1;
    }
    if (cut.defacing.count > 0) {
        if (cut.defacing.bumps.coefficients) spline_row(team, cut.defacing.bumps, 0, part, column, field);
        team.sync();
        deface_row(team, cut.defacing, sx, sy, sz, distances, offsets, field, n, mask_row);
        team.sync();
    }
    if (cut.background) {
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) mask_row[z] = found[z] != 0 ? mask_row[z] : 0;
    }
    if (cut.view_end[0] > 0) {
        const bool seen = part.x >= cut.view_first[0] && part.x < cut.view_end[0] && part.y >= cut.view_first[1] && part.y < cut.view_end[1];
        const i32 first = seen ? cut.view_first[2] - part.first : n, end = seen ? cut.view_end[2] - part.first : 0;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) mask_row[z] = z >= first && z < end ? mask_row[z] : 0;
    }
    // Nothing can be told where the image is exactly zero: its target is background too.
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) target_row[z] = mask_row[z] ? target_row[z] : 0;
    team.sync();
}

}  // namespace otfsynth
