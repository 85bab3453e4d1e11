// Normal numbers for process noise: each a pure function of (seed, member, sample, latent, step).
//
// Threefry-2x32 with 13 rounds (Salmon et al. 2011, SC11, there found to pass BigCrush) turns a key of
// the member and the counter (step / 2, sample * latent_dim + latent) into two words; Box and Muller's
// method makes of them the numbers of an even step and of the odd one after it. Nothing is kept, so
// that neither the order nor the grouping of samples changes a number. `noise.py` says it in NumPy.
#pragma once

#include "functions.h"
#include "layer.h"
#include "views.h"

namespace neurodsr {

// As many 32-bit words as there are lanes of S, and as wide a vector of integers as one of S.
template <class S>
struct WordsOf {
    typedef uint32_t type __attribute__((vector_size(sizeof(uint32_t) * kLanes<S>)));
    typedef int32_t integers __attribute__((vector_size(sizeof(int32_t) * kLanes<S>)));
};
template <class S>
using Words = typename WordsOf<S>::type;

template <class V>
NEURODSR_INLINE V rotated(V x, int by) {
    return (x << by) | (x >> (32 - by));
}

struct Key {
    uint32_t k[3];
};

inline Key make_key(uint32_t low, uint32_t high) { return {{low, high, 0x1BD11BDAu ^ low ^ high}}; }

// Both words of the generator; V is a vector of words, or one word.
template <class V>
NEURODSR_INLINE void threefry(const Key& key, V& x0, V& x1) {
    constexpr int kRounds = 13, by[] = {13, 15, 26, 6, 17, 29, 16, 24};
    x0 += key.k[0];
    x1 += key.k[1];
#pragma GCC unroll 13
    for (int i = 0; i < kRounds; i++) {
        x0 += x1;
        x1 = rotated(x1, by[i % 8]) ^ x0;
        if (i % 4 == 3) {
            const int n = i / 4 + 1;
            x0 += key.k[n % 3];
            x1 += key.k[(n + 1) % 3] + uint32_t(n);
        }
    }
}

// Every member has a key of its own, made by the generator itself from the seed.
inline Key member_key(uint64_t seed, int64_t member) {
    uint32_t low = uint32_t(member), high = ~0u;
    threefry(make_key(uint32_t(seed), uint32_t(seed >> 32)), low, high);
    return make_key(low, high);
}

// The numbers of an even step and of the next one.
template <class S>
struct Pair {
    Lanes<S> even, odd;
};

template <class S>
NEURODSR_INLINE Pair<S> normal_pair(const Key& key, Words<S> step_pair, Words<S> series) {
    using Integers = typename WordsOf<S>::integers;
    threefry(key, step_pair, series);
    // In (0, 1], with the resolution of small numbers, which make the tails.
    const Lanes<S> u =
        __builtin_convertvector(Integers(step_pair >> 1), Lanes<S>) * S(0x1p-31) + S(0x1p-32);
    const Lanes<S> radius = root_of<S>(S(-2) * log_of<S>(u));
    // Two bits choose a quarter of the circle, thirty an angle from its middle.
    const Lanes<S> angle =
        __builtin_convertvector(Integers(series << 2), Lanes<S>) * S(0x1p-32 * 1.5707963267948966);
    const Lanes<S> q = angle * angle, cosine = circular<S, 0>(q), sine = angle * circular<S, 1>(q);
    const Lanes<S> quarter = __builtin_convertvector(Integers(series >> 30), Lanes<S>);
    const auto turned = (quarter == S(1)) | (quarter == S(3));
    const Lanes<S> x = turned ? sine : cosine, y = turned ? cosine : sine;
    const Lanes<S> x_sign = (quarter == S(1)) | (quarter == S(2)) ? Lanes<S>{} - 1 : Lanes<S>{} + 1;
    const Lanes<S> y_sign = quarter >= S(2) ? Lanes<S>{} - 1 : Lanes<S>{} + 1;
    return {radius * x_sign * x, radius * y_sign * y};
}

template <class S>
NEURODSR_INLINE Words<S> counting() {
    Words<S> v;
    for (int i = 0; i < kLanes<S>; i++) v[i] = uint32_t(i);
    return v;
}

// Process noise of one member.
template <class S>
struct Noise {
    const S* sd;  // of each latent, null where there is none
    Key key;

    // [time, latent, lane] of a group of samples, whole vectors wide; an even number of steps is
    // written, from an even one on.
    void draw(const Group& group, int64_t t, int n_time, int latent, S* out) const {
        const int W = kLanes<S>;
        const size_t line = size_t(latent) * group.width;
        for (int i = 0; i < n_time; i += 2, out += 2 * line)
            for (int m = 0; m < latent; m++)
                for (int b = 0; b < group.width; b += W) {
                    const Words<S> sample = counting<S>() + uint32_t(group.first + b);
                    const Pair<S> drawn = normal_pair<S>(key, Words<S>{} + uint32_t((t + i) / 2),
                                                         sample * uint32_t(latent) + uint32_t(m));
                    store(out + m * group.width + b, sd[m] * drawn.even);
                    store(out + line + m * group.width + b, sd[m] * drawn.odd);
                }
    }

    // [time, latent] of one sample; pairs of steps lie in the lanes.
    void draw_one(int64_t sample, int64_t t, int n_time, int latent, S* out) const {
        const int W = kLanes<S>;
        for (int i = 0; i < n_time; i += 2 * W)
            for (int m = 0; m < latent; m++) {
                const Pair<S> drawn = normal_pair<S>(key, counting<S>() + uint32_t((t + i) / 2),
                                                     Words<S>{} + uint32_t(sample * latent + m));
                S numbers[2][kLanes<S>];
                store(numbers[0], sd[m] * drawn.even);
                store(numbers[1], sd[m] * drawn.odd);
                for (int j = 0; j < 2 * W && i + j < n_time; j++)
                    out[size_t(i + j) * latent + m] = numbers[j % 2][j / 2];
            }
    }
};

}  // namespace neurodsr
