// The hidden layer of the map, packed in tiles of hidden units: what all kernels spend their time in.
//
//     u = W2 x + h2,   hidden = relu(u),   out += W1 hidden                      (plain)
//     hidden = relu(W2 x + h2) - relu(W2 x)                                      (clipped)
//
// A tile of 8 units keeps 8 sums in registers while the latents stream by. Units that do not fill a
// tile go in pairs, so that hardly any work is wasted on padding.
#pragma once

#include <new>
#include <vector>

#include "lanes.h"

namespace neurodsr {

constexpr int kTile = 8, kTail = 2;

// Memory that starts on a cache line: a vector that straddles two costs twice.
template <class S>
struct CacheLines {
    using value_type = S;
    S* allocate(size_t n) { return static_cast<S*>(::operator new(n * sizeof(S), kLine)); }
    void deallocate(S* p, size_t) { ::operator delete(p, kLine); }
    template <class T>
    bool operator==(const CacheLines<T>&) const { return true; }
    template <class T>
    bool operator!=(const CacheLines<T>&) const { return false; }
    static constexpr std::align_val_t kLine{64};
};
template <class S>
using Buffer = std::vector<S, CacheLines<S>>;

template <class S>
NEURODSR_INLINE Lanes<S> load(const S* from) {
    Lanes<S> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
template <class S>
NEURODSR_INLINE void store(S* to, Lanes<S> v) {
    std::memcpy(to, &v, sizeof v);
}

// W1, W2 and h2 of one member in the order in which they are read.
template <class S>
class Layer {
   public:
    Layer(int latent, int hidden)
        : latent(latent),
          hidden(hidden),
          n_tiles(hidden / kTile),
          n_tails((hidden % kTile + kTail - 1) / kTail),
          padded(n_tiles * kTile + n_tails * kTail),
          W1(size_t(padded) * latent),
          W2(size_t(padded) * latent),
          h2(padded) {}

    // W1 [latent, hidden], W2 [hidden, latent], h2 [hidden], each contiguous.
    void pack(const S* w1, const S* w2, const S* bias) {
        for (int unit = 0; unit < padded; unit++) {
            bool real = unit < hidden;
            h2[unit] = real ? bias[unit] : S(0);
            for (int m = 0; m < latent; m++) {
                W1[at(unit, m)] = real ? w1[size_t(m) * hidden + unit] : S(0);
                W2[at(unit, m)] = real ? w2[size_t(unit) * latent + m] : S(0);
            }
        }
    }

    // Where the weight of a unit and a latent lies in W1 and W2: tile, latent, unit of the tile.
    size_t at(int unit, int m) const {
        const int full = n_tiles * kTile, size = tile_size(unit);
        const int start = unit < full ? unit / kTile * kTile : full + (unit - full) / kTail * kTail;
        return size_t(start) * latent + size_t(m) * size + (unit - start);
    }

    // The number of units that share a tile with this one.
    int tile_size(int unit) const { return unit < n_tiles * kTile ? kTile : kTail; }

    int latent, hidden, n_tiles, n_tails, padded;
    Buffer<S> W1, W2, h2;
};

// The number of latents, known to the compiler where it is small, so that states stay in registers.
template <int Fixed>
NEURODSR_INLINE int latents(int given) {
    return Fixed ? Fixed : given;
}

// sums[j][n] = sum_m weights[m][j] x[m][n] + bias[j]
template <class S, int Blocks, int Fixed, int Tile>
NEURODSR_INLINE void tile_inputs(int given, const S* weights, const S* bias, const Lanes<S>* x,
                                 Lanes<S> (&sums)[Tile][Blocks]) {
    const int latent = latents<Fixed>(given);
#pragma GCC unroll 8
    for (int j = 0; j < Tile; j++)
        for (int n = 0; n < Blocks; n++) sums[j][n] = Lanes<S>{} + (bias ? bias[j] : S(0));
#pragma GCC unroll 8
    for (int m = 0; m < latent; m++)
#pragma GCC unroll 4
        for (int n = 0; n < Blocks; n++)
#pragma GCC unroll 8
            for (int j = 0; j < Tile; j++) sums[j][n] += x[m * Blocks + n] * weights[m * Tile + j];
}

// out[m][n] += sum_j weights[m][j] units[j][n]; two sums, because one would be a chain of waits
template <class S, int Blocks, int Fixed, int Tile>
NEURODSR_INLINE void tile_outputs(int given, const S* weights, const Lanes<S> (&units)[Tile][Blocks],
                                  Lanes<S>* out) {
    const int latent = latents<Fixed>(given);
#pragma GCC unroll 8
    for (int m = 0; m < latent; m++)
#pragma GCC unroll 4
        for (int n = 0; n < Blocks; n++) {
            Lanes<S> even = out[m * Blocks + n], odd = units[1][n] * weights[m * Tile + 1];
#pragma GCC unroll 8
            for (int j = 0; j < Tile; j += 2) even += units[j][n] * weights[m * Tile + j];
#pragma GCC unroll 8
            for (int j = 3; j < Tile; j += 2) odd += units[j][n] * weights[m * Tile + j];
            out[m * Blocks + n] = even + odd;
        }
}

template <class S, int Blocks, int Fixed, bool Clipped, int Tile>
NEURODSR_INLINE void advance_tile(const Layer<S>& layer, int start, const Lanes<S>* x, Lanes<S>* out) {
    Lanes<S> units[Tile][Blocks];
    const size_t w = size_t(start) * layer.latent;
    const S* bias = &layer.h2[start];
    tile_inputs<S, Blocks, Fixed>(layer.latent, &layer.W2[w], Clipped ? nullptr : bias, x, units);
#pragma GCC unroll 8
    for (int j = 0; j < Tile; j++)
#pragma GCC unroll 4
        for (int n = 0; n < Blocks; n++)
            units[j][n] = Clipped ? relu(units[j][n] + bias[j]) - relu(units[j][n]) : relu(units[j][n]);
    tile_outputs<S, Blocks, Fixed>(layer.latent, &layer.W1[w], units, out);
}

// out += W1 hidden(x), for `Blocks` vectors of lanes side by side.
template <class S, int Blocks, int Fixed, bool Clipped>
NEURODSR_INLINE void advance(const Layer<S>& layer, const Lanes<S>* x, Lanes<S>* out) {
    int unit = 0;
    for (int i = 0; i < layer.n_tiles; i++, unit += kTile)
        advance_tile<S, Blocks, Fixed, Clipped, kTile>(layer, unit, x, out);
    for (int i = 0; i < layer.n_tails; i++, unit += kTail)
        advance_tile<S, Blocks, Fixed, Clipped, kTail>(layer, unit, x, out);
}

}  // namespace neurodsr
