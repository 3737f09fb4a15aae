// The part of a row of the patch that a pass works on, and smooth fields along it.
#pragma once
#include "lattice.h"

namespace otfsynth {

// Voxels `first` to `first + count - 1` of row (x, y); `start` is the place of the first one in the volume.
struct Part {
    i64 row;
    i64 start;
    i32 x;
    i32 y;
    i32 first;
    i32 count;

    static OTF_INLINE Part of(i64 row, const i32 size[3], Span span) {
        const i32 x = static_cast<i32>(row / size[1]), y = static_cast<i32>(row % size[1]);
        return Part{row, row * size[2] + span.first, x, y, span.first, span.end - span.first};
    }

    // What of it lies in a span as well; a count of 0 where nothing does.
    OTF_INLINE Part within(Span span) const {
        const i32 begin = span.first > first ? span.first : first;
        const i32 most = first + count, end = span.end < most ? span.end : most;
        if (begin >= end) return Part{row, start, x, y, first, 0};
        return Part{row, start + begin - first, x, y, begin, end - begin};
    }
};

// One component of a field; `column` is working memory of `column_floats`, `out` holds `expanded_floats`.
template <class Team>
OTF_STEP void spline_row(const Team& team, const RowLattice& lattice, i32 component, const Part& part, float* column, float* out) {
    team.sync();  // the column may still be read for the last component
    collapse_row(team, lattice, component, part.x, part.y, column);
    team.sync();
    expand_row(team, lattice, column, part.first, part.count, out);
}

}  // namespace otfsynth
