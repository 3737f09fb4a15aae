// The scanner: gamma, point spread function and sampling of each axis, Rician noise, back to the working grid, mask.
//
// Down: each low-resolution sample is a normalised Gaussian average, never cut below four standard deviations. Noise is
// added where a scanner adds it, on the acquired grid. Up: linear, on voxel centres, so that nothing shifts.
#pragma once
#include "philox.h"
#include "statistics.h"

namespace otfsynth {

// A banded matrix along one axis: output j = sum over t < taps of weight(t, j) * input[starts[j] + t]; weights of taps
// outside the input are 0. With `unit_stride`, starts[j] = starts[0] + j and the loops run along outputs, so weights are
// stored (taps, outputs); else along taps, and they are stored (outputs, taps).
struct Band {
    const i32* starts;
    const float* weights;
    i32 outputs;
    i32 taps;
    i32 unit_stride;
    i32 padding_;

    OTF_INLINE float weight(i32 t, i32 j) const { return weights[unit_stride ? t * outputs + j : j * taps + t]; }
};

// ((value - lowest) / (highest - lowest))**exponent; no statistics: leaves the values alone.
struct GammaCurve {
    const Statistics* statistics;
    float exponent;
    i32 padding_;
};

// Along z, the contiguous axis, after the gamma curve. Row operator; row = x * size_y + y.
struct ResampleAlongRow {
    const float* input;
    float* output;
    Band band;
    GammaCurve gamma;
    i64 rows;
    i32 length;   // of an input row
    i32 before;   // zeros in front of the row in scratch memory, at least -starts[0]
    i32 after;
    i32 padding_;

    OTF_INLINE i64 size() const { return rows; }
    OTF_INLINE i64 scratch_floats() const { return Scratch::rounded(before + length + after) + Scratch::rounded(band.outputs); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        Scratch scratch{team.scratch};
        float* padded = scratch.take(before + length + after);
        for (i32 i = team.lane; i < before; i += team.lanes) padded[i] = 0.0f;
        for (i32 i = team.lane; i < after; i += team.lanes) padded[before + length + i] = 0.0f;
        load(team, input + row * length, padded + before);
        team.sync();
        float* out = output + row * band.outputs;
        if (band.unit_stride) {
            convolve(team, padded + before + band.starts[0], out);
        } else {
            for (i32 j = team.lane; j < band.outputs; j += team.lanes) {
                const float* in = padded + before + band.starts[j];
                const float* weights = band.weights + static_cast<i64>(j) * band.taps;
                float sum = 0.0f;
                OTF_VECTOR_REDUCTION(reduction(+ : sum))
                for (i32 t = 0; t < band.taps; ++t) sum += weights[t] * in[t];
                out[j] = sum;
            }
        }
        team.sync();  // the next row reuses the scratch memory
    }

    template <class Team>
    OTF_INLINE void load(const Team& team, const float* in, float* out) const {
        if (!gamma.statistics) {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < length; z += team.lanes) out[z] = in[z];
            return;
        }
        const float lowest = gamma.statistics->lowest;
        const float range = gamma.statistics->highest - lowest;
        const float scale = range > 0.0f ? 1.0f / range : 0.0f;
        const float exponent = gamma.exponent;
        const float zero = fast_power(0.0f, exponent);  // at most 2**-126 to the exponent; makes the lowest exactly 0
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < length; z += team.lanes) out[z] = fast_power((in[z] - lowest) * scale, exponent) - zero;
    }

    template <class Team>
    OTF_INLINE void convolve(const Team& team, const float* in, float* out) const {
        const i32 n = band.outputs;
        // Four taps a sweep over the row, which stays in the nearest cache; the compiler vectorises along the row.
        for (i32 t = 0; t < band.taps; t += 4) {
            const i32 b = t + 1 < band.taps ? t + 1 : t, c = t + 2 < band.taps ? t + 2 : t, d = t + 3 < band.taps ? t + 3 : t;
            const float kb = b > t ? 1.0f : 0.0f, kc = c > t ? 1.0f : 0.0f, kd = d > t ? 1.0f : 0.0f;
            const float *wa = band.weights + t * n, *wb = band.weights + b * n, *wc = band.weights + c * n, *wd = band.weights + d * n;
            const float *ia = in + t, *ib = in + b, *ic = in + c, *id = in + d;
            const float keep = t > 0 ? 1.0f : 0.0f;
            OTF_VECTOR_LOOP
            for (i32 j = team.lane; j < n; j += team.lanes) {
                const float before_ = t > 0 ? out[j] : 0.0f;
                out[j] = keep * before_ + wa[j] * ia[j] + kb * wb[j] * ib[j] + kc * wc[j] * ic[j] + kd * wd[j] * id[j];
            }
        }
    }
};

