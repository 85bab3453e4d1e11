// One sample at a time, hidden units in the lanes: for a few starts, where lanes of samples stay empty,
// and for tangents, which need the state of one orbit and the units that are on.
//
//     u = W2 z + h2,   z' = A z + W1 relu(u) + h1
#pragma once

#include <algorithm>

#include "maps.h"
#include "products.h"
#include "views.h"

namespace neurodsr {

constexpr int kSide = 4;  // vectors of units side by side, enough to hide the wait for an addition

template <class S>
inline int padded_latents(int latent) {
    return (latent + kLanes<S> - 1) / kLanes<S> * kLanes<S>;
}

// [time, latent] <- one sample of a view from bin `t` on.
template <class S>
void read_sample(const View<const S>& view, int64_t member, int64_t sample, int64_t t, int n_time,
                 int latent, S* out) {
    for (int i = 0; i < n_time; i++)
        for (int m = 0; m < latent; m++) *out++ = view.at(member, sample, t + i)[m * view.latent];
}

// One sample of a view <- [time, latent].
template <class S>
void write_sample(const View<S>& view, int64_t member, int64_t sample, int64_t t, int n_time,
                  int latent, const S* in) {
    for (int i = 0; i < n_time; i++)
        for (int m = 0; m < latent; m++) view.at(member, sample, t + i)[m * view.latent] = *in++;
}

// A map packed by vectors of units; units and latents that are not there have weight 0.
template <class S>
struct Units {
    explicit Units(const Member<S>& member)
        : latent(member.latent),
          hidden(member.hidden),
          n_vectors((hidden + kSide * kLanes<S> - 1) / (kSide * kLanes<S>) * kSide),
          padded(padded_latents<S>(latent)),
          A(padded), h1(padded), h2(n_vectors * kLanes<S>),
          W1(h2.size() * latent), W2(W1.size()) {
        std::copy_n(member.A, latent, A.begin());
        std::copy_n(member.h1, latent, h1.begin());
        std::copy_n(member.h2, hidden, h2.begin());
        for (int l = 0; l < hidden; l++)
            for (int m = 0; m < latent; m++) {
                W1[at(l, m)] = member.W1[size_t(m) * member.row + l];
                W2[at(l, m)] = member.W2[size_t(l) * latent + m];
            }
    }

    // Where the weight of a unit and a latent lies: side-by-side vectors, latent, unit.
    size_t at(int unit, int m) const {
        constexpr int group = kSide * kLanes<S>;
        return (size_t(unit / group) * latent + m) * group + unit % group;
    }

    int latent, hidden, n_vectors, padded;
    Buffer<S> A, h1, h2, W1, W2;
};

// sums[m] += W1 relu(u), and so on, for the units of `kSide` vectors; `seen` is shown u and u - h2.
template <class S, int Fixed, bool Clipped, class Seen>
NEURODSR_INLINE void advance_side(const Units<S>& f, int vector, const S* z, Lanes<S>* sums,
                                  Seen& seen) {
    constexpr int W = kLanes<S>;
    const int latent = latents<Fixed>(f.latent);
    const S *w1 = &f.W1[size_t(vector) * W * latent], *w2 = &f.W2[size_t(vector) * W * latent];
    Lanes<S> u[kSide], lower[kSide];
#pragma GCC unroll 4
    for (int j = 0; j < kSide; j++) u[j] = Clipped ? Lanes<S>{} : load(&f.h2[(vector + j) * W]);
#pragma GCC unroll 8
    for (int m = 0; m < latent; m++)
#pragma GCC unroll 4
        for (int j = 0; j < kSide; j++) u[j] += z[m] * load(w2 + (m * kSide + j) * W);
#pragma GCC unroll 4
    for (int j = 0; j < kSide; j++) {
        lower[j] = u[j];
        if (Clipped) u[j] += load(&f.h2[(vector + j) * W]);
    }
    seen(vector, u, lower);
#pragma GCC unroll 4
    for (int j = 0; j < kSide; j++) u[j] = Clipped ? relu(u[j]) - relu(lower[j]) : relu(u[j]);
#pragma GCC unroll 8
    for (int m = 0; m < latent; m++) {
        const S* w = w1 + m * kSide * W;
        const Lanes<S> left = u[0] * load(w) + u[1] * load(w + W);
        sums[m] += left + (u[2] * load(w + 2 * W) + u[3] * load(w + 3 * W));
    }
}

// One step of a state whose buffer is padded; `seen` watches what enters the units.
template <class S, int Fixed, bool Clipped, class Seen>
NEURODSR_INLINE void advance_single(const Units<S>& f, S* z, Lanes<S>* spare, Seen seen) {
    constexpr int W = kLanes<S>, most = Fixed ? (Fixed + W - 1) / W * W : 1;
    Lanes<S> own[most];
    Lanes<S>* sums = Fixed ? own : spare;
    const int padded = Fixed ? most : f.padded;
    for (int m = 0; m < padded; m++) sums[m] = Lanes<S>{};
    for (int v = 0; v < f.n_vectors; v += kSide) advance_side<S, Fixed, Clipped>(f, v, z, sums, seen);
    for (int m = 0; m < padded; m += W)
        store(z + m, load(&f.A[m]) * load(z + m) + load(&f.h1[m]) + sum_each<S>(sums + m));
}

}  // namespace neurodsr
