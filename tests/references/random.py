"""Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and the normals drawn from it."""

from __future__ import annotations

import numpy as np

from otfsynth.types import SampleKey

STAGES = {
    "velocity": 1,
    "bias": 2,
    "mixture": 3,
    "skull_strip": 4,
    "acquisition": 5,
    "subclasses": 6,
    "texture": 7,
    "heterogeneity": 8,
    "coils": 9,
    "noise_field": 10,
    "lesions": 11,
    "shell": 12,
    "shape": 13,
    "defacing": 14,
}
OF_THE_HEAD = {
    STAGES[name] for name in ("velocity", "skull_strip", "subclasses", "lesions", "shell", "shape", "defacing")
}
"""Stages with the same numbers in all channels of a sample."""

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox4x32(counter: np.ndarray, key: tuple[int, int], rounds: int = 10) -> np.ndarray:
    """Encrypt counters, uint32 (n, 4), with a key of two 32-bit words; returns uint32 (n, 4)."""
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    for _ in range(rounds):
        product0 = np.uint64(_MULTIPLIERS[0]) * c0
        product1 = np.uint64(_MULTIPLIERS[1]) * c2
        c0, c1, c2, c3 = (
            (product1 >> _HALF) ^ c1 ^ np.uint64(k0),
            product1 & _MASK,
            (product0 >> _HALF) ^ c3 ^ np.uint64(k1),
            product0 & _MASK,
        )
        k0, k1 = (k0 + _WEYL[0]) & 0xFFFFFFFF, (k1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1).astype(np.uint32)


def words(key: SampleKey, stage: int, positions: np.ndarray) -> np.ndarray:
    """Four random words for each 64-bit position of one stage: uint32 (positions, 4)."""
    flat = positions.ravel().astype(np.uint64)
    counter = np.empty((flat.size, 4), np.uint32)
    counter[:, 0] = flat & _MASK
    counter[:, 1] = flat >> _HALF
    counter[:, 2] = key.index
    counter[:, 3] = stage if stage in OF_THE_HEAD else stage + 2**16 * key.channel
    return philox4x32(counter, (key.seed & 0xFFFFFFFF, key.seed >> 32))


def normals(key: SampleKey, stage: int, positions: np.ndarray) -> np.ndarray:
    """Four standard normals for each position: float64 (..., 4), by Box and Muller's transform."""
    uniform = (words(key, stage, positions) >> 8) * 2.0**-24
    radius = np.sqrt(-2.0 * np.log(uniform[:, 0::2] + 2.0**-25))
    angle = 2.0 * np.pi * uniform[:, 1::2]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return pairs.reshape(*positions.shape, 4)


def lattice_normals(key: SampleKey, stage: int, shape: tuple[int, ...]) -> np.ndarray:
    """One normal per lattice node; nodes are numbered in C order, four to a counter."""
    count = int(np.prod(shape))
    drawn = normals(key, stage, np.arange(-(-count // 4)))
    return drawn.ravel()[:count].reshape(shape)


def row_words(key: SampleKey, stage: int, size: tuple[int, int, int], rows_each: int = 1) -> np.ndarray:
    """Random words of a volume, uint32 (x, y, rows_each, z).

    Voxel ``32 b + 8 w + i`` of a row takes word ``w`` of counter ``row * Q + 8 b + i``, with ``Q = 8 ceil(nz / 32)``.
    """
    nx, ny, nz = size
    blocks = -(-nz // 32)
    drawn = words(key, stage, np.arange(nx * ny * rows_each * blocks * 8)).reshape(nx, ny, rows_each, blocks, 8, 4)
    return np.moveaxis(drawn, -1, -2).reshape(nx, ny, rows_each, 32 * blocks)[..., :nz]


def row_normals(key: SampleKey, stage: int, size: tuple[int, int, int]) -> np.ndarray:
    """One normal for each voxel, float64 (x, y, z), placed like :func:`row_words`."""
    nx, ny, nz = size
    blocks = -(-nz // 32)
    drawn = normals(key, stage, np.arange(nx * ny * blocks * 8).reshape(nx, ny, blocks, 8))
    return np.moveaxis(drawn, -1, -2).reshape(nx, ny, 32 * blocks)[..., :nz]
