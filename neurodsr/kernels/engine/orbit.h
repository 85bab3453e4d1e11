// Free runs: the map on its own from many starts, with or without process noise.
//
//     z_{t+1} = F(z_t) + sd e_t,   e_t standard normal
//
// Starts lie in the lanes; a few alone run one after the other with units in the lanes, which takes a
// fraction of the time.
#pragma once

#include "noise.h"
#include "scan.h"
#include "single.h"

namespace neurodsr {

template <class S>
struct FreeRun {
    Maps<S> maps;
    int64_t batch, n_steps, every, kept;
    uint64_t seed;
    View<const S> z0;
    const S* noise;  // sd [member, latent], or null
    View<S> states;  // after every `every`-th step, the last `kept` of them, up to the last step

    Noise<S> noise_of(int64_t member) const {
        return {noise ? noise + member * maps.latent : nullptr, member_key(seed, member)};
    }

    // Whether any of these steps is kept.
    bool keeps(int64_t t, int n) const { return t + n > first(); }

    // Keeps what is to be kept of steps [t, t + n); lines of `out` are moved together on the way.
    void keep(const Group& group, int64_t t, int n, S* out) const {
        const size_t line = size_t(maps.latent) * group.width;
        const int64_t i = t > first() ? (t - first() + every - 1) / every : 0;
        int count = 0;
        for (int64_t s = first() + i * every - t; s < n; s += every, count++)
            if (s != count) std::memcpy(out + count * line, out + s * line, line * sizeof(S));
        if (group.width > 1) scatter(states, group, i, count, int(maps.latent), out);
        else write_sample(states, group.member, group.first, i, count, int(maps.latent), out);
    }

   private:
    int64_t first() const { return n_steps - 1 - every * (kept - 1); }
};

// Starts in the lanes of `Blocks` vectors.
template <class S, int Blocks, int Fixed, bool Clipped>
void run_group(const FreeRun<S>& p, const Map<S>& map, const Noise<S>& noise, const Group& group) {
    const int latent = int(p.maps.latent);
    const size_t line = size_t(latent) * group.width;
    Buffer<S> z(line), out(kChunk * line), drive(noise.sd ? kChunk * line : 0);
    gather<S>(p.z0, group, 0, 1, latent, z.data());
    for (int64_t t = 0; t < p.n_steps; t += kChunk) {
        const int n = int(std::min<int64_t>(kChunk, p.n_steps - t));
        if (noise.sd) noise.draw(group, t, n, latent, drive.data());
        const Stretch<S> in{n, false, nullptr, nullptr, S(0), noise.sd ? drive.data() : nullptr};
        const bool kept = p.keeps(t, n);
        run_forward<S, Blocks, Fixed, Clipped>(map, in, z.data(), nullptr, kept ? out.data() : nullptr);
        if (kept) p.keep(group, t, n, out.data());
    }
}

// One start, units in the lanes.
template <class S, int Fixed, bool Clipped>
void run_single(const FreeRun<S>& p, Units<S>& units, const Noise<S>& noise, int64_t member,
                int64_t sample) {
    const Group group{member, sample, 1, 1};
    const int latent = latents<Fixed>(units.latent);
    Buffer<S> z(units.padded), out(size_t(kChunk) * latent), drive(noise.sd ? out.size() : 0);
    std::vector<Lanes<S>> spare(units.padded);
    read_sample<S>(p.z0, member, sample, 0, 1, latent, z.data());
    for (int64_t t = 0; t < p.n_steps; t += kChunk) {
        const int n = int(std::min<int64_t>(kChunk, p.n_steps - t));
        if (noise.sd) noise.draw_one(sample, t, n, latent, drive.data());
        for (int i = 0; i < n; i++) {
            advance_single<S, Fixed, Clipped>(units, z.data(), spare.data(), [](auto&&...) {});
            for (int m = 0; noise.sd && m < latent; m++) z[m] += drive[size_t(i) * latent + m];
            std::copy_n(z.data(), latent, &out[size_t(i) * latent]);
        }
        if (p.keeps(t, n)) p.keep(group, t, n, out.data());
    }
}

// Whether so few starts are faster one by one; the more latents, the more so, as was measured.
template <class S, int Fixed>
bool suits_single(int64_t batch) {
    return (Fixed ? 8 : 3) * batch <= kLanes<S>;
}

template <class S, int Fixed, bool Clipped>
void run_member(const FreeRun<S>& p, const Member<S>& member, int64_t i) {
    const Noise<S> noise = p.noise_of(i);
    if (suits_single<S, Fixed>(p.batch)) {
        Units<S> units(member);
        for (int64_t b = 0; b < p.batch; b++) run_single<S, Fixed, Clipped>(p, units, noise, i, b);
        return;
    }
    constexpr int known = sizeof(S) == sizeof(double) ? 0 : Fixed;  // as in the scan
    const Map<S> map = member.in_tiles();
    for_each_group<S>(i, p.batch, [&](const Group& group) {
        if (group.width == kLanes<S>) run_group<S, 1, known, Clipped>(p, map, noise, group);
        else run_group<S, 2, known, Clipped>(p, map, noise, group);
    });
}

template <class S>
void run_freely(const FreeRun<S>& p) {
    for (int64_t i = 0; i < p.maps.members; i++) {
        const Member<S> member(p.maps, i);
        with_form<S>(p.maps.latent, member.clipped, [&](auto fixed, auto clipped) {
            run_member<S, fixed.value, clipped.value>(p, member, i);
        });
    }
}

}  // namespace neurodsr
