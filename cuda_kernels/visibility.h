// What of a sample can be seen: everything else need not be computed.
//
// A stripped or cropped sample is exactly 0 over most of the patch. For every column of 8 x 8 rows this finds a span along
// z outside which the mask is 0 for certain; each later pass computes, of each row, what a voxel in such a span depends
// on. Bounds, not estimates: a spline over a part of a cell lies between its Bezier coefficients there (Farin 2002,
// "Curves and surfaces for CAGD", convex hull property), and labels and distances are bounded by blocks of the map.
#pragma once
#include "cut.h"
#include "listing.h"
#include "statistics.h"

namespace otfsynth {

constexpr i32 SEEN_CELL = 8;   // voxels of the patch
constexpr i32 MAP_BLOCK = 4;   // voxels of the label map
constexpr i32 SPAN_STEP = 16;  // spans begin and end on whole vectors

// The part of a grid that anything visible depends on; no columns: all of it. A sample i of an axis lies at voxel
// `origin + step * i` of the patch, and counts where a voxel within `reach` of it can be seen.
struct Region {
    const i32* columns;  // (columns[0], columns[1], 2): first voxel along z and one beyond the last
    i32 columns_xy[2];
    i32 rows_y;          // rows of a slice of the grid
    float origin[3];
    float step[3];
    float reach[3];

    OTF_INLINE Span span(i64 row, i32 n) const {
        if (!columns) return Span{0, n};
        const Span x = cells(0, static_cast<i32>(row / rows_y)), y = cells(1, static_cast<i32>(row % rows_y));
        i32 first = 1 << 30, end = 0;
        for (i32 i = x.first; i < x.end; ++i) {
            for (i32 j = y.first; j < y.end; ++j) {
                const i32* column = columns + 2 * (i * columns_xy[1] + j);
                if (column[0] >= column[1]) continue;
                first = column[0] < first ? column[0] : first;
                end = column[1] > end ? column[1] : end;
            }
        }
        if (first >= end) return Span{0, 0};
        const float low = (static_cast<float>(first) - reach[2] - origin[2]) / step[2] - 0.01f;
        const float high = (static_cast<float>(end - 1) + reach[2] - origin[2]) / step[2] + 0.01f;
        const i32 from = static_cast<i32>(larger(low, 0.0f)) / SPAN_STEP * SPAN_STEP;
        const i32 to = (static_cast<i32>(larger(high, 0.0f)) + SPAN_STEP) / SPAN_STEP * SPAN_STEP;
        return Span{from, to < n ? to : n};
    }

    // Columns of the patch that sample `index` of an axis counts for.
    OTF_INLINE Span cells(i32 axis, i32 index) const {
        const float place = origin[axis] + step[axis] * static_cast<float>(index), far = reach[axis] + 0.01f;
        const i32 first = static_cast<i32>(larger(place - far, 0.0f)) / SEEN_CELL;
        const i32 last = static_cast<i32>(larger(place + far, 0.0f)) / SEEN_CELL;
        return Span{first, (last < columns_xy[axis] - 1 ? last : columns_xy[axis] - 1) + 1};
    }
};
OTF_FIELDS(Region, (columns)(columns_xy)(rows_y)(origin)(step)(reach))

// Least distance of each block of the map, 255 standing for voxels that are never seen. Row operator; row = (x, y) of the
// blocks.
struct MapBlocks {
    const u8* distances;  // null: 0 everywhere
    const u8* labels;     // null: background can be seen too
    u8* blocks;
    i32 map_shape[3];
    i32 shape[3];         // map_shape / MAP_BLOCK, rounded up

