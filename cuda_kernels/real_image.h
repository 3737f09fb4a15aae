// Intensities of a real scan in the place of the mixture's: trilinear in the scan that belongs to the label map.
#pragma once
#include "listing.h"
#include "portable.h"

namespace otfsynth {

constexpr float IMAGE_STEP = 1.0f / 128.0f;  // intensity of one step of the stored numbers

// A scan on the grid of the label map, on the 0-255 scale; null: none.
struct RealImage {
    const u16* image;
    i32 masked;  // 1: what the scan shows as exactly 0 was never seen, and stays 0
    i32 padding_;
};
OTF_FIELDS(RealImage, (image)(masked))

// Between two neighbours of a row. One load for both on a CPU, whose compiler gathers 32 bits and not 16.
OTF_INLINE float between(const u16* image, i32 place, float fraction) {
#ifdef __CUDA_ARCH__
    const i32 first = image[place], second = image[place + 1];
#else
    u32 both;
    __builtin_memcpy(&both, image + place, sizeof both);
    const i32 first = static_cast<i32>(both & 0xFFFFu), second = static_cast<i32>(both >> 16);
#endif
    return static_cast<float>(first) + fraction * static_cast<float>(second - first);
}

// The scan at the source coordinates of one row; beyond the map its border counts, which is 0. Nothing is drawn on top.
template <class Team>
OTF_STEP void gather_image(const Team& team, const u16* image, const i32 map_shape[3], const float* sx, const float* sy,
                             const float* sz, i32 n, float* mean, float* std) {
    const i32 mx = map_shape[0] - 2, my = map_shape[1] - 2, mz = map_shape[2] - 2;
    const i32 row = map_shape[2], slice = map_shape[1] * map_shape[2];
    const float hx = static_cast<float>(mx + 1), hy = static_cast<float>(my + 1), hz = static_cast<float>(mz + 1);
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        const float x = clamp(sx[z], 0.0f, hx), y = clamp(sy[z], 0.0f, hy), w = clamp(sz[z], 0.0f, hz);
        i32 i = static_cast<i32>(x), j = static_cast<i32>(y), k = static_cast<i32>(w);
        i = i < mx ? i : mx;
        j = j < my ? j : my;
        k = k < mz ? k : mz;
        const float fx = x - static_cast<float>(i), fy = y - static_cast<float>(j), fz = w - static_cast<float>(k);
        const i32 place = i * slice + j * row + k;
        const float n00 = between(image, place, fz), n01 = between(image, place + row, fz);
        const float f00 = between(image, place + slice, fz), f01 = between(image, place + slice + row, fz);
        const float n0 = n00 + fy * (n01 - n00), f0 = f00 + fy * (f01 - f00);
        mean[z] = IMAGE_STEP * (n0 + fx * (f0 - n0));
        std[z] = 0.0f;
    }
}

// Deviates of a row on which nothing is drawn.
template <class Team>
OTF_INLINE void no_noise(const Team& team, i32 n, float* normals) {
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) normals[z] = 0.0f;
}

// What the scan does not show leaves mask and target.
template <class Team>
OTF_INLINE void cut_unseen(const Team& team, const float* mean, i32 n, u8* mask, u8* target) {
    OTF_VECTOR_LOOP
    for (i32 z = team.lane; z < n; z += team.lanes) {
        mask[z] = mean[z] > 0.0f ? mask[z] : 0;
        target[z] = mean[z] > 0.0f ? target[z] : 0;
    }
}

}  // namespace otfsynth
