// What follows a gradient: clipping, RAdam with the defaults of torch.optim.RAdam, and an average.
#pragma once

#include <cmath>
#include <cstdint>

namespace neurodsr {

// Scales a gradient down to a norm, as training/loop.py's `clip_members` does.
template <class S>
void clip(int64_t n, S max_norm, S* gradient) {
    constexpr int kSums = 16;  // one would be a chain of waits
    S sums[kSums] = {}, total = 0;
    int64_t i = 0;
    for (; i + kSums <= n; i += kSums)
        for (int j = 0; j < kSums; j++) sums[j] += gradient[i + j] * gradient[i + j];
    for (; i < n; i++) total += gradient[i] * gradient[i];
    for (int j = 0; j < kSums; j++) total += sums[j];
    const S factor = max_norm / (std::sqrt(total) + S(1e-6));
    if (!(factor >= 1))  // so written that a norm that is not a number spoils the gradient
        for (i = 0; i < n; i++) gradient[i] *= factor;
}

template <class S>
bool all_finite(int64_t n, const S* x) {
    bool finite = true;
    for (int64_t i = 0; i < n; i++) finite &= std::isfinite(x[i]);
    return finite;
}

// Step number `step`, from 1 on (Liu et al. 2020, ICLR): Adam whose adaptive rate waits until its
// estimate of the variance is worth something.
template <class S>
void take_radam_step(int64_t n, int64_t step, double rate, const S* gradient, S* __restrict value,
                     S* __restrict mean, S* __restrict square) {
    constexpr double beta1 = 0.9, beta2 = 0.999, longest = 2 / (1 - beta2) - 1;
    const double power = std::pow(beta2, step), seen = 1 - power;
    const double length = longest - 2 * step * power / seen;
    const double rectified = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length);
    const bool adaptive = length > 5;
    const S size = S(rate / (1 - std::pow(beta1, step)) * (adaptive ? std::sqrt(seen * rectified) : 1));
    for (int64_t i = 0; i < n; i++) {
        mean[i] += (gradient[i] - mean[i]) * S(1 - beta1);
        square[i] = square[i] * S(beta2) + gradient[i] * gradient[i] * S(1 - beta2);
        const S direction = adaptive ? mean[i] / (std::sqrt(square[i]) + S(1e-8)) : mean[i];
        value[i] -= size * direction;
    }
}

// average <- keep average + (1 - keep) value
template <class S>
void follow(int64_t n, S keep, const S* value, S* __restrict average) {
    for (int64_t i = 0; i < n; i++) average[i] = value[i] + keep * (average[i] - value[i]);
}

}  // namespace neurodsr
