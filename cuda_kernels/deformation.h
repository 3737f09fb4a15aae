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

// Spline coefficients of values at the nodes; index = (component, x, y), a line of nodes along z.
struct QuasiInterpolate {
    const float* values;
    float* coefficients;
    i32 shape[3];
    i32 padding_;

    OTF_INLINE i64 size() const { return 3LL * shape[0] * shape[1]; }
    OTF_INLINE void operator()(i64 line) const {
        const float side = -1.0f / 6.0f, middle = 4.0f / 3.0f;
        const i32 ny = shape[1], nz = shape[2];
        const i32 j = static_cast<i32>(line % ny), i = static_cast<i32>(line / ny % shape[0]);
        const i64 below = j > 0 ? -nz : 0, above = j < ny - 1 ? nz : 0;
        const i64 before = i > 0 ? -static_cast<i64>(ny) * nz : 0, behind = i < shape[0] - 1 ? static_cast<i64>(ny) * nz : 0;
        const float* in = values + line * nz;
        float* out = coefficients + line * nz;
        // Across the line first; the three sums of a node are needed by its neighbours and roll along.
        float last = across(in, 0, before, behind, below, above);
        float here = last;
        for (i32 k = 0; k < nz; ++k) {
            const float next = k + 1 < nz ? across(in, k + 1, before, behind, below, above) : here;
            out[k] = side * (last + next) + middle * here;
            last = here;
            here = next;
        }
    }

    static OTF_INLINE float across(const float* in, i32 k, i64 before, i64 behind, i64 below, i64 above) {
        const float side = -1.0f / 6.0f, middle = 4.0f / 3.0f;
        const float* first = in + before + k;
        const float* centre = in + k;
        const float* second = in + behind + k;
        const float a = side * (first[below] + first[above]) + middle * first[0];
        const float b = side * (centre[below] + centre[above]) + middle * centre[0];
        const float c = side * (second[below] + second[above]) + middle * second[0];
        return side * (a + c) + middle * b;
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
