// Cubic B-spline lattices: evaluated at any point (one node, 64 taps) and along a row (4 taps a voxel).
//
// Node j lies at `origin + spacing * j` voxels; outside, the field continues the outermost cell's edge. Lattices that are
// evaluated along rows are planar (component, x, y, z); those evaluated at points hold the three components of a node side
// by side (x, y, z, component), so that four nodes of a line are one vector. Unser 1999, "Splines: a perfect fit for
// signal and image processing".
#pragma once
#include "listing.h"
#include "philox.h"
#include "portable.h"

namespace otfsynth {

struct Lattice {
    const float* coefficients;
    i32 shape[3];
    float origin;
    float spacing;
    i32 padding_;

    OTF_INLINE i32 nodes() const { return shape[0] * shape[1] * shape[2]; }
};
OTF_FIELDS(Lattice, (coefficients)(shape)(origin)(spacing))

OTF_INLINE void spline_weights(float f, float w[4]) {
    const float g = 1.0f - f;
    w[0] = g * g * g * (1.0f / 6.0f);
    w[1] = (3.0f * f * f * f - 6.0f * f * f + 4.0f) * (1.0f / 6.0f);
    w[2] = (-3.0f * f * f * f + 3.0f * f * f + 3.0f * f + 1.0f) * (1.0f / 6.0f);
    w[3] = f * f * f * (1.0f / 6.0f);
}

// Cell and weights of a coordinate on one axis; the first of the four taps is returned.
OTF_INLINE i32 spline_cell(float position, float origin, float spacing, i32 nodes, float w[4]) {
    const float t = clamp((position - origin) / spacing, 1.0f, static_cast<float>(nodes - 2) - 1e-4f);
    const i32 cell = static_cast<i32>(t);
    spline_weights(t - static_cast<float>(cell), w);
    return cell - 1;
}

// Three components at one point: four nodes along z are 12 floats. A CPU reads 16, whole vectors; the last four belong to
// the next node or to the buffer's slack, and are not used.
OTF_INLINE void evaluate(const Lattice& lattice, const float point[3], float out[3]) {
#ifdef OTF_DEVICE_CODE
    constexpr i32 FLOATS = 12;
#else
    constexpr i32 FLOATS = 16;
#endif
    float wx[4], wy[4], wz[4];
    const i32 i = spline_cell(point[0], lattice.origin, lattice.spacing, lattice.shape[0], wx);
    const i32 j = spline_cell(point[1], lattice.origin, lattice.spacing, lattice.shape[1], wy);
    const i32 k = spline_cell(point[2], lattice.origin, lattice.spacing, lattice.shape[2], wz);
    const i64 line = 3LL * lattice.shape[2];
    const float* corner = lattice.coefficients + (static_cast<i64>(i) * lattice.shape[1] + j) * line + 3 * k;
    float sums[FLOATS] = {};
    OTF_UNROLL
    for (i32 a = 0; a < 4; ++a) {
        OTF_UNROLL
        for (i32 b = 0; b < 4; ++b) {
            const float* taps = corner + (static_cast<i64>(a) * lattice.shape[1] + b) * line;
            const float weight = wx[a] * wy[b];
            OTF_VECTOR_LOOP
            for (i32 f = 0; f < FLOATS; ++f) sums[f] += weight * taps[f];
        }
    }
    for (i32 c = 0; c < 3; ++c) out[c] = wz[0] * sums[c] + wz[1] * sums[3 + c] + wz[2] * sums[6 + c] + wz[3] * sums[9 + c];
}

// A lattice whose cells are a whole number of voxels and start on voxel 0, for evaluation along rows. Cells of a multiple
// of 8 voxels are evaluated without waste; smaller ones compute 8 voxels each, all but the first of which the next cell
// overwrites.
struct RowLattice {
    const float* coefficients;
    i32 shape[3];
    i32 spacing;  // voxels: a multiple of 8, or 2 or 4
    i32 margin;   // the node at voxel 0, at least 1
    i32 padding_;
};
OTF_FIELDS(RowLattice, (coefficients)(shape)(spacing)(margin))

// Sum the 16 taps across the row once: `column[k]` are then spline coefficients along z.
template <class Team>
OTF_INLINE void collapse_row(const Team& team, const RowLattice& lattice, i32 component, i32 x, i32 y, float* column) {
    float wx[4], wy[4];
    const float inverse = 1.0f / static_cast<float>(lattice.spacing);
    const i32 i = x / lattice.spacing, j = y / lattice.spacing;
    spline_weights(static_cast<float>(x - i * lattice.spacing) * inverse, wx);
    spline_weights(static_cast<float>(y - j * lattice.spacing) * inverse, wy);
    const i32 nx = lattice.shape[0], ny = lattice.shape[1], nz = lattice.shape[2];
    const i32 first_x = component * nx + i + lattice.margin - 1, first_y = j + lattice.margin - 1;
    const float* corner = lattice.coefficients + (static_cast<i64>(first_x) * ny + first_y) * nz;
    const i64 slice = static_cast<i64>(ny) * nz;
    // Whole vectors: the last one may read up to 15 floats beyond the row, which the buffer's slack allows.
#ifdef OTF_DEVICE_CODE
    constexpr i32 WIDTH = 1;
#else
    constexpr i32 WIDTH = 16;  // known to the compiler, so that it keeps to whole vectors
#endif
    for (i32 block = WIDTH * team.lane; block < nz; block += WIDTH * team.lanes) {
        float sums[WIDTH] = {};
        OTF_UNROLL
        for (i32 a = 0; a < 4; ++a) {
            OTF_UNROLL
            for (i32 b = 0; b < 4; ++b) {
                const float* taps = corner + a * slice + b * nz + block;
                const float weight = wx[a] * wy[b];
                OTF_VECTOR_LOOP
                for (i32 k = 0; k < WIDTH; ++k) sums[k] += weight * taps[k];
            }
        }
        for (i32 k = 0; k < WIDTH; ++k) column[block + k] = sums[k];
    }
}

// Spline in one cell as a cubic in f in [0, 1): p[0] + f (p[1] + f (p[2] + f p[3])).
OTF_INLINE void cell_polynomial(const float* c, float& p0, float& p1, float& p2, float& p3) {
    p0 = (c[0] + 4.0f * c[1] + c[2]) * (1.0f / 6.0f);
    p1 = (c[2] - c[0]) * 0.5f;
    p2 = (c[0] - 2.0f * c[1] + c[2]) * 0.5f;
    p3 = (c[3] - c[0] + 3.0f * (c[1] - c[2])) * (1.0f / 6.0f);
}

// Floats that `expand_row` needs for a row of at most `nodes` nodes: the column, and four coefficients a cell.
OTF_INLINE i32 column_floats(i32 nodes) { return 5 * (Scratch::rounded(nodes) + 16); }

// Evaluate a collapsed row at voxels first .. first + n - 1; `first` is a multiple of 8. `out` must hold `expanded_floats`.
template <class Team>
OTF_INLINE void expand_row(const Team& team, const RowLattice& lattice, float* column, i32 first, i32 n, float* out) {
    const float inverse = 1.0f / static_cast<float>(lattice.spacing);
#ifdef OTF_DEVICE_CODE
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const i32 cell = (first + z) / lattice.spacing;
        float p0, p1, p2, p3;
        cell_polynomial(column + cell + lattice.margin - 1, p0, p1, p2, p3);
        const float f = static_cast<float>(first + z - cell * lattice.spacing) * inverse;
        out[z] = p0 + f * (p1 + f * (p2 + f * p3));
    }
#else
    // Whole blocks of 8 voxels share a cell, so its polynomial is broadcast and nothing is gathered.
    (void)team;
    const i32 begin = first / lattice.spacing, cells = (first + n + lattice.spacing - 1) / lattice.spacing;
    const i32 stride = Scratch::rounded(lattice.shape[2]) + 16;
    float* p0 = column + stride;
    float* p1 = p0 + stride;
    float* p2 = p1 + stride;
    float* p3 = p2 + stride;
    const float* taps = column + lattice.margin - 1;
    const i32 padded = Scratch::rounded(cells);
    OTF_VECTOR_LOOP
    for (i32 cell = 0; cell < padded; ++cell) cell_polynomial(taps + cell, p0[cell], p1[cell], p2[cell], p3[cell]);
    if (lattice.spacing == 8) {  // the source coordinates' own: nothing but the polynomial is left
        float* voxels = out;
        for (i32 cell = begin; cell < cells; ++cell, voxels += 8) {
            const float a = p0[cell], b = p1[cell], c = p2[cell], d = p3[cell];
            OTF_VECTOR_LOOP
            for (i32 v = 0; v < 8; ++v) {
                const float f = static_cast<float>(v) * 0.125f;
                voxels[v] = a + f * (b + f * (c + f * d));
            }
        }
        return;
    }
    for (i32 cell = begin; cell < cells; ++cell) {
        const float a = p0[cell], b = p1[cell], c = p2[cell], d = p3[cell];
        const i32 start_voxel = cell * lattice.spacing - first;
        for (i32 block = start_voxel < 0 ? -start_voxel : 0; block < lattice.spacing && start_voxel + block < n; block += 8) {
            float* voxels = out + start_voxel + block;
            const float start = static_cast<float>(block);
            OTF_VECTOR_LOOP
            for (i32 v = 0; v < 8; ++v) {
                const float f = (start + static_cast<float>(v)) * inverse;
                voxels[v] = a + f * (b + f * (c + f * d));
            }
        }
    }
#endif
}

