// Painting: one gather per output voxel looks up the label and gives it an intensity, a target and a mask bit.
//
// Per voxel: source coordinates (spline), nearest label (look_up.h), Gaussian mixture (mean and standard deviation of the
// label, mixing.h, plus a normal deviate), what tissue.h adds to it, multiplicative bias, clipping (intensity.h). This file
// is the order of these steps; nothing but what is seen of the requested patch is ever computed. Intensities are on lab2im's
// 0-255 scale (Billot et al. 2020).
#pragma once
#include "cut.h"
#include "intensity.h"
#include "lesions.h"
#include "listing.h"
#include "mixing.h"
#include "noise.h"
#include "real_image.h"
#include "shell.h"
#include "signal_loss.h"
#include "tissue.h"
#include "visibility.h"

namespace otfsynth {

// Row operator; row = x * size_y + y of the patch.
struct Paint {
    LookUp look_up;
    const u8* brain_distance;   // 128 + 8 mm from the brain's surface, outside positive
    float* image;
    u8* target;
    u8* mask;                   // null: keep everything
    Statistics* statistics;     // one a row
    RowLattice source;          // 3 components
    RowLattice bias;            // natural logarithm of the field; no coefficients: no bias
    RandomKey key;
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

    static constexpr i32 FIELDS = 8;  // lattices evaluated along rows, beside the source's

    OTF_INLINE i64 size() const { return static_cast<i64>(size_[0]) * size_[1]; }

    // Rows hold whole cells of every field evaluated along them.
    OTF_INLINE i32 padded_row() const {
        i32 n = whole_cells(size_[2], 8);
        for (i32 field = 0; field < FIELDS; ++field) {
            const i32 cells = lattice(field).coefficients ? expanded_floats(size_[2], lattice(field).spacing) : 0;
            n = n > cells ? n : cells;
        }
        return Scratch::rounded(n);
    }
    OTF_INLINE i32 longest_column() const {
        i32 n = source.shape[2];
        for (i32 field = 0; field < FIELDS; ++field) {
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
        const Part part = Part::of(row, size_, span), inner = part.within(inhabited.span(row, size_[2]));
        const NoiseBlocks blocks{row, size_[2], span};
        const i32 n = part.count, skipped = inner.first - part.first;
        u8 *target_row = target + part.start, *mask_row = mask ? mask + part.start : nullptr;
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
        if (inner.count > 0) find_source(team, inner, column, sx, sy, sz, offsets);  // the map is fetched meanwhile
        if (real.image) {
            no_noise(team, n, normals);
        } else {
            normal_row(team, key, blocks, noise);
        }
        if (inner.count < n) leave_background(team, look_up, part, inner, found, mean, std, target_row);
        if (inner.count > 0) {
            if (sub_voxels.count == 0 && subclasses.count == 0 && !soft.share) {
                look_up_row(team, look_up, offsets, inner.count, found + skipped, mean + skipped, std + skipped, target_row + skipped);
            } else {
                i32* points = reinterpret_cast<i32*>(scratch.take(sub_voxels.count * padded_row()));
                mix_part(team, look_up, sub_voxels, subclasses, soft, inner, offsets, sx, sy, sz, column, field, points, padded_row(),
                         found + skipped, mean + skipped, std + skipped, target_row + skipped);
            }
            team.sync();  // voxels of the inner part went to other threads than the same voxels will now
        }
        if (real.image) gather_image(team, real.image, look_up.map_shape, sx, sy, sz, n, mean, std);
        if (shell.on) {
            if (shell.thickness.coefficients) spline_row(team, shell.thickness, 0, part, column, field);
            team.sync();
            const float* change = shell.thickness.coefficients ? field : nullptr;
            i32* places = reinterpret_cast<i32*>(scratch.take(padded_row()));
            float* from_brain = scratch.take(padded_row());
            paint_shell(team, shell, brain_distance, offsets, sx, sy, sz, found, change, n, places, from_brain, mean, std);
            team.sync();
        }
        if (lesions.count > 0) add_lesions(team, lesions, part, sx, sy, sz, found, column, field, scratch.take(padded_row()), mean, std, target_row);
        if (mask) cut_row(team, cut, part, brain_distance, offsets, sx, sy, sz, found, column, field, mask_row, target_row);
        if (real.masked) {
            team.sync();
            cut_unseen(team, mean, n, mask_row, target_row);
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
        float* image_row = image + part.start;
        expose_row(team, mean, std, normals, bias.coefficients ? field : nullptr, clip_max, n, image_row);
        const Statistics range = range_of_row(team, image_row, mask_row, n, n == size_[2]);
        if (team.lane == 0) statistics[row] = range;
    }

    // Where the voxels of a part of a row come from, and the map's nearest voxels.
    template <class Team>
    OTF_INLINE void find_source(const Team& team, const Part& part, float* column, float* sx, float* sy, float* sz, i32* offsets) const {
        const float middle[3] = {0.0f, 0.0f, 0.0f};
        spline_row(team, source, 0, part, column, sx);
        spline_row(team, source, 1, part, column, sy);
        spline_row(team, source, 2, part, column, sz);
        team.sync();
        if (mass_effect.strength > 0.0f) {
            push_aside(team, mass_effect, part.count, sx, sy, sz);
            team.sync();
        }
        locate_row(team, sx, sy, sz, middle, look_up.map_shape, part.count, offsets);
        team.sync();
        fetch_row(team, look_up.labels, offsets, part.count);
        if (cut.strip) fetch_row(team, brain_distance, offsets, part.count);
    }

    // What is not painted of a row is not seen: 0, as what the mask cuts away counts.
    template <class Team>
    OTF_STEP void leave_out(const Team& team, i64 row, Span span) const {
        u8* target_row = target + row * size_[2];
        for (i32 z = team.lane; z < span.first; z += team.lanes) target_row[z] = 0;
        for (i32 z = span.end + team.lane; z < size_[2]; z += team.lanes) target_row[z] = 0;
        if (span.is_empty() && team.lane == 0) statistics[row] = Statistics{0.0f, 0.0f, 0.0f, 0.0f, 0.0f, {0.0f, 0.0f, 0.0f}};
    }
};
OTF_FIELDS(Paint, (look_up)(brain_distance)(image)(target)(mask)(statistics)(source)(bias)(key)(size_)(clip_max)(cut)
           (shell)(sub_voxels)(subclasses)(texture)(heterogeneity)(signal_loss)(lesions)(mass_effect)(real)(soft)(region)
           (inhabited))

}  // namespace otfsynth
