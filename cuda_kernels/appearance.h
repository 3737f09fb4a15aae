// Painting: one gather per output voxel looks up the label and gives it an intensity, a target and a mask bit.
//
// Per voxel: source coordinates (spline), nearest label, Gaussian mixture (mean and standard deviation of the label plus
// a normal deviate), what tissue.h adds to it, multiplicative bias, clipping. Nothing but the requested patch is ever
// computed. Intensities are on lab2im's 0-255 scale (Billot et al. 2020).
#pragma once
#include "cut.h"
#include "lesions.h"
#include "part.h"
#include "real_image.h"
#include "shell.h"
#include "signal_loss.h"
#include "soft_map.h"
#include "statistics.h"
#include "tissue.h"
#include "visibility.h"

namespace otfsynth {

// Row operator; row = x * size_y + y of the patch.
struct Paint {
    const u8* labels;           // label indices of the map, with a border of background
    const u8* brain_distance;   // 128 + 8 mm from the brain's surface, outside positive
    const float* means;         // 256 for each sub-class, by label index
    const float* stds;          // 256
    const u8* targets;          // 256
    float* image;
    u8* target;
    u8* mask;                   // null: keep everything
    Statistics* statistics;     // one a row
    RowLattice source;          // 3 components
    RowLattice bias;            // natural logarithm of the field; no coefficients: no bias
    RandomKey key;
    i32 map_shape[3];
    i32 size_[3];
    float clip_max;
    SubVoxels sub_voxels;
    Subclasses subclasses;
    Texture texture;
    Heterogeneity heterogeneity;
    SignalLoss signal_loss;
    Lesions lesions;
    MassEffect mass_effect;
    Cut cut;
    Shell shell;
    RealImage real;
    SoftMap soft;
    Region region;
    Region inhabited;           // where labels may be other than background; elsewhere nothing is looked up

    OTF_INLINE i64 size() const { return static_cast<i64>(size_[0]) * size_[1]; }

    // Rows hold whole cells of every field evaluated along them.
    OTF_INLINE i32 padded_row() const {
        i32 n = whole_cells(size_[2], 8);
        for (i32 field = 0; field < 8; ++field) {
            const i32 cells = lattice(field).coefficients ? expanded_floats(size_[2], lattice(field).spacing) : 0;
            n = n > cells ? n : cells;
        }
        return Scratch::rounded(n);
    }
    OTF_INLINE i32 longest_column() const {
        i32 n = source.shape[2];
        for (i32 field = 0; field < 8; ++field) {
            if (lattice(field).coefficients && lattice(field).shape[2] > n) n = lattice(field).shape[2];
        }
        return column_floats(n);
    }
    OTF_INLINE const RowLattice& lattice(i32 field) const {
        return field == 0   ? bias
               : field == 1 ? cut.edge
               : field == 2 ? subclasses.fields
               : field == 3 ? texture.field
               : field == 4 ? heterogeneity.field
               : field == 5 ? lesions.edge
               : field == 6 ? cut.defacing.bumps
                            : shell.thickness;
    }
    OTF_INLINE i64 scratch_floats() const {
        const i64 normals = NoiseBlocks::floats(size_[2]);
        return (9LL + sub_voxels.count + 2 * shell.on + (lesions.count > 0)) * padded_row() + normals + Scratch::rounded(longest_column());
    }

