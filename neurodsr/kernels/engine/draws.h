// What a step of a training draws, as a pure function of seed, step and sample: nothing is remembered.
//
// neurodsr/training/draws.py draws the same.
#pragma once

#include "noise.h"

namespace neurodsr {

enum class Purpose : uint32_t { windows, noise };

inline Key key_of(uint64_t seed) { return make_key(uint32_t(seed), uint32_t(seed >> 32)); }

// 64 random bits.
inline uint64_t draw_word(uint64_t seed, uint32_t low, uint32_t high) {
    threefry(key_of(seed), low, high);
    return uint64_t(high) << 32 | low;
}

inline uint64_t step_seed(uint64_t seed, Purpose purpose, int64_t step) {
    return draw_word(seed, uint32_t(step), uint32_t(purpose));
}

// A whole number below n, all equally likely up to n / 2^64: the upper half of the product word * n,
// in two halves, since not every compiler has numbers of 128 bits. n fits into 32.
inline uint64_t draw_below(uint64_t n, uint64_t word) {
    return ((word >> 32) * n + (((word & 0xFFFFFFFF) * n) >> 32)) >> 32;
}

}  // namespace neurodsr
