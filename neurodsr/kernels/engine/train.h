// Training of a clipped shallow map by generalized teacher forcing: many steps in one call.
//
//     loss = mean over samples and bins of |z_t - path_t|^2 / variance + 2 decay (|W1|^2 + |W2|^2)
//
// with A = tanh(a); the penalty is that of the canonical form, in which every weight stands twice.
#pragma once

#include <cmath>

#include "draws.h"
#include "optimizer.h"
#include "scan.h"

namespace neurodsr {

// What is trained on, and how; Python's TrainingProblem with its Schedule from step `first` on.
template <class S>
struct Training {
    int64_t latent, hidden, window, batch, n_starts, first, n_steps;
    uint64_t seed;
    double variance, weight_decay, max_gradient;
    const S* path;          // [bin, latent]
    const int64_t* starts;  // the bins where a window may begin
    const S* noise;         // sd of each latent, null for none
    const double *alpha, *rate, *keep;
    S* numbers;  // [value, mean, square, average][parameter]
    double* losses;
};

// Parameters of a member, or their gradient, laid end to end.
template <class S>
struct Parts {
    Parts(S* all, size_t latent, size_t hidden)
        : a(all), W1(a + latent), W2(W1 + latent * hidden), h1(W2 + latent * hidden), h2(h1 + latent) {}
    S *a, *W1, *W2, *h1, *h2;
};

template <class S>
int64_t n_parameters(const Training<S>& t) {
    return 2 * t.latent + 2 * t.latent * t.hidden + t.hidden;
}

// The windows of one group at one step, as [time, latent, lane].
template <class S>
class Windows {
   public:
    explicit Windows(const Training<S>& t)
        : t_(t),
          line_(size_t(t.latent) * 2 * kLanes<S>),
          bins_((t.window + 1) * line_),
          noisy_(t.noise ? (t.window + 1) * line_ : 0) {}

    template <int Blocks>
    void draw(const Group& group, int64_t step) {
        constexpr int width = Blocks * kLanes<S>;
        const uint64_t seed = step_seed(t_.seed, Purpose::windows, step);
        const S* from[width];
        for (int lane = 0; lane < width; lane++) {
            const int sample = group.first + std::min(lane, group.filled - 1);
            const uint64_t pick = draw_below(t_.n_starts, draw_word(seed, sample, 0));
            from[lane] = t_.path + t_.starts[pick] * t_.latent;
        }
        S* to = bins_.data();
        for (int64_t i = 0; i < (t_.window + 1) * t_.latent; i++, to += width)
            for (int lane = 0; lane < width; lane++) to[lane] = from[lane][i];
        if (t_.noise) add_noise(group, step);
    }

    // What the map is forced with, and what it should give one bin later.
    const S* forcing() const { return t_.noise ? noisy_.data() : bins_.data(); }
    const S* next(const Group& group) const { return &bins_[t_.latent * group.width]; }

   private:
    void add_noise(const Group& group, int64_t step) {
        const Noise<S> noise{t_.noise, member_key(step_seed(t_.seed, Purpose::noise, step), 0)};
        noise.draw(group, 0, int(t_.window), int(t_.latent), noisy_.data());
        const int64_t n = t_.window * t_.latent * group.width;
        for (int64_t i = 0; i < n; i++) noisy_[i] += bins_[i];
    }

    const Training<S>& t_;
    size_t line_;
    Buffer<S> bins_, noisy_;  // with room for one bin more: noise comes in pairs of bins
};

// The loss of a step and its gradient.
template <class S, int Fixed>
class BatchLoss {
   public:
    explicit BatchLoss(const Training<S>& t)
        : t_(t),
          map_(int(t.latent), int(t.hidden)),
          windows_(t),
          hidden_line_(size_t(map_.layer.padded) * 2 * kLanes<S>),
          chunk_(Fixed ? kChunk : chunk_length(2 * hidden_line_ * sizeof(S))),
          mixed_(size_t(t.window) * t.latent * 2 * kLanes<S>),
          errors_(mixed_.size()),
          carry_(size_t(t.latent) * 2 * kLanes<S>),
          g_(chunk_ * carry_.size()),
          units_(Fixed ? 0 : chunk_ * hidden_line_),
          d_(units_.size()) {}

    // The gradient of all parameters goes to `gradient`.
    double find(int64_t step, const S* parameters, S* gradient) {
        const Parts<const S> from(parameters, t_.latent, t_.hidden);
        for (int m = 0; m < t_.latent; m++) map_.A[m] = std::tanh(from.a[m]);
        map_.h1.assign(from.h1, from.h1 + t_.latent);
        map_.layer.pack(from.W1, from.W2, from.h2);
        MapGradients<S> found(map_.layer);
        double loss = 0;
        for_each_group<S>(0, t_.batch, [&](const Group& group) {
            loss += group.width == kLanes<S> ? run<1>(group, step, found) : run<2>(group, step, found);
        });
        return loss + collect(from, found, Parts<S>(gradient, t_.latent, t_.hidden));
    }

