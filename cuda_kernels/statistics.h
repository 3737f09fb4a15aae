// Range and moments of a volume, folded in a fixed order (rows, slices, volume), so that no thread count changes a bit.
#pragma once
#include "listing.h"
#include "portable.h"

namespace otfsynth {

struct Statistics {
    float lowest;
    float highest;
    float sum;
    float sum_of_squares;
    float count;
    float padding_[3];
};
OTF_FIELDS(Statistics, (lowest)(highest)(sum)(sum_of_squares)(count))

constexpr float HUGE_VALUE = 3.0e38f;

// `group` consecutive entries into one; index = group. Rows fold to slices, then slices to the volume.
struct FoldStatistics {
    const Statistics* entries;
    Statistics* folded;
    i64 groups;
    i64 group;

    OTF_INLINE i64 size() const { return groups; }
    OTF_INLINE void operator()(i64 index) const {
        const Statistics* first = entries + index * group;
        float lowest = HUGE_VALUE, highest = -HUGE_VALUE;
        double sum = 0.0, squares = 0.0, count = 0.0;
        for (i64 i = 0; i < group; ++i) {
            lowest = smaller(lowest, first[i].lowest);
            highest = larger(highest, first[i].highest);
            sum += first[i].sum;
            squares += first[i].sum_of_squares;
            count += first[i].count;
        }
        folded[index] = Statistics{lowest, highest, static_cast<float>(sum), static_cast<float>(squares),
                                   static_cast<float>(count), {0.0f, 0.0f, 0.0f}};
    }
};
OTF_FIELDS(FoldStatistics, (entries)(folded)(groups)(group))

}  // namespace otfsynth
