// The list of all operators: each side launches whatever stands here, and nothing else knows them all.
//
// To add a stage: one header with its function and its struct, one configuration block and one test (CONTRIBUTING.md).
#pragma once
#include "acquisition.h"
#include "appearance.h"
#include "deformation.h"
#include "finish.h"
#include "shape.h"
#include "visibility.h"

// One thread an index.
#define OTF_ELEMENT_OPERATORS(X) \
    X(LatticeNoise)              \
    X(FlowStart)                 \
    X(FlowSquare)                \
    X(SourceLattice)             \
    X(FoldStatistics)

// One team a row.
#define OTF_ROW_OPERATORS(X) \
    X(QuasiInterpolate)      \
    X(ChangeShape)           \
    X(MapBlocks)             \
    X(SeeColumns)            \
    X(Paint)                 \
    X(ResampleAlongRow)      \
    X(ResampleAcrossRows)    \
    X(Finish)                \
    X(Normalize)