   private:
    template <int Blocks>
    double run(const Group& group, int64_t step, MapGradients<S>& found) {
        windows_.template draw<Blocks>(group, step);
        const S alpha = S(t_.alpha[step - t_.first]), *forcing = windows_.forcing();
        const size_t line = size_t(t_.latent) * Blocks * kLanes<S>;
        Stretch<S> stretch{int(t_.window), true, forcing, nullptr, alpha, nullptr};
        std::copy_n(forcing, line, carry_.data());
        run_forward<S, Blocks, Fixed, true>(map_, stretch, carry_.data(), mixed_.data(), errors_.data());
        const double loss = compare<Blocks>(group);
        std::fill_n(carry_.data(), line, S(0));
        const Trail<S> trail{g_.data(), units_.data(), d_.data()};
        for (int end = stretch.n_time, t; end > 0; end = t) {
            t = (end - 1) / chunk_ * chunk_;
            const Stretch<S> part{end - t, true, forcing + t * line, nullptr, alpha, nullptr};
            const S* mixed = mixed_.data() + t * line;
            run_backward<S, Blocks, Fixed, true>(map_, part, mixed, errors_.data() + t * line,
                                                 carry_.data(), nullptr, trail, found.sums);
            add_weight_gradients<S, Blocks, Fixed, true>(map_.layer, part.n_time, trail, mixed,
                                                         found.of_layer);
            found.end_stretch();
        }
        return loss;
    }

    // The loss of a group; its states become the gradients of themselves. Idle lanes count nothing.
    template <int Blocks>
    double compare(const Group& group) {
        constexpr int W = kLanes<S>;
        const double scale = 1 / (double(t_.batch) * t_.window * t_.variance);
        Lanes<S> weight[Blocks] = {}, sums[Blocks] = {};
        for (int lane = 0; lane < group.filled; lane++) weight[lane / W][lane % W] = S(2 * scale);
        const S* next = windows_.next(group);
        for (int64_t i = 0; i < t_.window * t_.latent; i++)
            for (int b = 0; b < Blocks; b++) {
                const size_t at = (i * Blocks + b) * W;
                const Lanes<S> error = load(&errors_[at]) - load(next + at);
                sums[b] += error * error;
                store(&errors_[at], weight[b] * error);
            }
        double total = 0;
        for (int lane = 0; lane < group.filled; lane++) total += sums[lane / W][lane % W];
        return total * scale;
    }

    // Writes the gradient, that of the penalty included, and gives the penalty.
    double collect(const Parts<const S>& at, MapGradients<S>& found, Parts<S> to) {
        Gradients<S> of_map{};
        of_map.A = to.a;
        of_map.W1 = to.W1;
        of_map.W2 = to.W2;
        of_map.h1 = to.h1;
        of_map.h2 = to.h2;
        found.write(map_.layer, of_map, 0);
        for (int m = 0; m < t_.latent; m++) to.a[m] *= 1 - map_.A[m] * map_.A[m];
        const S decay = S(t_.weight_decay);
        double squares = 0;
        for (int64_t i = 0; i < 2 * t_.latent * t_.hidden; i++) {  // W2 lies behind W1
            to.W1[i] += 4 * decay * at.W1[i];
            squares += double(at.W1[i]) * at.W1[i];
        }
        return 2 * t_.weight_decay * squares;
    }

    const Training<S>& t_;
    Map<S> map_;
    Windows<S> windows_;
    size_t hidden_line_;
    int chunk_;
    Buffer<S> mixed_, errors_, carry_, g_, units_, d_;
};

// Takes the steps, and gives how many it took: fewer than asked where a loss or a gradient is not
// finite; then the numbers are those before that step.
template <class S, int Fixed>
int64_t train(const Training<S>& t) {
    const int64_t n = n_parameters(t);
    BatchLoss<S, Fixed> loss(t);
    Buffer<S> gradient(n);
    S *value = t.numbers, *mean = value + n, *square = mean + n, *average = square + n;
    for (int64_t i = 0; i < t.n_steps; i++) {
        t.losses[i] = loss.find(t.first + i, value, gradient.data());
        clip(n, S(t.max_gradient), gradient.data());
        if (!std::isfinite(t.losses[i]) || !all_finite(n, gradient.data())) return i;
        take_radam_step(n, t.first + i + 1, t.rate[i], gradient.data(), value, mean, square);
        follow(n, S(t.keep[i]), value, average);
    }
    return t.n_steps;
}

}  // namespace neurodsr