// Rician noise of the acquired image: the magnitude of a complex signal whose two channels are noisy (Gudbjartsson 1995).
struct RicianNoise {
    RandomKey key;
    float std;  // 0: none
    i32 padding_;

    // `normals` holds 4 * ceil(n / 2) floats.
    template <class Team>
    OTF_INLINE void add(const Team& team, i64 row, i32 n, float* values, float* normals) const {
        const i32 half = (n + 1) / 2;
        normal_row(team, key, static_cast<u64>(row) * static_cast<u64>(half), half, normals);
        team.sync();
        add_half(team, half, half, values, normals);
        add_half(team, n - half, half, values + half, normals + 2 * half);
    }

    // The channels of voxel z take the normals at z and z + half.
    template <class Team>
    OTF_INLINE void add_half(const Team& team, i32 n, i32 half, float* values, const float* normals) const {
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const float real = values[z] + std * normals[z];
            const float imaginary = std * normals[z + half];
            values[z] = square_root(real * real + imaginary * imaginary);
        }
    }
};

// Along x or y: whole rows are averaged. Row operator; row = (outer * outputs + j) * inner + i of the output.
struct ResampleAcrossRows {
    const float* input;
    float* output;
    Band band;  // its starts lie inside the input
    RicianNoise noise;
    i64 rows;
    i32 inner;   // rows between neighbours on the axis: 1 for y, the number of rows of a slice for x
    i32 inputs;  // samples on the axis
    i32 length;
    i32 padding_;

    OTF_INLINE i64 size() const { return rows; }
    OTF_INLINE i64 scratch_floats() const { return Scratch::rounded(4 * ((length + 1) / 2)); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const i64 i = row % inner;
        const i32 j = static_cast<i32>(row / inner % band.outputs);
        const i64 outer = row / inner / band.outputs;
        const i64 step = static_cast<i64>(inner) * length;
        const float* in = input + ((outer * inputs + band.starts[j]) * inner + i) * length;
        float* out = output + row * length;
        // Four taps at a time: the output row is then read and written a quarter as often.
        i32 t = 0;
        for (; t < band.taps; t += 4) {
            const i32 left = band.taps - t;
            const float* a = in + t * step;
            const float* b = left > 1 ? a + step : a;
            const float* c = left > 2 ? b + step : a;
            const float* d = left > 3 ? c + step : a;
            const float wa = weight(t, j), wb = weight(t + 1, j), wc = weight(t + 2, j), wd = weight(t + 3, j);
            if (t == 0) {
                OTF_VECTOR_LOOP
                for (i32 z = team.lane; z < length; z += team.lanes) out[z] = wa * a[z] + wb * b[z] + wc * c[z] + wd * d[z];
            } else {
                OTF_VECTOR_LOOP
                for (i32 z = team.lane; z < length; z += team.lanes) out[z] += wa * a[z] + wb * b[z] + wc * c[z] + wd * d[z];
            }
        }
        team.sync();
        if (noise.std > 0.0f) noise.add(team, row, length, out, team.scratch);
        team.sync();
    }

    OTF_INLINE float weight(i32 t, i32 j) const { return t < band.taps ? band.weight(t, j) : 0.0f; }
};

