// The scan of the almost-linear map over all members, samples and bins, and its plain C interface.
#include "almost_linear.h"

namespace neurodsr {

// One scan; tensors of the map are contiguous with a leading member axis.
template <class S>
struct AlmostLinearProblem {
    int64_t members, batch, n_time, latent, linear;
    const S *A, *W, *h;
    View<const S> z0, target, alpha, drive;
};

// The gradients; `mixed` is the forward pass's, any pointer may be null where nobody asked.
template <class S>
struct AlmostLinearGradients {
    const S* mixed;
    View<const S> grad;
    S *A, *W, *h;
    View<S> z0, target, drive;
};

constexpr int kStretch = 16;  // steps between visits to the caller's tensors: buffers stay in the cache

template <class S>
AlmostLinearMap<S> map_of(const AlmostLinearProblem<S>& p, int64_t member, bool turned) {
    const int64_t n = p.latent, i = member * n;
    return {int(n), int(p.linear), p.A + i, p.W + i * n, p.h + i, turned};
}

// The forcing of some steps; `buffer` holds what is not the same everywhere.
template <class S>
AlmostLinearStretch<S> read_forcing(const AlmostLinearProblem<S>& p, const Group& group, int64_t t,
                                    int n_time, Buffer<S>& buffer) {
    const View<const S>& alpha = p.alpha;
    AlmostLinearStretch<S> in{n_time, p.target.given(), p.drive.given(), nullptr, S(0)};
    if (!in.forced) return in;
    if (!alpha.batch && !alpha.time && !alpha.latent) {
        in.constant = *alpha.at(group.member, 0, 0);
    } else {
        buffer.resize(size_t(kStretch) * p.latent * kLanes<S>);
        gather<S>(alpha, group, t, n_time, int(p.latent), buffer.data());
        in.alpha = buffer.data();
    }
    return in;
}

template <class S>
void forward_group(const AlmostLinearProblem<S>& p, const AlmostLinearMap<S>& map, const Group& group,
                   S* mixed, const View<S>& to) {
    const int latent = map.latent;
    const size_t line = size_t(latent) * kLanes<S>;
    Buffer<S> z(line), states(kStretch * line), alpha, own(mixed ? 0 : kStretch * line);
    gather<S>(p.z0, group, 0, 1, latent, z.data());
    for (int64_t t = 0; t < p.n_time; t += kStretch) {
        const int n = int(std::min<int64_t>(kStretch, p.n_time - t));
        S* x = mixed ? mixed + t * line : own.data();
        const auto in = read_forcing(p, group, t, n, alpha);
        if (in.forced) gather<S>(p.target, group, t, n, latent, x);
        if (in.driven) gather<S>(p.drive, group, t, n, latent, states.data());
        run_stretch(map, in, z.data(), x, states.data());
        scatter(to, group, t, n, latent, states.data());
        std::copy_n(&states[(n - 1) * line], line, z.data());
    }
}

template <class S>
void backward_group(const AlmostLinearProblem<S>& p, const AlmostLinearMap<S>& map, const Group& group,
                    const S* mixed, const AlmostLinearGradients<S>& to, AlmostLinearSums<S>& sums) {
    const int latent = map.latent, W = kLanes<S>;
    const size_t line = size_t(latent) * W;
    Buffer<S> carry(line), g(kStretch * line), bent(kStretch * (line + kTile * W)), alpha;
    Buffer<S> target(to.target.given() ? kStretch * line : 0);
    const AlmostLinearTrail<S> trail{g.data(), carry.data(), bent.data(),
                                     target.empty() ? nullptr : target.data()};
    for (int64_t end = p.n_time, t; end > 0; end = t) {
        t = (end - 1) / kStretch * kStretch;
        const int n = int(end - t);
        gather<S, Idle::zero>(to.grad, group, t, n, latent, g.data());
        S* last = &g[(n - 1) * line];
        for (size_t i = 0; i < line; i++) last[i] += carry[i];
        std::fill(carry.begin(), carry.end(), S(0));
        retreat_stretch(map, read_forcing(p, group, t, n, alpha), mixed + t * line, trail, sums);
        if (to.target.given()) scatter(to.target, group, t, n, latent, target.data());
        if (to.drive.given()) scatter(to.drive, group, t, n, latent, g.data());
        if (!to.W) continue;
        for_each_tile<kTile>(latent, [&](int first, auto size) {
            add_products<S, 1, size>(n, latent, &bent[size_t(first) * n * W], g.data(),
                                     &sums.W[size_t(first) * latent]);
        });
    }
    if (to.z0.given()) scatter(to.z0, group, 0, 1, latent, carry.data());
}

// Calls visit(group, where its mixed states lie) with a member's samples, a vector at a time.
template <class S, class Pointer, class Visit>
void for_each_group(const AlmostLinearProblem<S>& p, int64_t member, Pointer mixed, Visit visit) {
    const int64_t W = kLanes<S>, per_member = (p.batch + W - 1) / W * W;
    for (int64_t b = 0; b < p.batch; b += W)
        visit(Group{member, b, int(std::min(p.batch - b, W)), int(W)},
              mixed ? mixed + (member * per_member + b) * p.n_time * p.latent : nullptr);
}

template <class S>
void almost_linear_forward(const AlmostLinearProblem<S>& p, S* mixed, const View<S>& states) {
    for (int64_t i = 0; i < p.members; i++) {
        const auto map = map_of(p, i, false);
        for_each_group(p, i, mixed,
                       [&](const Group& group, S* kept) { forward_group(p, map, group, kept, states); });
    }
}

template <class S>
void almost_linear_backward(const AlmostLinearProblem<S>& p, const AlmostLinearGradients<S>& to) {
    for (int64_t i = 0; i < p.members; i++) {
        const auto map = map_of(p, i, true);
        AlmostLinearSums<S> sums(map.latent);
        for_each_group(p, i, to.mixed, [&](const Group& group, const S* kept) {
            backward_group(p, map, group, kept, to, sums);
        });
        const int64_t at = i * p.latent;
        if (to.W) sums.write(to.A + at, to.W + at * p.latent, to.h + at);
    }
}

}  // namespace neurodsr

#define NEURODSR_API extern "C" __attribute__((visibility("default")))

NEURODSR_API void neurodsr_almost_linear_forward_f32(const neurodsr::AlmostLinearProblem<float>* p,
                                                     float* mixed, const neurodsr::View<float>* states) {
    neurodsr::almost_linear_forward(*p, mixed, *states);
}
NEURODSR_API void neurodsr_almost_linear_forward_f64(const neurodsr::AlmostLinearProblem<double>* p,
                                                     double* mixed,
                                                     const neurodsr::View<double>* states) {
    neurodsr::almost_linear_forward(*p, mixed, *states);
}
NEURODSR_API void neurodsr_almost_linear_backward_f32(const neurodsr::AlmostLinearProblem<float>* p,
                                                      const neurodsr::AlmostLinearGradients<float>* to) {
    neurodsr::almost_linear_backward(*p, *to);
}
NEURODSR_API void neurodsr_almost_linear_backward_f64(const neurodsr::AlmostLinearProblem<double>* p,
                                                      const neurodsr::AlmostLinearGradients<double>* to) {
    neurodsr::almost_linear_backward(*p, *to);
}