    OTF_INLINE i64 size() const { return static_cast<i64>(shape[0]) * shape[1]; }
    OTF_INLINE i64 scratch_floats() const { return Scratch::rounded((map_shape[2] + 3) / 4 + 1); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const i32 nx = map_shape[0], ny = map_shape[1], nz = map_shape[2];
        const i32 x0 = static_cast<i32>(row / shape[1]) * MAP_BLOCK, y0 = static_cast<i32>(row % shape[1]) * MAP_BLOCK;
        u8* least = reinterpret_cast<u8*>(team.scratch);
        for (i32 z = team.lane; z < nz; z += team.lanes) least[z] = 255;
        for (i32 x = x0; x < x0 + MAP_BLOCK && x < nx; ++x) {
            for (i32 y = y0; y < y0 + MAP_BLOCK && y < ny; ++y) {
                const i64 start = (static_cast<i64>(x) * ny + y) * nz;
                const u8 *distance = distances + (distances ? start : 0), *label = labels + (labels ? start : 0);
                if (distances && labels) {
                    OTF_VECTOR_LOOP
                    for (i32 z = team.lane; z < nz; z += team.lanes) {
                        const u8 here = label[z] != 0 ? distance[z] : static_cast<u8>(255);
                        least[z] = here < least[z] ? here : least[z];
                    }
                } else if (distances) {
                    OTF_VECTOR_LOOP
                    for (i32 z = team.lane; z < nz; z += team.lanes) least[z] = distance[z] < least[z] ? distance[z] : least[z];
                } else {
                    OTF_VECTOR_LOOP
                    for (i32 z = team.lane; z < nz; z += team.lanes) least[z] = labels && label[z] == 0 ? least[z] : 0;
                }
            }
        }
        team.sync();
        u8* out = blocks + row * shape[2];
        for (i32 k = team.lane; k < shape[2]; k += team.lanes) {
            u8 lowest = 255;
            for (i32 z = MAP_BLOCK * k; z < MAP_BLOCK * (k + 1) && z < nz; ++z) lowest = least[z] < lowest ? least[z] : lowest;
            out[k] = lowest;
        }
        team.sync();
    }
};
OTF_FIELDS(MapBlocks, (distances)(labels)(blocks)(map_shape)(shape))

// Bezier coefficients over [low, high] of a cell from its four spline coefficients: their blossom (Ramshaw 1989).
OTF_INLINE void bezier_weights(float low, float high, float weights[4][4]) {
    for (i32 k = 0; k < 4; ++k) {
        const float t0 = k > 2 ? high : low, t1 = k > 1 ? high : low, t2 = k > 0 ? high : low;
        const float a = (t0 + 2.0f) / 3.0f, b = (t0 + 1.0f) / 3.0f, c = t0 / 3.0f, d = (t1 + 1.0f) / 2.0f, e = t1 / 2.0f;
        const float before = 1.0f - t2;
        weights[k][0] = before * (1.0f - d) * (1.0f - a);
        weights[k][1] = before * ((1.0f - d) * a + d * (1.0f - b)) + t2 * (1.0f - e) * (1.0f - b);
        weights[k][2] = before * d * b + t2 * ((1.0f - e) * b + e * (1.0f - c));
        weights[k][3] = t2 * e * c;
    }
}

// Span along z that can be seen of each column of 8 x 8 rows. Row operator; row = (x, y) of the columns.
struct SeeColumns {
    RowLattice source;   // 3 components
    Cut cut;             // what is left of it where it is off: everything
    const u8* blocks;    // of MapBlocks
    i32* columns;
    i32 map_shape[3];
    i32 block_shape[3];
    i32 length;          // voxels of a row of the patch
    i32 columns_xy[2];
    float margin;        // voxels of the map by which voxels may come from beyond their spline's bounds

    OTF_INLINE i64 size() const { return static_cast<i64>(columns_xy[0]) * columns_xy[1]; }
    OTF_INLINE i32 cells() const { return (length + SEEN_CELL - 1) / SEEN_CELL; }
    OTF_INLINE i32 nodes() const {
        const i32 most = source.shape[2] > cut.edge.shape[2] ? source.shape[2] : cut.edge.shape[2];
        return Scratch::rounded(most) + 16;
    }
    OTF_INLINE i64 scratch_floats() const { return 32LL * nodes() + 8LL * Scratch::rounded(cells() + 16) + Scratch::rounded(cells()); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const i32 x = static_cast<i32>(row / columns_xy[1]), y = static_cast<i32>(row % columns_xy[1]);
        Scratch scratch{team.scratch};
        float* across = scratch.take(32 * nodes());
        float *low[4], *high[4];
        for (i32 field = 0; field < 4; ++field) {
            low[field] = scratch.take(cells() + 16);
            high[field] = scratch.take(cells() + 16);
        }
        i32* seen = reinterpret_cast<i32*>(scratch.take(cells()));
        const bool in_view = cut.view_end[0] == 0 || (meets(0, x) && meets(1, y));
        if (!in_view) {
            if (team.lane == 0) columns[2 * row] = columns[2 * row + 1] = 0;
            return;
        }
        for (i32 component = 0; component < 3; ++component) bound(team, source, component, x, y, across, low[component], high[component]);
        if (cut.edge.coefficients) bound(team, cut.edge, 0, x, y, across, low[3], high[3]);
        for (i32 cell = team.lane; cell < cells(); cell += team.lanes) {
            const bool inside = cut.view_end[0] == 0 || meets(2, cell);
            seen[cell] = inside && visible(low, high, cell) ? 1 : 0;
        }
        team.sync();
        if (team.lane == 0) {
            i32 first = 0, end = cells();
            while (first < end && !seen[first]) ++first;
            while (end > first && !seen[end - 1]) --end;
            columns[2 * row] = SEEN_CELL * first;
            columns[2 * row + 1] = SEEN_CELL * end < length ? SEEN_CELL * end : length;
        }
        team.sync();
    }

    OTF_INLINE bool meets(i32 axis, i32 cell) const {
        return SEEN_CELL * cell < cut.view_end[axis] && SEEN_CELL * (cell + 1) > cut.view_first[axis];
    }

