// The scanner: gamma, then point spread function and sampling of each axis; noise and storage end the last of them.
//
// Each acquired sample is a normalised average of its neighbours on the axis: a Gaussian, cut at four standard deviations to
// the nearest voxel, or the sinc of a truncated k-space. Noise is added where a scanner adds it, on the acquired grid.
#pragma once
#include "listing.h"
#include "noise.h"
#include "statistics.h"
#include "visibility.h"

namespace otfsynth {

// A banded matrix along one axis: output j = sum over t < taps of weight(t, j) * input[starts[j] + t]; weights of taps
// outside the input are 0. With `unit_stride`, starts[j] = starts[0] + j and the loops run along outputs, so weights are
// stored (taps, outputs); else along taps, and they are stored (outputs, stride), zeros after the taps: whole vectors for a CPU.
constexpr i32 TAP_STEP = 16;

struct Band {
    const i32* starts;
    const float* weights;
    i32 outputs;
    i32 taps;
    i32 unit_stride;
    i32 stride;  // a multiple of TAP_STEP, at least the taps

    OTF_INLINE float weight(i32 t, i32 j) const { return weights[unit_stride ? t * outputs + j : j * stride + t]; }
};
OTF_FIELDS(Band, (starts)(weights)(outputs)(taps)(unit_stride)(stride))

// ((value - lowest) / (highest - lowest))**exponent; no statistics: leaves the values alone.
struct GammaCurve {
    const Statistics* statistics;
    float exponent;
    i32 padding_;
};
OTF_FIELDS(GammaCurve, (statistics)(exponent))

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
    Region region;  // of the output

    OTF_INLINE i64 size() const { return rows; }
    OTF_INLINE i64 scratch_floats() const { return Scratch::rounded(before + length + after + TAP_STEP) + Scratch::rounded(band.outputs); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const Span span = region.span(row, band.outputs);
        if (span.is_empty()) return;
        Scratch scratch{team.scratch};
        float* padded = scratch.take(before + length + after + TAP_STEP);
        for (i32 i = team.lane; i < before; i += team.lanes) padded[i] = 0.0f;
        for (i32 i = team.lane; i < after; i += team.lanes) padded[before + length + i] = 0.0f;
        const i32 first = band.starts[span.first], end = band.starts[span.end - 1] + band.taps;
        const Span needed{first > 0 ? first : 0, end < length ? end : length};
        load(team, needed.end - needed.first, input + row * length + needed.first, padded + before + needed.first);
        float* beyond = padded + before + (needed.end < length ? needed.end : length + after);
        for (i32 i = team.lane; i < TAP_STEP; i += team.lanes) beyond[i] = 0.0f;  // weigh 0, and must be numbers
        team.sync();
        float* out = output + row * band.outputs;
        if (band.unit_stride) {
            convolve(team, span, padded + before + band.starts[0], out);
        } else {
#ifdef OTF_DEVICE_CODE
            const i32 taps = band.taps;
#else
            const i32 taps = band.stride / TAP_STEP * TAP_STEP;
#endif
            for (i32 j = span.first + team.lane; j < span.end; j += team.lanes) {
                const float* in = padded + before + band.starts[j];
                const float* weights = band.weights + static_cast<i64>(j) * band.stride;
                out[j] = weighted_sum(weights, in, taps);
            }
        }
        team.sync();  // the next row reuses the scratch memory
    }

    // A CPU sums whole vectors and folds the last one in halves: a chain of its 16 numbers would cost more than the taps.
    static OTF_INLINE float weighted_sum(const float* weights, const float* in, i32 taps) {
#ifdef OTF_DEVICE_CODE
        float sum = 0.0f;
        for (i32 t = 0; t < taps; ++t) sum += weights[t] * in[t];
        return sum;
#else
        float sums[TAP_STEP] = {};
        for (i32 step = 0; step < taps; step += TAP_STEP) {
            OTF_VECTOR_LOOP
            for (i32 t = 0; t < TAP_STEP; ++t) sums[t] += weights[step + t] * in[step + t];
        }
        float half[TAP_STEP / 2], quarter[TAP_STEP / 4];
        for (i32 t = 0; t < TAP_STEP / 2; ++t) half[t] = sums[t] + sums[t + TAP_STEP / 2];
        for (i32 t = 0; t < TAP_STEP / 4; ++t) quarter[t] = half[t] + half[t + TAP_STEP / 4];
        return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
#endif
    }

