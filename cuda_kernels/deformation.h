// Where a patch voxel comes from: flip, affine and diffeomorphism, folded into one lattice of source coordinates.
//
// The velocity field v is a cubic B-spline on a control lattice. Its flow is computed on a lattice of 8 voxels by scaling
// and squaring (Arsigny et al. 2006): a midpoint step of length 2**-n, then n compositions, each evaluated by cubic
// splines whose coefficients the quasi-interpolant [1, -10, 54, -10, 1] / 36 gives (the series of de Boor and Fix 1973 to
// its second term, exact for cubics). The usual three taps would damp a field of 20-voxel control points by 3 %, these
// by 0.2 %. Splines reproduce affine maps exactly, so the affine costs nothing per voxel. Units: voxels. Displacements and
// their coefficients hold the three components of a node side by side.
#pragma once
#include "lattice.h"
#include "listing.h"

namespace otfsynth {

constexpr i32 SQUARINGS = 5;  // a midpoint start needs two steps fewer than Euler's seven for the same error
constexpr i32 FLOW_SPACING = 8;

OTF_INLINE void node_position(const i32 shape[3], i64 node, float origin, float point[3]) {
    const i32 k = static_cast<i32>(node % shape[2]);
    const i32 j = static_cast<i32>(node / shape[2] % shape[1]);
    const i32 i = static_cast<i32>(node / shape[2] / shape[1]);
    point[0] = origin + static_cast<float>(FLOW_SPACING * i);
    point[1] = origin + static_cast<float>(FLOW_SPACING * j);
    point[2] = origin + static_cast<float>(FLOW_SPACING * k);
}

// Displacement after the first 2**-n of the flow; index = flow node.
struct FlowStart {
    Lattice velocity;
    float* displacement;
    i32 shape[3];
    float origin;

    OTF_INLINE i64 size() const { return static_cast<i64>(shape[0]) * shape[1] * shape[2]; }
    OTF_INLINE void operator()(i64 node) const {
        const float step = 1.0f / static_cast<float>(1 << SQUARINGS);
        float point[3], v[3];
        node_position(shape, node, origin, point);
        evaluate(velocity, point, v);
        for (i32 axis = 0; axis < 3; ++axis) point[axis] += 0.5f * step * v[axis];
        evaluate(velocity, point, v);
        for (i32 axis = 0; axis < 3; ++axis) displacement[3 * node + axis] = step * v[axis];
    }
};
OTF_FIELDS(FlowStart, (velocity)(displacement)(shape)(origin))

// Spline coefficients of values at the nodes. Row operator; row = (x, y), a line of nodes along z.
struct QuasiInterpolate {
    static constexpr i32 EDGE = 6;  // floats of two nodes on either side of a line
    const float* values;
    float* coefficients;
    i32 shape[3];
    i32 padding_;

    OTF_INLINE i64 size() const { return static_cast<i64>(shape[0]) * shape[1]; }
    OTF_INLINE i64 scratch_floats() const { return 3LL * shape[2] + 2 * EDGE; }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const float taps[5] = {1.0f / 36.0f, -10.0f / 36.0f, 54.0f / 36.0f, -10.0f / 36.0f, 1.0f / 36.0f};
        const i32 nx = shape[0], ny = shape[1], n = 3 * shape[2];
        const i32 y = static_cast<i32>(row % ny), x = static_cast<i32>(row / ny);
        const float* in = values + row * n;
        const float* lines[25];
        float weights[25];
        for (i32 a = 0; a < 5; ++a) {
            for (i32 b = 0; b < 5; ++b) {
                const i32 dx = clamp_index(x + a - 2, 0, nx - 1) - x, dy = clamp_index(y + b - 2, 0, ny - 1) - y;
                lines[5 * a + b] = in + (static_cast<i64>(dx) * ny + dy) * n;
                weights[5 * a + b] = taps[a] * taps[b];
            }
        }
        float* across = team.scratch + EDGE;
        OTF_VECTOR_LOOP
        for (i32 f = team.lane; f < n; f += team.lanes) {
            float sum = 0.0f;
            OTF_UNROLL
            for (i32 tap = 0; tap < 25; ++tap) sum += weights[tap] * lines[tap][f];
            across[f] = sum;
        }
        team.sync();
        for (i32 f = team.lane; f < EDGE; f += team.lanes) {  // the outermost nodes repeat
            across[f - EDGE] = across[f % 3];
            across[n + f] = across[n - 3 + f % 3];
        }
        team.sync();
        float* out = coefficients + row * n;
        OTF_VECTOR_LOOP
        for (i32 f = team.lane; f < n; f += team.lanes) {
            const float outer = across[f - 6] + across[f + 6], inner = across[f - 3] + across[f + 3];
            out[f] = taps[0] * outer + taps[1] * inner + taps[2] * across[f];
        }
        team.sync();
    }
};
OTF_FIELDS(QuasiInterpolate, (values)(coefficients)(shape))

// One squaring: u(p) <- u(p) + u(p + u(p)); index = flow node.
struct FlowSquare {
    Lattice flow;
    float* displacement;

    OTF_INLINE i64 size() const { return flow.nodes(); }
    OTF_INLINE void operator()(i64 node) const {
        float point[3], further[3];
        node_position(flow.shape, node, flow.origin, point);
        for (i32 axis = 0; axis < 3; ++axis) point[axis] += displacement[3 * node + axis];
        evaluate(flow, point, further);
        for (i32 axis = 0; axis < 3; ++axis) displacement[3 * node + axis] += further[axis];
    }
};
OTF_FIELDS(FlowSquare, (flow)(displacement))

// Source coordinates as planar spline coefficients: offset + matrix (p + flow); index = flow node. No flow: null.
struct SourceLattice {
    const float* flow;
    float* coefficients;
    float matrix[9];
    float offset[3];
    i32 shape[3];
    float origin;

    OTF_INLINE i64 size() const { return static_cast<i64>(shape[0]) * shape[1] * shape[2]; }
    OTF_INLINE void operator()(i64 node) const {
        float p[3];
        node_position(shape, node, origin, p);
        if (flow) {
            for (i32 axis = 0; axis < 3; ++axis) p[axis] += flow[3 * node + axis];
        }
        for (i32 row = 0; row < 3; ++row) {
            const float* m = matrix + 3 * row;
            coefficients[row * size() + node] = offset[row] + m[0] * p[0] + m[1] * p[1] + m[2] * p[2];
        }
    }
};
OTF_FIELDS(SourceLattice, (flow)(coefficients)(matrix)(offset)(shape)(origin))

}  // namespace otfsynth
