// Where a patch voxel comes from: flip, affine and diffeomorphism, folded into one lattice of source coordinates.
//
// The velocity field v is a cubic B-spline on a control lattice. Its flow is computed on a lattice of 8 voxels by scaling
// and squaring (Arsigny et al. 2006): a midpoint step of length 2**-n, then n compositions, each evaluated by cubic
// splines whose coefficients the quasi-interpolant [-1/6, 4/3, -1/6] gives (de Boor and Fix 1973; fourth order, and exact
// for cubics). Splines reproduce affine maps exactly, so the affine costs nothing per voxel. Units: voxels.
#pragma once
#include "lattice.h"

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
        for (i32 axis = 0; axis < 3; ++axis) displacement[axis * size() + node] = step * v[axis];
    }
};

// Spline coefficients of values at the nodes; index = node of one component.
struct QuasiInterpolate {
    const float* values;
    float* coefficients;
    i32 shape[3];
    i32 padding_;

    OTF_INLINE i64 size() const { return 3LL * shape[0] * shape[1] * shape[2]; }
    OTF_INLINE void operator()(i64 index) const {
        const float taps[3] = {-1.0f / 6.0f, 4.0f / 3.0f, -1.0f / 6.0f};
        const i64 nodes = size() / 3;
        const i64 node = index % nodes;
        const float* component = values + index / nodes * nodes;
        const i32 k = static_cast<i32>(node % shape[2]);
        const i32 j = static_cast<i32>(node / shape[2] % shape[1]);
        const i32 i = static_cast<i32>(node / shape[2] / shape[1]);
        const i32 zs[3] = {clamp_index(k - 1, 0, shape[2] - 1), k, clamp_index(k + 1, 0, shape[2] - 1)};
        float sum = 0.0f;
        for (i32 a = 0; a < 3; ++a) {
            const i32 x = clamp_index(i + a - 1, 0, shape[0] - 1);
            for (i32 b = 0; b < 3; ++b) {
                const i32 y = clamp_index(j + b - 1, 0, shape[1] - 1);
                const float* row = component + (static_cast<i64>(x) * shape[1] + y) * shape[2];
                const float line = taps[0] * (row[zs[0]] + row[zs[2]]) + taps[1] * row[zs[1]];
                sum += taps[a] * taps[b] * line;
            }
        }
        coefficients[index] = sum;
    }
};

// One squaring: u(p) <- u(p) + u(p + u(p)); index = flow node.
struct FlowSquare {
    Lattice flow;
    float* displacement;

    OTF_INLINE i64 size() const { return flow.nodes(); }
    OTF_INLINE void operator()(i64 node) const {
        float point[3], further[3];
        node_position(flow.shape, node, flow.origin, point);
        for (i32 axis = 0; axis < 3; ++axis) point[axis] += displacement[axis * size() + node];
        evaluate(flow, point, further);
        for (i32 axis = 0; axis < 3; ++axis) displacement[axis * size() + node] += further[axis];
    }
};

// Source coordinates as spline coefficients: offset + matrix (p + flow); index = flow node. No flow: null.
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
            for (i32 axis = 0; axis < 3; ++axis) p[axis] += flow[axis * size() + node];
        }
        for (i32 row = 0; row < 3; ++row) {
            const float* m = matrix + 3 * row;
            coefficients[row * size() + node] = offset[row] + m[0] * p[0] + m[1] * p[1] + m[2] * p[2];
        }
    }
};

}  // namespace otfsynth