    // Bounds of a field in each cell of the column.
    template <class Team>
    OTF_INLINE void bound(const Team& team, const RowLattice& lattice, i32 component, i32 x, i32 y, float* across, float* low,
                          float* high) const {
        const i32 spacing = lattice.spacing, stride = nodes(), nx = lattice.shape[0], ny = lattice.shape[1], nz = lattice.shape[2];
        const i32 i = SEEN_CELL * x / spacing, j = SEEN_CELL * y / spacing;
        const float inverse = 1.0f / static_cast<float>(spacing);
        float wx[4][4], wy[4][4], wz[4][4];
        const float start_x = static_cast<float>(SEEN_CELL * x - i * spacing), start_y = static_cast<float>(SEEN_CELL * y - j * spacing);
        bezier_weights(start_x * inverse, (start_x + SEEN_CELL - 1) * inverse, wx);
        bezier_weights(start_y * inverse, (start_y + SEEN_CELL - 1) * inverse, wy);
        const i32 first_x = component * nx + i + lattice.margin - 1, first_y = j + lattice.margin - 1;
        const i32 padded = Scratch::rounded(nz);
        float* both = across + 16 * stride;
        for (i32 a = 0; a < 4; ++a) {
            const float* rows = lattice.coefficients + (static_cast<i64>(first_x + a) * ny + first_y) * nz;
            for (i32 k = 0; k < 4; ++k) {
                const float w0 = wy[k][0], w1 = wy[k][1], w2 = wy[k][2], w3 = wy[k][3];
                float* out = across + (4 * a + k) * stride;
                OTF_VECTOR_LOOP
                for (i32 z = team.lane; z < padded; z += team.lanes) out[z] = w0 * rows[z] + w1 * rows[nz + z] + w2 * rows[2 * nz + z] + w3 * rows[3 * nz + z];
            }
        }
        team.sync();
        for (i32 k = 0; k < 4; ++k) {
            for (i32 b = 0; b < 4; ++b) {
                const float w0 = wx[k][0], w1 = wx[k][1], w2 = wx[k][2], w3 = wx[k][3];
                const float *r0 = across + b * stride, *r1 = r0 + 4 * stride, *r2 = r1 + 4 * stride, *r3 = r2 + 4 * stride;
                float* out = both + (4 * k + b) * stride;
                OTF_VECTOR_LOOP
                for (i32 z = team.lane; z < padded; z += team.lanes) out[z] = w0 * r0[z] + w1 * r1[z] + w2 * r2[z] + w3 * r3[z];
            }
        }
        team.sync();
        const i32 parts = spacing / SEEN_CELL, whole = (cells() + parts - 1) / parts;
        for (i32 part = 0; part < parts; ++part) {
            const float start_z = static_cast<float>(SEEN_CELL * part);
            bezier_weights(start_z * inverse, (start_z + SEEN_CELL - 1) * inverse, wz);
            for (i32 m = team.lane; m < whole; m += team.lanes) {
                if (m * parts + part < cells()) extremes(both + m + lattice.margin - 1, stride, wz, low[m * parts + part], high[m * parts + part]);
            }
        }
        team.sync();
    }

    static OTF_INLINE void extremes(const float* taps, i32 stride, const float w[4][4], float& low, float& high) {
        float least = HUGE_VALUE, most = -HUGE_VALUE;
        for (i32 corner = 0; corner < 16; ++corner) {
            const float* c = taps + corner * stride;
            OTF_UNROLL
            for (i32 k = 0; k < 4; ++k) {
                const float value = w[k][0] * c[0] + w[k][1] * c[1] + w[k][2] * c[2] + w[k][3] * c[3];
                least = smaller(least, value);
                most = larger(most, value);
            }
        }
        low = least;
        high = most;
    }

    // Whether any block of the map that the cell looks into lies below the edge.
    OTF_INLINE bool visible(float* const low[4], float* const high[4], i32 cell) const {
        i32 first[3], last[3];
        for (i32 axis = 0; axis < 3; ++axis) {
            const float most = static_cast<float>(map_shape[axis] - 1);
            first[axis] = static_cast<i32>(clamp(low[axis][cell] - margin, 0.0f, most) + 0.5f) / MAP_BLOCK;
            last[axis] = static_cast<i32>(clamp(high[axis][cell] + margin, 0.0f, most) + 0.5f) / MAP_BLOCK;
        }
        const float bumps = cut.edge.coefficients ? high[3][cell] + 0.01f : 0.0f;
        const float limit = cut.strip ? 128.0f + 8.0f * (cut.edge_offset + bumps) + 0.01f : 255.0f;
        for (i32 i = first[0]; i <= last[0]; ++i) {
            for (i32 j = first[1]; j <= last[1]; ++j) {
                const u8* line = blocks + (static_cast<i64>(i) * block_shape[1] + j) * block_shape[2];
                for (i32 k = first[2]; k <= last[2]; ++k) {
                    if (static_cast<float>(line[k]) < limit) return true;
                }
            }
        }
        return false;
    }
};
OTF_FIELDS(SeeColumns, (source)(cut)(blocks)(columns)(map_shape)(block_shape)(length)(columns_xy)(margin))

}  // namespace otfsynth