OTF_INLINE i32 whole_cells(i32 n, i32 spacing) { return (n + spacing - 1) / spacing * spacing; }

// Floats that `expand_row` may write for a row of n voxels.
OTF_INLINE i32 expanded_floats(i32 n, i32 spacing) { return whole_cells(n, spacing) + (spacing < 8 ? 8 - spacing : 0); }

// Normal coefficients of a random lattice; index = quad of four numbers, counted as planar coefficients are.
struct LatticeNoise {
    float* coefficients;
    i64 count;
    RandomKey key;
    float std;
    i32 interleaved;  // nodes of one component where the components of a node shall stand side by side; 0: planar

    OTF_INLINE i64 size() const { return (count + 3) / 4; }
    OTF_INLINE void operator()(i64 quad) const {
        float n[4];
        normal_quad(random_words(key, static_cast<u64>(quad)), n[0], n[1], n[2], n[3]);
        for (i64 w = 0; w < 4 && 4 * quad + w < count; ++w) coefficients[place(4 * quad + w)] = std * n[w];
    }
    OTF_INLINE i64 place(i64 number) const {
        if (interleaved == 0) return number;
        return number % interleaved * (count / interleaved) + number / interleaved;
    }
};
OTF_FIELDS(LatticeNoise, (coefficients)(count)(key)(std)(interleaved))

}  // namespace otfsynth
