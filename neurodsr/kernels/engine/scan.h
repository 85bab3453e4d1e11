// The scan of the map and its adjoint over all members, samples and bins.
#pragma once

#include "views.h"
#include "products.h"

namespace neurodsr {

constexpr int kChunk = 32;  // steps between visits to the caller's tensors: buffers stay in the cache

// Steps of which so many bytes each stay in the second-level cache.
inline int chunk_length(size_t bytes_per_step) {
    return int(std::clamp<size_t>((1 << 19) / std::max<size_t>(bytes_per_step, 1), 4, kChunk));
}

// One scan; tensors of the map are contiguous with a leading member axis.
template <class S>
struct Problem {
    int64_t members, batch, n_time, latent, hidden;
    const S *A, *W1, *W2, *h1, *h2;
    View<const S> z0, target, alpha, drive;
};

// The gradients; `mixed` is the forward pass's, any pointer may be null where nobody asked.
template <class S>
struct Gradients {
    const S* mixed;
    View<const S> grad;
    S *A, *W1, *W2, *h1, *h2;
    View<S> z0, target, drive;
};

template <class S>
Map<S> member_map(const Problem<S>& p, int64_t i) {
    Map<S> map(int(p.latent), int(p.hidden));
    map.A.assign(p.A + i * p.latent, p.A + (i + 1) * p.latent);
    map.h1.assign(p.h1 + i * p.latent, p.h1 + (i + 1) * p.latent);
    map.layer.pack(p.W1 + i * p.latent * p.hidden, p.W2 + i * p.latent * p.hidden, p.h2 + i * p.hidden);
    return map;
}

template <class S>
int64_t lanes_per_member(int64_t batch) {
    return (batch + kLanes<S> - 1) / kLanes<S> * kLanes<S>;
}

// The caller's tensors of some steps, brought into lanes.
template <class S>
class Inputs {
   public:
    Inputs(const Problem<S>& p, const Group& group)
        : p_(p), group_(group), repeats_(!p.alpha.batch && !p.alpha.time && !p.alpha.latent) {
        const size_t n = size_t(kChunk) * p.latent * group.width;
        if (p.target.given()) target_.resize(n);
        if (p.alpha.given() && !repeats_) alpha_.resize(n);
        if (p.drive.given()) drive_.resize(n);
    }

    // All that a forward sweep needs.
    Stretch<S> read(int64_t t, int n_time) {
        Stretch<S> s = read_alpha(t, n_time);
        if (p_.target.given()) s.target = bring(p_.target, t, n_time, target_);
        if (p_.drive.given()) s.drive = bring(p_.drive, t, n_time, drive_);
        return s;
    }

    // What a backward sweep needs: the adjoint of the drive is that of the states.
    Stretch<S> read_alpha(int64_t t, int n_time) {
        Stretch<S> s{n_time, p_.target.given(), nullptr, nullptr, S(0), nullptr};
        if (s.forced && repeats_) s.constant = *p_.alpha.at(group_.member, 0, 0);
        else if (s.forced) s.alpha = bring(p_.alpha, t, n_time, alpha_);
        return s;
    }

   private:
    const S* bring(const View<const S>& view, int64_t t, int n_time, Buffer<S>& to) {
        gather<S>(view, group_, t, n_time, int(p_.latent), to.data());
        return to.data();
    }

    const Problem<S>& p_;
    Group group_;
    bool repeats_;
    Buffer<S> target_, alpha_, drive_;
};

template <class S, int Blocks, int Fixed>
void forward_group(const Problem<S>& p, const Map<S>& map, const Group& group, S* mixed,
                   const View<S>& states) {
    const int latent = int(p.latent);
    const size_t line = size_t(latent) * group.width;
    Inputs<S> inputs(p, group);
    Buffer<S> z(line), out(states.given() ? kChunk * line : 0);
    gather<S>(p.z0, group, 0, 1, latent, z.data());
    for (int64_t t = 0; t < p.n_time; t += kChunk) {
        const int n = int(std::min<int64_t>(kChunk, p.n_time - t));
        run_forward<S, Blocks, Fixed, false>(map, inputs.read(t, n), z.data(),
                                             mixed ? mixed + t * line : nullptr,
                                             states.given() ? out.data() : nullptr);
        if (states.given()) scatter(states, group, t, n, latent, out.data());
    }
}

// A gradient that grows by many small parts: it goes on in double precision every now and then, since
// in a long sequence a single-precision sum would drown what is added to it.
struct LongSum {
    explicit LongSum(size_t n) : values(n) {}

    template <class S>
    void take(Buffer<S>& from) {
        for (size_t i = 0; i < values.size(); i++) values[i] += double(std::exchange(from[i], S(0)));
    }
    template <class S>
    void take(std::vector<Lanes<S>>& from) {
        for (size_t i = 0; i < values.size(); i++) {
            values[i] += double(sum_lanes(from[i]));
            from[i] = Lanes<S>{};
        }
    }
    std::vector<double> values;
};

// Gradients of one member's map as the sweeps leave them, and their way to the caller.
template <class S>
class MapGradients {
   public:
    explicit MapGradients(const Layer<S>& layer)
        : sums(layer.latent, layer.padded),
          of_layer(layer),
          A_(layer.latent),
          h1_(layer.latent),
          h2_(layer.padded),
          W1_(layer.W1.size()),
          W2_(layer.W2.size()) {}

