// The gradients of W1 and W2 of a stretch, from what the backward sweep left behind.
//
//     to_W1[m, l] += sum over time and samples of g[m] hidden[l]
//     to_W2[l, m] += sum over time and samples of d[l] x[m]
//
// Sixteen sums stay in registers over the whole stretch, one vector of lanes each; at the end their
// lanes are added up all together.
#pragma once

#include <utility>

#include "sweep.h"

namespace neurodsr {

template <int Bit, class V, int... I>
NEURODSR_INLINE V fold(V a, V b, std::integer_sequence<int, I...>) {
    constexpr int n = sizeof...(I);
    V here = __builtin_shufflevector(a, b, ((I & Bit) ? I + n : I)...);
    V there = __builtin_shufflevector(a, b, ((I & Bit) ? (I ^ Bit) + n : (I ^ Bit))...);
    return here + there;
}

// Lane i of the result is the sum of all lanes of v[i]; log2(n) rounds instead of n sums.
template <class S, int Bit = kLanes<S> / 2>
NEURODSR_INLINE Lanes<S> sum_each(Lanes<S>* v) {
    using Index = std::make_integer_sequence<int, kLanes<S>>;
#pragma GCC unroll 16
    for (int i = 0; i < Bit; i++) v[i] = fold<Bit>(v[i], v[i + Bit], Index{});
    if constexpr (Bit > 1) return sum_each<S, Bit / 2>(v);
    return v[0];
}

// out[latent, unit of the tile] += sum over time of a[unit] b[latent], for `Pair` latents from m on.
template <class S, int Blocks, int Tile, int Pair>
NEURODSR_INLINE void add_product(int n_time, int latent, int m, const S* a, const S* b, S* out) {
    constexpr int W = kLanes<S>, n = Tile * Pair, padded = (n + W - 1) / W * W;
    Lanes<S> sums[padded] = {};
    for (int t = 0; t < n_time; t++)
#pragma GCC unroll 4
        for (int k = 0; k < Blocks; k++) {
            Lanes<S> right[Pair];
#pragma GCC unroll 2
            for (int p = 0; p < Pair; p++)
                right[p] = load(b + ((size_t(t) * latent + m + p) * Blocks + k) * W);
#pragma GCC unroll 8
            for (int j = 0; j < Tile; j++) {
                Lanes<S> left = load(a + ((size_t(t) * Tile + j) * Blocks + k) * W);
#pragma GCC unroll 2
                for (int p = 0; p < Pair; p++) sums[p * Tile + j] += left * right[p];
            }
        }
#pragma GCC unroll 4
    for (int i = 0; i < padded; i += W) {
        Lanes<S> total = sum_each<S>(sums + i);
        S* to = out + m * Tile + i;
        if (i + W <= n) store(to, load(to) + total);
        else
            for (int k = 0; i + k < n; k++) to[k] += total[k];
    }
}

template <class S, int Blocks, int Tile>
void add_products(int n_time, int latent, const S* a, const S* b, S* out) {
    int m = 0;
    for (; m + 1 < latent; m += 2) add_product<S, Blocks, Tile, 2>(n_time, latent, m, a, b, out);
    if (m < latent) add_product<S, Blocks, Tile, 1>(n_time, latent, m, a, b, out);
}

// With few latents: everything of `Units` neighboring units again, from x and g, and summed at once.
template <class S, int Blocks, int Fixed, bool Clipped, int Units>
NEURODSR_INLINE void add_units(const Layer<S>& layer, int unit, int size, int n_time, const S* mixed,
                               const S* g, S* to_W1, S* to_W2, S* to_h2) {
    constexpr int W = kLanes<S>, n = (2 * Fixed + 1) * Units, padded = (n + W - 1) / W * W;
    const size_t w = layer.at(unit, 0);
    const S *w1 = &layer.W1[w], *w2 = &layer.W2[w], *bias = &layer.h2[unit];
    Lanes<S> sums[padded] = {};
    for (int t = 0; t < n_time; t++)
#pragma GCC unroll 2
        for (int k = 0; k < Blocks; k++) {
            Lanes<S> x[Fixed], back[Fixed];
#pragma GCC unroll 8
            for (int m = 0; m < Fixed; m++) {
                x[m] = load(mixed + ((size_t(t) * Fixed + m) * Blocks + k) * W);
                back[m] = load(g + ((size_t(t) * Fixed + m) * Blocks + k) * W);
            }
#pragma GCC unroll 2
            for (int j = 0; j < Units; j++) {
                Lanes<S> u = Lanes<S>{} + (Clipped ? S(0) : bias[j]), e = {}, h, d, to_bias;
#pragma GCC unroll 8
                for (int m = 0; m < Fixed; m++) {
                    u += x[m] * w2[m * size + j];
                    e += back[m] * w1[m * size + j];
                }
                back_through_unit<Clipped>(u, e, bias[j], h, d, to_bias);
                sums[2 * Fixed * Units + j] += to_bias;
#pragma GCC unroll 8
                for (int m = 0; m < Fixed; m++) {
                    sums[2 * m * Units + j] += h * back[m];
                    sums[(2 * m + 1) * Units + j] += d * x[m];
                }
            }
        }
    S total[padded];
#pragma GCC unroll 4
    for (int i = 0; i < padded; i += W) store(total + i, sum_each<S>(sums + i));
    for (int j = 0; j < Units; j++) {
        to_h2[unit + j] += total[2 * Fixed * Units + j];
        for (int m = 0; m < Fixed; m++) {
            to_W1[w + m * size + j] += total[2 * m * Units + j];
            to_W2[w + m * size + j] += total[(2 * m + 1) * Units + j];
        }
    }
}

// Gradients of the layer's weights, packed as the weights are.
template <class S>
struct LayerGradients {
    explicit LayerGradients(const Layer<S>& layer)
        : W1(layer.W1.size()), W2(layer.W2.size()), h2(layer.padded) {}
    Buffer<S> W1, W2, h2;
};

// Adds what a stretch says of the weights.
template <class S, int Blocks, int Fixed, bool Clipped>
void add_weight_gradients(const Layer<S>& layer, int n_time, const Trail<S>& trail, const S* mixed,
                          LayerGradients<S>& to) {
    if constexpr (Fixed > 0) {
        constexpr int Units = Fixed > 5 ? 1 : 2;
        for (int unit = 0; unit < layer.padded; unit += Units)
            add_units<S, Blocks, Fixed, Clipped, Units>(layer, unit, layer.tile_size(unit), n_time,
                                                        mixed, trail.g, to.W1.data(), to.W2.data(),
                                                        to.h2.data());
    } else {
        const size_t step = size_t(n_time) * Blocks * kLanes<S>;
        for (int unit = 0; unit < layer.padded; unit += layer.tile_size(unit)) {
            const size_t w = size_t(unit) * layer.latent, at = unit * step;
            const bool full = layer.tile_size(unit) == kTile;
            const auto add = full ? add_products<S, Blocks, kTile> : add_products<S, Blocks, kTail>;
            add(n_time, layer.latent, trail.hidden + at, trail.g, &to.W1[w]);
            add(n_time, layer.latent, trail.d + at, mixed, &to.W2[w]);
        }
    }
}

}  // namespace neurodsr
