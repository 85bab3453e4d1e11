// Tangents of many starts of a map with few latents: starts in the lanes.
//
//     J = diag(A) + sum over units of level * W1[:, unit] W2[unit, :]
//
// where level is 1 of a unit that is on, else 0, and the products of weights are made once. Only units
// that changed in one of the lanes are added to the sum of the step before.
#pragma once

#include "functions.h"
#include "tangent.h"

namespace neurodsr {

// The units of a map one after the other: W2 and h2, W1, then all products of W1 and W2.
template <int Fixed>
struct UnitRecords {
    static constexpr int kBias = Fixed, kOut = Fixed + 1, kProducts = 2 * Fixed + 1,
                         kSize = kProducts + Fixed * Fixed;

    explicit UnitRecords(const Member<double>& member) : all(size_t(member.hidden) * kSize) {
        for (int l = 0; l < member.hidden; l++) {
            double* to = &all[size_t(l) * kSize];
            std::copy_n(member.W2 + l * Fixed, Fixed, to);
            to[kBias] = member.h2[l];
            for (int i = 0; i < Fixed; i++) {
                const double w1 = to[kOut + i] = member.W1[i * member.row + l];
                for (int j = 0; j < Fixed; j++) to[kProducts + i * Fixed + j] = w1 * to[j];
            }
        }
    }

    Buffer<double> all;
};

// A group of starts with their tangents.
template <int Fixed, bool Clipped>
class Crowd {
   public:
    using V = Lanes<double>;

    Crowd(const Member<double>& member, const UnitRecords<Fixed>& units, int n_tangents)
        : member_(member), units_(units), n_(n_tangents), units_on_(member.hidden) {}

    V z[Fixed], v[Fixed][Fixed];  // state; [tangent][latent]

    // One step of everything.
    void advance() {
        constexpr int M = Fixed;
        using Records = UnitRecords<Fixed>;
        V out[M];
        if (age_++ % kNew == 0) forget();
        for (int i = 0; i < M; i++) out[i] = z[i] * member_.A[i] + member_.h1[i];
        const double* w = units_.all.data();
        for (On& known : units_on_) {
            V lower = z[0] * w[0] + (Clipped ? 0.0 : w[Records::kBias]);
#pragma GCC unroll 6
            for (int m = 1; m < M; m++) lower += z[m] * w[m];
            const V upper = Clipped ? lower + w[Records::kBias] : lower;
            const V hidden = Clipped ? relu(upper) - relu(lower) : relu(upper);
#pragma GCC unroll 6
            for (int i = 0; i < M; i++) out[i] += hidden * w[Records::kOut + i];
            const uint32_t on = positive_lanes(upper), low = Clipped ? positive_lanes(lower) : 0;
            if ((on ^ known.upper) | (low ^ known.lower)) {
                const V one = V{} + 1.0, off = Clipped ? where_positive(lower, one) : V{};
                const V level = where_positive(upper, one) - off, change = level - known.level;
                known = {level, on, low};
#pragma GCC unroll 36
                for (int i = 0; i < M * M; i++) J_[i] += change * w[Records::kProducts + i];
            }
            w += Records::kSize;
        }
        for (int k = 0; k < n_; k++) carry(J_, v[k]);
        for (int i = 0; i < M; i++) z[i] = out[i];
    }

    // Q in place of the tangents, |R_ii| in `lengths`, by modified Gram-Schmidt.
    void orthonormalize(V* lengths) {
        for (int k = 0; k < n_; k++) {
            lengths[k] = root_of<double>(dot(v[k], v[k]));
            const V shorten = 1.0 / lengths[k];
            for (int m = 0; m < Fixed; m++) v[k][m] *= shorten;
            for (int j = k + 1; j < n_; j++) {
                const V by = dot(v[k], v[j]);
                for (int m = 0; m < Fixed; m++) v[j][m] -= by * v[k][m];
            }
        }
    }

    // 0 in the lanes whose state is finite, NaN in the others.
    V lost() const {
        V sum = {};
        for (int m = 0; m < Fixed; m++) sum += z[m] - z[m];
        return sum;
    }

   private:
    struct On {
        V level = {};
        uint32_t upper = 0, lower = 0;  // a bit for each lane
    };