    template <class Team>
    OTF_INLINE void load(const Team& team, i32 n, const float* in, float* out) const {
        if (!gamma.statistics) {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) out[z] = in[z];
            return;
        }
        const float lowest = gamma.statistics->lowest;
        const float range = gamma.statistics->highest - lowest;
        const float scale = range > 0.0f ? 1.0f / range : 0.0f;
        const float exponent = gamma.exponent;
        const float zero = fast_power(0.0f, exponent);  // at most 2**-126 to the exponent; makes the lowest exactly 0
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) out[z] = fast_power((in[z] - lowest) * scale, exponent) - zero;
    }

    template <class Team>
    OTF_INLINE void convolve(const Team& team, Span span, const float* in, float* out) const {
        const i32 n = band.outputs;
        // Four taps a sweep over the row, which stays in the nearest cache; the compiler vectorises along the row.
        for (i32 t = 0; t < band.taps; t += 4) {
            const i32 b = t + 1 < band.taps ? t + 1 : t, c = t + 2 < band.taps ? t + 2 : t, d = t + 3 < band.taps ? t + 3 : t;
            const float kb = b > t ? 1.0f : 0.0f, kc = c > t ? 1.0f : 0.0f, kd = d > t ? 1.0f : 0.0f;
            const float *wa = band.weights + t * n, *wb = band.weights + b * n, *wc = band.weights + c * n, *wd = band.weights + d * n;
            const float *ia = in + t, *ib = in + b, *ic = in + c, *id = in + d;
            const float keep = t > 0 ? 1.0f : 0.0f;
            OTF_VECTOR_LOOP
            for (i32 j = span.first + team.lane; j < span.end; j += team.lanes) {
                const float before_ = t > 0 ? out[j] : 0.0f;
                out[j] = keep * before_ + wa[j] * ia[j] + kb * wb[j] * ib[j] + kc * wc[j] * ic[j] + kd * wd[j] * id[j];
            }
        }
    }
};
OTF_FIELDS(ResampleAlongRow, (input)(output)(band)(gamma)(rows)(length)(before)(after)(region))

// Along x or y: whole rows are averaged. Row operator; row = (outer * outputs + j) * inner + i of the output.
struct ResampleAcrossRows {
    const float* input;
    float* output;
    Band band;  // its starts lie inside the input
    ReceiverNoise noise;
    Storage storage;
    i64 rows;
    i32 inner;   // rows between neighbours on the axis: 1 for y, the number of rows of a slice for x
    i32 inputs;  // samples on the axis
    i32 length;
    i32 padding_;
    Region region;  // of the output

    OTF_INLINE i64 size() const { return rows; }
    OTF_INLINE i64 scratch_floats() const { return noise.scratch_floats(length); }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const Span span = region.span(row, length);
        if (span.is_empty()) return;
        const i64 i = row % inner;
        const i32 j = static_cast<i32>(row / inner % band.outputs);
        const i64 outer = row / inner / band.outputs;
        const i64 step = static_cast<i64>(inner) * length;
        const float* in = input + ((outer * inputs + band.starts[j]) * inner + i) * length + span.first;
        float* out = output + row * length + span.first;
        const i32 n = span.end - span.first;
        // Taps of weight 0, which a band has at the ends of an axis, may lie in what is not computed.
        i32 first = 0, end = band.taps;
        while (first < end - 1 && band.weight(first, j) == 0.0f) ++first;
        while (end > first + 1 && band.weight(end - 1, j) == 0.0f) --end;
        // Four taps at a time: the output row is then read and written a quarter as often.
        for (i32 t = first; t < end; t += 4) {
            const i32 left = end - t;
            const float* a = in + t * step;
            const float* b = left > 1 ? a + step : a;
            const float* c = left > 2 ? b + step : a;
            const float* d = left > 3 ? c + step : a;
            const float wa = weight(t, end, j), wb = weight(t + 1, end, j), wc = weight(t + 2, end, j), wd = weight(t + 3, end, j);
            if (t == first) {
                OTF_VECTOR_LOOP
                for (i32 z = team.lane; z < n; z += team.lanes) out[z] = wa * a[z] + wb * b[z] + wc * c[z] + wd * d[z];
            } else {
                OTF_VECTOR_LOOP
                for (i32 z = team.lane; z < n; z += team.lanes) out[z] += wa * a[z] + wb * b[z] + wc * c[z] + wd * d[z];
            }
        }
        team.sync();
        if (noise.std > 0.0f) {
            noise.add(team, row, length, span, out);
            team.sync();  // the halves of the row went to other threads than its voxels will
        }
        if (storage.highest > 0.0f) storage.store(team, n, out);
        team.sync();
    }

    OTF_INLINE float weight(i32 t, i32 end, i32 j) const { return t < end ? band.weight(t, j) : 0.0f; }
};
OTF_FIELDS(ResampleAcrossRows, (input)(output)(band)(noise)(storage)(rows)(inner)(inputs)(length)(region))

}  // namespace otfsynth