    template <class Team>
    OTF_INLINE void operator()(i64 row, const Team& team) const {
        const Span span = region.span(row, size_[2]);
        if (span.end - span.first < size_[2]) leave_out(team, row, span);
        if (span.is_empty()) return;
        const i32 n = span.end - span.first;
        const Part part = Part::of(row, size_, span);
        const NoiseBlocks blocks{row, size_[2], span};
        Scratch scratch{team.scratch};
        float* column = scratch.take(longest_column());
        float* sx = scratch.take(padded_row());
        float* sy = scratch.take(padded_row());
        float* sz = scratch.take(padded_row());
        i32* offsets = reinterpret_cast<i32*>(scratch.take(padded_row()));
        float* mean = scratch.take(padded_row());
        float* std = scratch.take(padded_row());
        float* field = scratch.take(padded_row());
        u8* found = reinterpret_cast<u8*>(scratch.take(padded_row()));
        float* noise = scratch.take(NoiseBlocks::floats(size_[2]));
        float* normals = noise + span.first - blocks.first;
        const Part inner = part.within(inhabited.span(row, size_[2]));
        const i32 skipped = inner.first - part.first, count = inner.count;
        if (count < n) leave_background(team, part, inner, found, mean, std);
        if (count > 0) {
            spline_row(team, source, 0, inner, column, sx);
            spline_row(team, source, 1, inner, column, sy);
            spline_row(team, source, 2, inner, column, sz);
            team.sync();
            if (mass_effect.strength > 0.0f) {
                push_aside(team, mass_effect, count, sx, sy, sz);
                team.sync();
            }
            locate(team, sx, sy, sz, count, offsets);
        }
        if (real.image) {
            no_noise(team, n, normals);
        } else {
            normal_row(team, key, blocks, noise);
        }
        team.sync();
        if (count == 0) {
            // Background alone.
        } else if (sub_voxels.count == 0 && subclasses.count == 0 && !soft.share) {
            look_up(team, inner, offsets, found + skipped, mean + skipped, std + skipped);
        } else {
            i32* points = reinterpret_cast<i32*>(scratch.take(sub_voxels.count * padded_row()));
            look_up_parts(team, inner, offsets, sx, sy, sz, column, field, points, found + skipped, mean + skipped, std + skipped);
        }
        if (real.image) gather_image(team, real.image, map_shape, sx, sy, sz, n, mean, std);
        if (shell.on) {
            if (shell.thickness.coefficients) spline_row(team, shell.thickness, 0, part, column, field);
            team.sync();
            const float* change = shell.thickness.coefficients ? field : nullptr;
            i32* places = reinterpret_cast<i32*>(scratch.take(padded_row()));
            float* outward = scratch.take(padded_row());
            paint_shell(team, shell, brain_distance, map_shape, sx, sy, sz, found, change, n, places, outward, mean, std);
            team.sync();
        }
        if (lesions.count > 0) add_lesions(team, part, sx, sy, sz, found, column, field, scratch.take(padded_row()), mean, std);
        if (mask) cut_row(team, cut, part, brain_distance, offsets, sx, sy, sz, found, column, field, mask, target);
        if (real.masked) {
            team.sync();
            cut_unseen(team, mean, n, mask + part.start, target + part.start);
        }
        if (texture.field.coefficients) {
            spline_row(team, texture.field, 0, part, column, field);
            team.sync();
            blend_texture(team, texture, field, n, normals);
        }
        if (heterogeneity.field.coefficients) {
            spline_row(team, heterogeneity.field, 0, part, column, field);
            team.sync();
            vary_row(team, found, heterogeneity.strengths, field, n, mean);
        }
        if (signal_loss.count > 0) {
            team.sync();
            lose_signal(team, signal_loss, sx, sy, sz, n, mean, std);
        }
        if (bias.coefficients) spline_row(team, bias, 0, part, column, field);
        team.sync();
        paint(team, part, mean, std, normals, field);
    }

    // Background on either side of the inner part.
    template <class Team>
    OTF_STEP void leave_background(const Team& team, const Part& part, const Part& inner, u8* found, float* mean, float* std) const {
        const float its_mean = means[0], its_std = stds[0];
        const u8 its_target = targets[0];
        u8* target_row = target + part.start;
        const i32 first = inner.first - part.first, end = first + inner.count;
        for (i32 side = 0; side < 2; ++side) {
            const i32 from = side == 0 ? 0 : end, to = side == 0 ? first : part.count;
            OTF_VECTOR_LOOP
            for (i32 z = from + team.lane; z < to; z += team.lanes) {
                found[z] = 0;
                mean[z] = its_mean;
                std[z] = its_std;
                target_row[z] = its_target;
            }
        }
    }

    // Nearest voxel of the map; coordinates beyond it land on its border of background.
    template <class Team>
    OTF_STEP void locate(const Team& team, const float* sx, const float* sy, const float* sz, i32 n, i32* offsets) const {
        const float hx = static_cast<float>(map_shape[0] - 1), hy = static_cast<float>(map_shape[1] - 1);
        const float hz = static_cast<float>(map_shape[2] - 1);
        const i32 ny = map_shape[1], nz = map_shape[2];
        OTF_VECTOR_LOOP
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const i32 i = static_cast<i32>(clamp(sx[z], 0.0f, hx) + 0.5f);
            const i32 j = static_cast<i32>(clamp(sy[z], 0.0f, hy) + 0.5f);
            const i32 k = static_cast<i32>(clamp(sz[z], 0.0f, hz) + 0.5f);
            offsets[z] = (i * ny + j) * nz + k;
        }
    }

