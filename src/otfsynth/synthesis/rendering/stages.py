"""Numbers of the Philox stages, the last word of the counter (``cuda_kernels/philox.h``): append, never reorder."""

VELOCITY, BIAS, MIXTURE, STRIP_EDGE, ACQUISITION = 1, 2, 3, 4, 5
SUBCLASSES, TEXTURE, HETEROGENEITY = 6, 7, 8
COILS, NOISE_FIELD = 9, 10
LESIONS = 11
SHELL = 12
SHAPE = 13
DEFACING = 14