// Linear interpolation on one axis between inputs lower[i] and lower[i] + 1; null: the axis is left alone.
struct Linear {
    const i32* lower;
    const float* fraction;
    i32 inputs;
    i32 padding_;

    OTF_INLINE i32 first(i32 i) const { return lower ? lower[i] : i; }
    OTF_INLINE float share(i32 i) const { return lower ? fraction[i] : 0.0f; }
};

// Back to the working grid, mask, statistics of what is not 0. Row operator; row = x * size_y + y of the patch.
struct Finish {
    const float* input;
    float* output;
    const u8* mask;  // null: keep everything
    Statistics* statistics;
    Linear linear[3];
    i32 size_[3];
    i32 padding_;

    OTF_INLINE i64 size() const { return static_cast<i64>(size_[0]) * size_[1]; }
    OTF_INLINE i64 scratch_floats() const { return Scratch::rounded(linear[2].inputs) + Scratch::rounded(size_[2]); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const i32 x = static_cast<i32>(row / size_[1]), y = static_cast<i32>(row % size_[1]);
        Scratch scratch{team.scratch};
        float* low = scratch.take(linear[2].inputs);
        blend_rows(team, x, y, low);
        team.sync();
        float* out = output + row * size_[2];
        if (linear[2].lower) {
            for (i32 z = team.lane; z < size_[2]; z += team.lanes) {
                const float* pair = low + linear[2].lower[z];
                const float share = linear[2].fraction[z];
                out[z] = share > 0.0f ? (1.0f - share) * pair[0] + share * pair[1] : pair[0];
            }
        } else {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < size_[2]; z += team.lanes) out[z] = low[z];
        }
        team.sync();
        summarise(team, row, out);
    }

    // The (at most four) rows around (x, y) of the acquired grid.
    template <class Team>
    OTF_INLINE void blend_rows(const Team& team, i32 x, i32 y, float* low) const {
        const i32 n = linear[2].inputs;
        const float fx = linear[0].share(x), fy = linear[1].share(y);
        const i64 next_x = fx > 0.0f ? static_cast<i64>(linear[1].inputs) * n : 0;
        const i64 next_y = fy > 0.0f ? n : 0;
        const float* a = input + (static_cast<i64>(linear[0].first(x)) * linear[1].inputs + linear[1].first(y)) * n;
        if (fx == 0.0f && fy == 0.0f) {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) low[z] = a[z];
            return;
        }
        const float wa = (1.0f - fx) * (1.0f - fy), wb = (1.0f - fx) * fy, wc = fx * (1.0f - fy), wd = fx * fy;
        const float* b = a + next_y;
        const float* c = a + next_x;
        const float* d = c + next_y;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) low[z] = wa * a[z] + wb * b[z] + wc * c[z] + wd * d[z];
    }

    template <class Team>
    OTF_INLINE void summarise(const Team& team, i64 row, float* out) const {
        const u8* mask_row = mask ? mask + row * size_[2] : nullptr;
        if (mask_row) {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < size_[2]; z += team.lanes) out[z] = mask_row[z] ? out[z] : 0.0f;
        }
        float lowest = HUGE_VALUE, highest = -HUGE_VALUE, sum = 0.0f, squares = 0.0f, count = 0.0f;
        OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest) reduction(+ : sum, squares, count))
        for (i32 z = team.lane; z < size_[2]; z += team.lanes) {
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

enum Normalization : i32 { NORMALIZE_ZSCORE = 1, NORMALIZE_MINMAX = 2 };

// Scale what is not 0; zeros stay. Row operator.
struct Normalize {
    float* image;
    const Statistics* statistics;
    i64 rows;
    i32 length;
    i32 mode;

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
        float* values = image + row * length;
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < length; z += team.lanes) {
            const float value = values[z];
            values[z] = value != 0.0f ? (value - offset) * scale : 0.0f;
        }
    }
};

}  // namespace otfsynth
