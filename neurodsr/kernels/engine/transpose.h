// Samples that lie one after the other in memory, and the same with one sample in each lane.
//
// A square of numbers, one vector of every sample, is turned over in registers: some ten times
// faster than number by number, which would cost as much as computing with them.
#pragma once

#include <algorithm>
#include <utility>

#include "lanes.h"

namespace neurodsr {

// Swaps the bits `Bit` of vector and lane: afterwards `a` has of both what had it 0, `b` what had it 1.
template <int Bit, class V, int... I>
NEURODSR_INLINE void exchange(V& a, V& b, std::integer_sequence<int, I...>) {
    constexpr int n = sizeof...(I);
    const V low = __builtin_shufflevector(a, b, ((I & Bit) ? (I ^ Bit) + n : I)...);
    b = __builtin_shufflevector(a, b, ((I & Bit) ? I + n : (I ^ Bit))...);
    a = low;
}

// v[i][j] <- v[j][i]
template <class S, int Bit = kLanes<S> / 2>
NEURODSR_INLINE void transpose(Lanes<S>* v) {
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<S>; i++)
        if (!(i & Bit)) exchange<Bit>(v[i], v[i + Bit], std::make_integer_sequence<int, kLanes<S>>{});
    if constexpr (Bit > 1) transpose<S, Bit / 2>(v);
}

// Calls visit(i) for steps of a whole vector through n >= kLanes numbers; the last may overlap.
template <class S, class Visit>
NEURODSR_INLINE void for_each_vector(int n, Visit visit) {
    for (int i = 0; i < n; i += kLanes<S>) visit(std::min(i, n - kLanes<S>));
}

// to[i * width + lane] <- from[lane][i] for i < n; lanes from `filled` on become 0
template <class S>
void into_lanes(const S* const* from, int filled, int n, int width, S* to) {
    for_each_vector<S>(n, [&](int i) {
        Lanes<S> v[kLanes<S>];
#pragma GCC unroll 16
        for (int lane = 0; lane < kLanes<S>; lane++) {
            v[lane] = Lanes<S>{};
            if (lane < filled) std::memcpy(&v[lane], from[lane] + i, sizeof v[lane]);
        }
        transpose<S>(v);
#pragma GCC unroll 16
        for (int k = 0; k < kLanes<S>; k++) std::memcpy(to + (i + k) * width, &v[k], sizeof v[k]);
    });
}

// to[lane][i] <- from[i * width + lane] for i < n and lane < filled
template <class S>
void out_of_lanes(const S* from, int width, int n, int filled, S* const* to) {
    for_each_vector<S>(n, [&](int i) {
        Lanes<S> v[kLanes<S>];
#pragma GCC unroll 16
        for (int k = 0; k < kLanes<S>; k++) std::memcpy(&v[k], from + (i + k) * width, sizeof v[k]);
        transpose<S>(v);
#pragma GCC unroll 16
        for (int lane = 0; lane < kLanes<S>; lane++)
            if (lane < filled) std::memcpy(to[lane] + i, &v[lane], sizeof v[lane]);
    });
}

}  // namespace neurodsr