    template <class Team>
    OTF_STEP void look_up(const Team& team, const Part& part, const i32* offsets, u8* found, float* mean, float* std) const {
        // Locals: a store of bytes may alias the members, which would be read again for every voxel.
        const u8 *from = labels, *target_of = targets;
        const float *mean_of = means, *std_of = stds;
        u8* target_row = target + part.start;
        const i32 n = part.count;
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const u8 label = from[offsets[z]];
            found[z] = label;
            mean[z] = mean_of[label];
            std[z] = std_of[label];
            target_row[z] = target_of[label];
        }
    }

    // The same with sub-classes and partial volume; the target stays that of the voxel's middle.
    template <class Team>
    OTF_STEP void look_up_parts(const Team& team, const Part& part, const i32* offsets, const float* sx, const float* sy, const float* sz,
                                  float* column, float* field, i32* points, u8* found, float* mean, float* std) const {
        const i32 n = part.count, stride = padded_row();
        i32* tables = nullptr;
        if (subclasses.count > 0) {
            tables = reinterpret_cast<i32*>(mean);  // read before `mean` is written, voxel by voxel
            for (i32 component = 0; component < subclasses.count; ++component) {
                spline_row(team, subclasses.fields, component, part, column, field);
                team.sync();
                add_sign(team, field, component, n, tables);
            }
        }
        for (i32 point = 0; point < sub_voxels.count; ++point) {
            const float shift[3] = {sub_voxels.shift[point], sub_voxels.shift[SUB_VOXELS + point], sub_voxels.shift[2 * SUB_VOXELS + point]};
            locate_row(team, sx, sy, sz, shift, map_shape, n, points + point * stride);
        }
        team.sync();
        const u8 *from = labels, *target_of = targets;
        u8* target_row = target + part.start;
        for (i32 z = team.lane; z < n; z += team.lanes) {
            const u8 label = from[offsets[z]];
            found[z] = label;
            target_row[z] = target_of[label];
        }
        if (soft.share) {
            const i32* places = sub_voxels.count > 0 ? points : offsets;
            const i32 count = sub_voxels.count > 0 ? sub_voxels.count : 1;
            mix_soft_row(team, soft, labels, places, stride, count, means, tables, stds, n, mean, std);
        } else if (sub_voxels.count > 0) {
            mix_row(team, labels, points, stride, means, tables, stds, n, mean, std);
        } else {
            for (i32 z = team.lane; z < n; z += team.lanes) {
                mean[z] = means[tables[z] + found[z]];
                std[z] = stds[found[z]];
            }
        }
    }

    template <class Team>
    OTF_STEP void add_lesions(const Team& team, const Part& part, const float* sx, const float* sy, const float* sz, const u8* found,
                                float* column, float* field, float* depth, float* mean, float* std) const {
        const float* change = nullptr;
        if (lesions.edge.coefficients) {
            spline_row(team, lesions.edge, 0, part, column, field);
            change = field;
        }
        team.sync();
        for (i32 kind = 0; kind < LESION_PARTS; ++kind) {
            if (!lesion_depth(team, lesions.parts[kind], sx, sy, sz, change, part.count, depth)) continue;
            paint_lesions(team, lesions.parts[kind], depth, found, part.count, mean, std, target + part.start);
            team.sync();
        }
    }

    // What is not painted of a row is not seen: 0, as what the mask cuts away counts.
    template <class Team>
    OTF_STEP void leave_out(const Team& team, i64 row, Span span) const {
        u8* target_row = target + row * size_[2];
        for (i32 z = team.lane; z < span.first; z += team.lanes) target_row[z] = 0;
        for (i32 z = span.end + team.lane; z < size_[2]; z += team.lanes) target_row[z] = 0;
        if (span.is_empty() && team.lane == 0) statistics[row] = Statistics{0.0f, 0.0f, 0.0f, 0.0f, 0.0f, {0.0f, 0.0f, 0.0f}};
    }

    // The range is that of what is seen: where the mask cuts, that is 0.
    template <class Team>
    OTF_STEP void paint(const Team& team, const Part& part, const float* mean, const float* std, const float* normals,
                          const float* field) const {
        float* image_row = image + part.start;
        const i32 n = part.count;
        const float log2_e = 1.442695041f, most = clip_max;
        float lowest = n < size_[2] ? 0.0f : HUGE_VALUE, highest = n < size_[2] ? 0.0f : -HUGE_VALUE;
        if (bias.coefficients && !mask) {
            OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest))
            for (i32 z = team.lane; z < n; z += team.lanes) {
                const float value = clamp((mean[z] + std[z] * normals[z]) * fast_exp2(log2_e * field[z]), 0.0f, most);
                image_row[z] = value;
                lowest = smaller(lowest, value);
                highest = larger(highest, value);
            }
        } else if (bias.coefficients) {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) {
                image_row[z] = clamp((mean[z] + std[z] * normals[z]) * fast_exp2(log2_e * field[z]), 0.0f, most);
            }
        } else {
            OTF_VECTOR_LOOP
            for (i32 z = team.lane; z < n; z += team.lanes) image_row[z] = clamp(mean[z] + std[z] * normals[z], 0.0f, most);
        }
        if (mask) {
            const u8* mask_row = mask + part.start;
            OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest))
            for (i32 z = team.lane; z < n; z += team.lanes) {
                const float value = mask_row[z] ? image_row[z] : 0.0f;
                lowest = smaller(lowest, value);
                highest = larger(highest, value);
            }
        } else if (!bias.coefficients) {
            OTF_VECTOR_REDUCTION(reduction(min : lowest) reduction(max : highest))
            for (i32 z = team.lane; z < n; z += team.lanes) {
                lowest = smaller(lowest, image_row[z]);
                highest = larger(highest, image_row[z]);
            }
        }
        lowest = team.lowest(lowest);
        highest = team.highest(highest);
        if (team.lane == 0) statistics[part.row] = Statistics{lowest, highest, 0.0f, 0.0f, 0.0f, {0.0f, 0.0f, 0.0f}};
    }
};

}  // namespace otfsynth
