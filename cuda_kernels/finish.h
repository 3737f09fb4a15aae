// The end: back to the working grid, mask, normalisation. Up-sampling is linear on voxel centres, so that nothing shifts.
#pragma once
#include "listing.h"
#include "statistics.h"
#include "visibility.h"

namespace otfsynth {

// Linear interpolation on one axis between inputs lower[i] and lower[i] + 1; null: the axis is left alone.
struct Linear {
    const i32* lower;
    const float* fraction;
    i32 inputs;
    i32 padding_;

    OTF_INLINE i32 first(i32 i) const { return lower ? lower[i] : i; }
    OTF_INLINE float share(i32 i) const { return lower ? fraction[i] : 0.0f; }
};
OTF_FIELDS(Linear, (lower)(fraction)(inputs))

// Back to the working grid, mask, statistics of what is not 0. Row operator; row = x * size_y + y of the patch.
struct Finish {
    const float* input;
    float* output;
    const u8* mask;  // null: keep everything
    Statistics* statistics;
    Linear linear[3];
    i32 size_[3];
    i32 padding_;
    Region region;

    OTF_INLINE i64 size() const { return static_cast<i64>(size_[0]) * size_[1]; }
    OTF_INLINE i64 scratch_floats() const { return Scratch::rounded(linear[2].inputs) + Scratch::rounded(size_[2]); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const i32 x = static_cast<i32>(row / size_[1]), y = static_cast<i32>(row % size_[1]);
        const Span span = region.span(row, size_[2]);
        float* out = output + row * size_[2];
        if (span.end - span.first < size_[2]) {
            for (i32 z = team.lane; z < span.first; z += team.lanes) out[z] = 0.0f;
            for (i32 z = span.end + team.lane; z < size_[2]; z += team.lanes) out[z] = 0.0f;
        }
        if (span.is_empty()) {
            if (team.lane == 0) statistics[row] = Statistics{HUGE_VALUE, -HUGE_VALUE, 0.0f, 0.0f, 0.0f, {0.0f, 0.0f, 0.0f}};
            return;
        }
        Scratch scratch{team.scratch};
        float* low = scratch.take(linear[2].inputs);
        const i32 end = linear[2].lower ? linear[2].lower[span.end - 1] + 2 : span.end;
        blend_rows(team, x, y, Span{linear[2].first(span.first), end < linear[2].inputs ? end : linear[2].inputs}, low);
        team.sync();
        if (linear[2].lower) {
            for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) {
                const float* pair = low + linear[2].lower[z];
                const float share = linear[2].fraction[z];
                out[z] = share > 0.0f ? (1.0f - share) * pair[0] + share * pair[1] : pair[0];
            }
        } else {
            OTF_VECTOR_LOOP
            for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) out[z] = low[z];
        }
        team.sync();
        summarise(team, row, span, out);
    }

    // The (at most four) rows around (x, y) of the acquired grid.
    template <class Team>
    OTF_INLINE void blend_rows(const Team& team, i32 x, i32 y, Span span, float* low) const {
        const i32 n = linear[2].inputs;
        const float fx = linear[0].share(x), fy = linear[1].share(y);
        const i64 next_x = fx > 0.0f ? static_cast<i64>(linear[1].inputs) * n : 0;
        const i64 next_y = fy > 0.0f ? n : 0;
        const float* a = input + (static_cast<i64>(linear[0].first(x)) * linear[1].inputs + linear[1].first(y)) * n;
        if (fx == 0.0f && fy == 0.0f) {
            OTF_VECTOR_LOOP
            for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) low[z] = a[z];
            return;
        }
        const float wa = (1.0f - fx) * (1.0f - fy), wb = (1.0f - fx) * fy, wc = fx * (1.0f - fy), wd = fx * fy;
        const float* b = a + next_y;
        const float* c = a + next_x;
        const float* d = c + next_y;
        OTF_VECTOR_LOOP
        for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) low[z] = wa * a[z] + wb * b[z] + wc * c[z] + wd * d[z];
    }

    template <class Team>
    OTF_INLINE void summarise(const Team& team, i64 row, Span span, float* out) const {
        const u8* mask_row = mask ? mask + row * size_[2] : nullptr;
        if (mask_row) {
            OTF_VECTOR_LOOP
            for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) out[z] = mask_row[z] ? out[z] : 0.0f;
        }
        float lowest = HUGE_VALUE, highest = -HUGE_VALUE, sum = 0.0f, squares = 0.0f, count = 0.0f;
        OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest) reduction(+ : sum, squares, count))
        for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) {
            const float value = out[z];
            const bool inside = value != 0.0f;
            lowest = smaller(lowest, inside ? value : HUGE_VALUE);
            highest = larger(highest, inside ? value : -HUGE_VALUE);
            sum += value;
            squares += value * value;
            count += inside ? 1.0f : 0.0f;
        }
        const Statistics all{team.lowest(lowest), team.highest(highest), team.sum(sum), team.sum(squares), team.sum(count),
                             {0.0f, 0.0f, 0.0f}};
        if (team.lane == 0) statistics[row] = all;
    }
};
OTF_FIELDS(Finish, (input)(output)(mask)(statistics)(linear)(size_)(region))

enum Normalization : i32 { NORMALIZE_ZSCORE = 1, NORMALIZE_MINMAX = 2 };

// Scale what is not 0; zeros stay. Row operator.
struct Normalize {
    float* image;
    const Statistics* statistics;
    i64 rows;
    i32 length;
    i32 mode;
    Region region;

    OTF_INLINE i64 size() const { return rows; }
    OTF_INLINE i64 scratch_floats() const { return 0; }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const Statistics s = *statistics;
        float offset = s.lowest;
        float scale = s.highest > s.lowest ? 1.0f / (s.highest - s.lowest) : 1.0f;
        if (mode == NORMALIZE_ZSCORE) {
            const double count = s.count > 0.0f ? s.count : 1.0;
            const double mean = s.sum / count;
            const float variance = static_cast<float>(s.sum_of_squares / count - mean * mean);
            offset = static_cast<float>(mean);
            scale = variance > 1e-12f ? 1.0f / square_root(variance) : 1.0f;
        }
        const Span span = region.span(row, length);
        float* values = image + row * length;
        OTF_VECTOR_LOOP
        for (i32 z = span.first + team.lane; z < span.end; z += team.lanes) {
            const float value = values[z];
            values[z] = value != 0.0f ? (value - offset) * scale : 0.0f;
        }
    }
};
OTF_FIELDS(Normalize, (image)(statistics)(rows)(length)(mode)(region))

}  // namespace otfsynth
