// Tensors as the caller has them, with any strides, and their way into lanes and back.
#pragma once

#include "transpose.h"

namespace neurodsr {

// A tensor [member, batch, time, latent]; strides count elements, 0 repeats; data may be null.
template <class S>
struct View {
    S* data;
    int64_t member, batch, time, latent;

    bool given() const { return data != nullptr; }
    S* at(int64_t m, int64_t b, int64_t t) const { return data + m * member + b * batch + t * time; }
};

// A group of `width` samples of one member, `filled` of them real.
struct Group {
    int64_t member, first;
    int filled, width;
};

// What the lanes without a sample hold: another sample, so that what they compute stays finite, or
// nothing, so that sums over lanes are right.
enum class Idle { repeats, zero };

// Whether a sample's numbers of n_time bins lie in memory without gaps, and fill a vector.
template <class S>
bool lies_flat(const View<S>& view, int n_time, int latent) {
    return view.latent == 1 && (view.time == latent || n_time == 1) && n_time * latent >= kLanes<S>;
}

// [time, latent, lane] <- samples of a view from bin `t` on.
template <class S, Idle idle = Idle::repeats>
void gather(const View<const S>& view, const Group& group, int64_t t, int n_time, int latent, S* out) {
    const int width = group.width, known = idle == Idle::zero ? group.filled : width;
    const auto sample = [&](int lane) {
        return view.at(group.member, group.first + std::min(lane, group.filled - 1), t);
    };
    if (lies_flat(view, n_time, latent)) {
        for (int first = 0; first < width; first += kLanes<S>) {
            const S* from[kLanes<S>];
            for (int lane = 0; lane < kLanes<S>; lane++) from[lane] = sample(first + lane);
            into_lanes<S>(from, known - first, n_time * latent, width, out + first);
        }
    } else if (!view.batch && known == width) {
        for (int i = 0; i < n_time; i++)
            for (int m = 0; m < latent; m++, out += width)
                std::fill_n(out, width, sample(0)[i * view.time + m * view.latent]);
    } else {
        for (int lane = 0; lane < width; lane++)
            for (int i = 0; i < n_time; i++)
                for (int m = 0; m < latent; m++)
                    out[(size_t(i) * latent + m) * width + lane] =
                        lane < known ? sample(lane)[i * view.time + m * view.latent] : S(0);
    }
}

// Samples of a view <- [time, latent, lane].
template <class S>
void scatter(const View<S>& view, const Group& group, int64_t t, int n_time, int latent, const S* in) {
    const auto sample = [&](int lane) { return view.at(group.member, group.first + lane, t); };
    if (lies_flat(view, n_time, latent)) {
        for (int first = 0; first < group.filled; first += kLanes<S>) {
            const int filled = std::min(group.filled - first, kLanes<S>);
            S* to[kLanes<S>] = {};
            for (int lane = 0; lane < filled; lane++) to[lane] = sample(first + lane);
            out_of_lanes<S>(in + first, group.width, n_time * latent, filled, to);
        }
    } else {
        for (int lane = 0; lane < group.filled; lane++)
            for (int i = 0; i < n_time; i++)
                for (int m = 0; m < latent; m++)
                    sample(lane)[i * view.time + m * view.latent] =
                        in[(size_t(i) * latent + m) * group.width + lane];
    }
}

}  // namespace neurodsr
