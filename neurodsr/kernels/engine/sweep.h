// One group of samples through time: forward, and backward with the gradient of everything.
//
//     x_t = (1 - a_t) z_t + a_t target_t,      z_{t+1} = A x_t + W1 hidden(x_t) + h1 + drive_t
//
//     d_t = hidden'(x_t) (W1' g_{t+1}),        gx_t = A g_{t+1} + W2' d_t,
//     g_t += (1 - a_t) gx_t
//
// The hidden layer is computed again on the way back: less work than bringing it back from memory.
#pragma once

#include "layer.h"

namespace neurodsr {

// The state of a group: in registers where the number of latents is known to the compiler.
template <class S, int Blocks, int Fixed>
struct State {
    explicit State(int) {}
    Lanes<S> v[Fixed * Blocks] = {};
    operator Lanes<S>*() { return v; }
};
template <class S, int Blocks>
struct State<S, Blocks, 0> {
    explicit State(int latent) : v(size_t(latent) * Blocks) {}
    std::vector<Lanes<S>> v;
    operator Lanes<S>*() { return v.data(); }
};

// The map of one member.
template <class S>
struct Map {
    Map(int latent, int hidden) : A(latent), h1(latent), layer(latent, hidden) {}
    Buffer<S> A, h1;
    Layer<S> layer;
};

// A stretch of time of one group, everything as [time, latent, lane]; null where there is none.
template <class S>
struct Stretch {
    int n_time;
    bool forced;
    const S* target;
    const S* alpha;  // null: `constant` everywhere
    S constant;
    const S* drive;
};

// v towards the target by a share a, as torch.lerp does: exact at 0 and 1, and with weights that sum
// to 1, since a bias of one rounding adds up over thousands of steps.
template <class V>
NEURODSR_INLINE V mix(V v, V target, V a) {
    const V step = target - v;
    return a < V{} + 0.5f ? v + a * step : target - (V{} + 1 - a) * step;
}

// Runs a stretch from `z`, which becomes the state at its end.
template <class S, int Blocks, int Fixed, bool Clipped>
void run_forward(const Map<S>& map, const Stretch<S>& in, S* z, S* mixed, S* states) {
    const int latent = latents<Fixed>(map.layer.latent), n = latent * Blocks, W = kLanes<S>;
    State<S, Blocks, Fixed> x(latent), out(latent);
    for (int i = 0; i < n; i++) out[i] = load(z + i * W);
    for (int t = 0; t < in.n_time; t++) {
        const size_t at = size_t(t) * n * W;
#pragma GCC unroll 8
        for (int m = 0; m < latent; m++)
#pragma GCC unroll 4
            for (int b = 0; b < Blocks; b++) {
                const int i = m * Blocks + b;
                Lanes<S> v = out[i];
                if (in.forced) {
                    Lanes<S> a = in.alpha ? load(in.alpha + at + i * W) : Lanes<S>{} + in.constant;
                    v = mix(v, load(in.target + at + i * W), a);
                }
                if (mixed) store(mixed + at + i * W, v);
                x[i] = v;
                out[i] = v * map.A[m] + map.h1[m];
                if (in.drive) out[i] += load(in.drive + at + i * W);
            }
        advance<S, Blocks, Fixed, Clipped>(map.layer, x, out);
        if (states)
#pragma GCC unroll 8
            for (int i = 0; i < n; i++) store(states + at + i * W, out[i]);
    }
    for (int i = 0; i < n; i++) store(z + i * W, out[i]);
}

// What a backward sweep leaves for the products that give the gradients of W1, W2 and h2.
template <class S>
struct Trail {
    S* g;       // [time, latent, lane], gradient of the state after each step, in total
    S* hidden;  // [tile][time, unit of the tile, lane], and
    S* d;       // the same of the gradient of what enters a unit; both null with few latents, where
                // computing them again is cheaper than writing them down
};

// Sums over samples and time that need no product, one vector of lanes each.
template <class S>
struct Sums {
    Sums(int latent, int padded) : A(latent), h1(latent), h2(padded) {}
    std::vector<Lanes<S>> A, h1, h2;
};

// Of some units: what the hidden layer gives, and the gradients of what enters it and of its bias,
// from u = W2 x (plain: + h2) and e = W1' g.
template <bool Clipped, class V, class S>
NEURODSR_INLINE void back_through_unit(V u, V e, S bias, V& hidden, V& d, V& to_bias) {
    const V upper = Clipped ? u + bias : u;
    to_bias = where_positive(upper, e);
    d = Clipped ? to_bias - where_positive(u, e) : to_bias;
    hidden = Clipped ? relu(upper) - relu(u) : relu(upper);
}

template <class S, int Blocks, int Fixed, bool Clipped, int Tile>
NEURODSR_INLINE void retreat_tile(const Layer<S>& layer, int start, const Lanes<S>* x,
                                  const Lanes<S>* g, Lanes<S>* gx, Lanes<S>* to_h2, S* hidden, S* d) {
    Lanes<S> u[Tile][Blocks], e[Tile][Blocks];
    const size_t w = size_t(start) * layer.latent;
    const S* bias = &layer.h2[start];
    tile_inputs<S, Blocks, Fixed>(layer.latent, &layer.W2[w], Clipped ? nullptr : bias, x, u);
    tile_inputs<S, Blocks, Fixed, Tile>(layer.latent, &layer.W1[w], nullptr, g, e);
#pragma GCC unroll 8
    for (int j = 0; j < Tile; j++)
#pragma GCC unroll 4
        for (int n = 0; n < Blocks; n++) {
            Lanes<S> h, to_bias;
            back_through_unit<Clipped>(u[j][n], e[j][n], bias[j], h, e[j][n], to_bias);
            if constexpr (Fixed == 0) {
                to_h2[start + j] += to_bias;
                store(hidden + (j * Blocks + n) * kLanes<S>, h);
                store(d + (j * Blocks + n) * kLanes<S>, e[j][n]);
            }
        }
    tile_outputs<S, Blocks, Fixed>(layer.latent, &layer.W2[w], e, gx);
}

// Back through a stretch. `carry` is the gradient that arrives from later times, and becomes the one
// that leaves to earlier; `grad` that of each state; `to_target` may be null.
template <class S, int Blocks, int Fixed, bool Clipped>
void run_backward(const Map<S>& map, const Stretch<S>& in, const S* mixed, const S* grad, S* carry,
                  S* to_target, const Trail<S>& trail, Sums<S>& sums) {
    const Layer<S>& layer = map.layer;
    const int latent = latents<Fixed>(layer.latent), n = latent * Blocks, W = kLanes<S>;
    State<S, Blocks, Fixed> x(latent), g(latent), gx(latent), back(latent);
    for (int i = 0; i < n; i++) back[i] = load(carry + i * W);
    for (int t = in.n_time - 1; t >= 0; t--) {
        const size_t at = size_t(t) * n * W;
#pragma GCC unroll 8
        for (int m = 0; m < latent; m++)
#pragma GCC unroll 4
            for (int b = 0; b < Blocks; b++) {
                const int i = m * Blocks + b;
                x[i] = load(mixed + at + i * W);
                g[i] = load(grad + at + i * W) + back[i];
                store(trail.g + at + i * W, g[i]);
                sums.A[m] += g[i] * x[i];
                sums.h1[m] += g[i];
                gx[i] = g[i] * map.A[m];
            }
        int unit = 0;
        const size_t line = size_t(Blocks) * W, step = size_t(in.n_time) * line;
        for (int k = 0; k < layer.n_tiles; k++, unit += kTile) {
            const size_t to = unit * step + size_t(t) * kTile * line;
            retreat_tile<S, Blocks, Fixed, Clipped, kTile>(layer, unit, x, g, gx, sums.h2.data(),
                                                           trail.hidden + to, trail.d + to);
        }
        for (int k = 0; k < layer.n_tails; k++, unit += kTail) {
            const size_t to = unit * step + size_t(t) * kTail * line;
            retreat_tile<S, Blocks, Fixed, Clipped, kTail>(layer, unit, x, g, gx, sums.h2.data(),
                                                           trail.hidden + to, trail.d + to);
        }
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) {
            Lanes<S> a = {};
            if (in.forced) a = in.alpha ? load(in.alpha + at + i * W) : a + in.constant;
            if (to_target) store(to_target + at + i * W, a * gx[i]);
            back[i] = (S(1) - a) * gx[i];
        }
    }
    for (int i = 0; i < n; i++) store(carry + i * W, back[i]);
}

}  // namespace neurodsr
