// Shapes of structures: a label beside a boundary becomes that of the other side, where a smooth shift reaches it.
//
// A byte of `boundaries` is 64 * boundary + 32 * side + 8 * millimetres to the nearest of three boundaries, side 1 being
// outside; 255: none is near. Works on the label map, before anything is looked up: image, partial volume and target then
// see one anatomy.
#pragma once
#include "lattice.h"
#include "listing.h"

namespace otfsynth {

// Row operator; row = x * rows_y + y of the box of the map that is wanted, whole rows along z.
struct ChangeShape {
    const u8* labels;
    const u8* alternates;   // label on the other side of the nearest boundary
    const u8* boundaries;
    u8* changed;            // the new map; nothing outside the box is written
    RowLattice unevenness;  // relative change of the shift over the map; no coefficients: even
    float shifts[3];        // of each boundary, eighths of a millimetre, outward positive
    i32 map_shape[3];
    i32 first[2];           // of the box, x and y
    i32 rows[2];

    OTF_INLINE i64 size() const { return static_cast<i64>(rows[0]) * rows[1]; }
    OTF_INLINE i32 padded_row() const {
        return Scratch::rounded(unevenness.coefficients ? expanded_floats(map_shape[2], unevenness.spacing) : map_shape[2]);
    }
    OTF_INLINE i64 scratch_floats() const {
        return padded_row() + Scratch::rounded(column_floats(unevenness.coefficients ? unevenness.shape[2] : 1));
    }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const i32 x = first[0] + static_cast<i32>(row / rows[1]), y = first[1] + static_cast<i32>(row % rows[1]);
        const i32 n = map_shape[2];
        const i64 start = (static_cast<i64>(x) * map_shape[1] + y) * n;
        const u8 *from = labels + start, *other = alternates + start, *near = boundaries + start;
        u8* out = changed + start;
        float nearest = 255.0f;
        OTF_VECTOR_REDUCTION(reduction(min : nearest))
        for (i32 z = team.lane; z < n; z += team.lanes) nearest = smaller(nearest, static_cast<float>(near[z]));
        if (team.lowest(nearest) == 255.0f) {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) out[z] = from[z];
            return;
        }
        Scratch scratch{team.scratch};
        float* share = scratch.take(padded_row());
        if (unevenness.coefficients) {
            float* column = scratch.take(column_floats(unevenness.shape[2]));
            collapse_row(team, unevenness, 0, x, y, column);
            team.sync();
            expand_row(team, unevenness, column, 0, n, share);
        } else {
            for (i32 z = team.lane; z < n; z += team.lanes) share[z] = 0.0f;
        }
        team.sync();
        const float s0 = shifts[0], s1 = shifts[1], s2 = shifts[2];
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const i32 byte = near[z];
            const i32 boundary = byte >> 6;
            const float shift = boundary == 0 ? s0 : boundary == 1 ? s1 : boundary == 2 ? s2 : 0.0f;
            const float limit = ((byte & 32) != 0 ? shift : -shift) * clamp(1.0f + share[z], 0.0f, 1.0f);
            out[z] = static_cast<float>(byte & 31) < limit ? other[z] : from[z];
        }
        team.sync();
    }
};
OTF_FIELDS(ChangeShape, (labels)(alternates)(boundaries)(changed)(unevenness)(shifts)(map_shape)(first)(rows))

}  // namespace otfsynth