    // After each stretch; the products are sums over a stretch already.
    void end_stretch() {
        A_.template take<S>(sums.A);
        h1_.template take<S>(sums.h1);
        h2_.template take<S>(sums.h2);
        if (++n_stretches_ % 32 == 0) flush_layer();
    }

    void write(const Layer<S>& layer, const Gradients<S>& to, int64_t i) {
        flush_layer();
        const int latent = layer.latent, hidden = layer.hidden;
        for (int m = 0; m < latent; m++) {
            to.A[i * latent + m] = S(A_.values[m]);
            to.h1[i * latent + m] = S(h1_.values[m]);
        }
        const size_t w = size_t(i) * latent * hidden;
        for (int l = 0; l < hidden; l++) {
            to.h2[i * hidden + l] = S(h2_.values[l]);
            for (int m = 0; m < latent; m++) {
                to.W1[w + size_t(m) * hidden + l] = S(W1_.values[layer.at(l, m)]);
                to.W2[w + size_t(l) * latent + m] = S(W2_.values[layer.at(l, m)]);
            }
        }
    }

    Sums<S> sums;
    LayerGradients<S> of_layer;

   private:
    void flush_layer() {
        h2_.template take<S>(of_layer.h2);
        W1_.template take<S>(of_layer.W1);
        W2_.template take<S>(of_layer.W2);
    }

    LongSum A_, h1_, h2_, W1_, W2_;
    int n_stretches_ = 0;
};

template <class S, int Blocks, int Fixed>
void backward_group(const Problem<S>& p, const Map<S>& map, const Group& group, const S* mixed,
                    const Gradients<S>& to, MapGradients<S>& found) {
    const int latent = int(p.latent);
    const size_t line = size_t(latent) * group.width, hidden_line = size_t(map.layer.padded) * group.width;
    const int chunk = Fixed ? kChunk : chunk_length(2 * hidden_line * sizeof(S));
    Inputs<S> inputs(p, group);
    Buffer<S> carry(line), grad(chunk * line), g(chunk * line);
    Buffer<S> to_target(to.target.given() ? chunk * line : 0);
    Buffer<S> hidden(Fixed ? 0 : chunk * hidden_line), d(hidden.size());
    const Trail<S> trail{g.data(), hidden.data(), d.data()};
    for (int64_t end = p.n_time, t; end > 0; end = t) {
        t = (end - 1) / chunk * chunk;
        const int n = int(end - t);
        gather<S, Idle::zero>(to.grad, group, t, n, latent, grad.data());
        run_backward<S, Blocks, Fixed, false>(map, inputs.read_alpha(t, n), mixed + t * line,
                                              grad.data(), carry.data(),
                                              to.target.given() ? to_target.data() : nullptr, trail,
                                              found.sums);
        found.end_stretch();
        if (to.target.given()) scatter(to.target, group, t, n, latent, to_target.data());
        if (to.drive.given()) scatter(to.drive, group, t, n, latent, g.data());
        if (to.A)
            add_weight_gradients<S, Blocks, Fixed, false>(map.layer, n, trail, mixed + t * line,
                                                          found.of_layer);
    }
    if (to.z0.given()) scatter(to.z0, group, 0, 1, latent, carry.data());
}

// Calls `visit` with every group of a member's samples, two vectors wide where they fill them.
template <class S, class Visit>
void for_each_group(int64_t member, int64_t batch, Visit visit) {
    const int W = kLanes<S>;
    for (int64_t b = 0; b < batch;) {
        const int width = batch - b > W ? 2 * W : W;
        visit(Group{member, b, int(std::min<int64_t>(width, batch - b)), width});
        b += width;
    }
}

template <class S, int Fixed>
void scan_forward(const Problem<S>& p, S* mixed, const View<S>& states) {
    const size_t per_member = size_t(lanes_per_member<S>(p.batch)) * p.n_time * p.latent;
    for (int64_t i = 0; i < p.members; i++) {
        const Map<S> map = member_map(p, i);
        for_each_group<S>(i, p.batch, [&](const Group& group) {
            S* kept = mixed ? mixed + i * per_member + size_t(group.first) * p.n_time * p.latent : nullptr;
            if (group.width == kLanes<S>) forward_group<S, 1, Fixed>(p, map, group, kept, states);
            else forward_group<S, 2, Fixed>(p, map, group, kept, states);
        });
    }
}

template <class S, int Fixed>
void scan_backward(const Problem<S>& p, const Gradients<S>& to) {
    const size_t per_member = size_t(lanes_per_member<S>(p.batch)) * p.n_time * p.latent;
    for (int64_t i = 0; i < p.members; i++) {
        const Map<S> map = member_map(p, i);
        MapGradients<S> found(map.layer);
        for_each_group<S>(i, p.batch, [&](const Group& group) {
            const S* kept = to.mixed + i * per_member + size_t(group.first) * p.n_time * p.latent;
            if (group.width == kLanes<S>) backward_group<S, 1, Fixed>(p, map, group, kept, to, found);
            else backward_group<S, 2, Fixed>(p, map, group, kept, to, found);
        });
        if (to.A) found.write(map.layer, to, i);
    }
}

}  // namespace neurodsr