    // Begins the sum of the Jacobian again.
    void forget() {
        for (int i = 0; i < Fixed; i++)
            for (int j = 0; j < Fixed; j++) J_[i * Fixed + j] = V{} + (i == j ? member_.A[i] : 0.0);
        std::fill(units_on_.begin(), units_on_.end(), On{});
    }

    static V dot(const V* a, const V* b) {
        V sum = {};
        for (int m = 0; m < Fixed; m++) sum += a[m] * b[m];
        return sum;
    }

    static void carry(const V* J, V* tangent) {
        V next[Fixed];
        for (int i = 0; i < Fixed; i++) next[i] = dot(J + i * Fixed, tangent);
        for (int i = 0; i < Fixed; i++) tangent[i] = next[i];
    }

    const Member<double>& member_;
    const UnitRecords<Fixed>& units_;
    static constexpr int64_t kNew = 64;  // steps after which no rounding has piled up yet
    int n_;
    int64_t age_ = 0;
    std::vector<On> units_on_;
    V J_[Fixed * Fixed];
};

// The growth of a group. The result is above 0 in the lanes where a tangent became so short or so long
// that its start has to be followed alone, with more care.
template <int Fixed, bool Clipped>
Lanes<double> follow_crowd(const Exponents& p, const Member<double>& member,
                           const UnitRecords<Fixed>& units, const Group& group) {
    constexpr int W = kLanes<double>;
    // Where intervals are summed, one logarithm serves several; their product stays a number.
    const int n = int(p.tangents), together = p.growth.time ? 1 : 8;
    Crowd<Fixed, Clipped> crowd(member, units, n);
    alignas(64) double z[Fixed * W];
    gather<double>(p.z0, group, 0, 1, Fixed, z);
    for (int m = 0; m < Fixed; m++) crowd.z[m] = load(z + m * W);
    for (int k = 0; k < n; k++)
        for (int m = 0; m < Fixed; m++) crowd.v[k][m] = Lanes<double>{} + p.first[k * Fixed + m];
    const Lanes<double> one = Lanes<double>{} + 1.0;
    Lanes<double> lengths[Fixed], product[Fixed], delicate = {};
    for (int k = 0; k < n; k++) product[k] = one;
    for (int64_t t = -p.discarded; t < p.intervals; t++) {
        for (int64_t i = 0; i < p.every; i++) crowd.advance();
        crowd.orthonormalize(lengths);
        for (int k = 0; k < n; k++) {
            delicate += (lengths[k] >= kShort) & (lengths[k] <= 1 / kShort) ? Lanes<double>{} : one;
            product[k] *= t < 0 ? one : lengths[k];
        }
        if (t < 0 || ((t + 1) % together && t + 1 < p.intervals)) continue;
        for (int k = 0; k < n; k++) {
            const Lanes<double> growth = log_of<double>(product[k]) + crowd.lost();
            product[k] = one;
            for (int lane = 0; lane < group.filled; lane++)
                p.growth.at(group.member, group.first + lane, t)[k * p.growth.latent] += growth[lane];
        }
    }
    return delicate;
}

// The growth of all starts of a member, side by side where they fill half of the lanes.
template <int Fixed, bool Clipped>
void follow_all(const Exponents& p, const Member<double>& member, int64_t i) {
    constexpr int W = kLanes<double>;
    const Units<double> units(member);
    for (int64_t b = 0; b < p.batch; b += W) {
        const int filled = int(std::min<int64_t>(W, p.batch - b));
        Lanes<double> alone = Lanes<double>{} + 1.0;
        if constexpr (Fixed > 0) {
            if (2 * filled >= W)
                alone = follow_crowd<Fixed, Clipped>(p, member, UnitRecords<Fixed>(member),
                                                     {i, b, filled, W});
        }
        for (int lane = 0; lane < filled; lane++)
            if (alone[lane] > 0) follow<Fixed, Clipped>(p, member, units, i, b + lane);
    }
}

inline void add_growth(const Exponents& p) {
    for (int64_t i = 0; i < p.maps.members; i++) {
        const Member<double> member(p.maps, i);
        with_form<double>(p.maps.latent, member.clipped, [&](auto fixed, auto clipped) {
            follow_all<fixed.value, clipped.value>(p, member, i);
        });
    }
}

}  // namespace neurodsr
