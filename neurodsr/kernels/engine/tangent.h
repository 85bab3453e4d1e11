// Tangents along an orbit: Lyapunov exponents, and products of Jacobians with vectors.
//
//     v_{t+1} = J(z_t) v_t,   after every few steps v = Q R,   growth = ln |R_ii|
//
// by modified Gram-Schmidt, whose R is as accurate as Householder's.
#pragma once

#include <cmath>
#include <limits>

#include "jacobian.h"
#include "scan.h"

namespace neurodsr {

struct Exponents {
    Maps<double> maps;
    int64_t batch, tangents, every, discarded, intervals;
    View<const double> z0;
    const double* first;  // [tangent, latent], orthonormal
    View<double> growth;  // [member, start, interval, tangent]; stride 0 adds all intervals up
};

// Below such a length rounding in the Jacobian would show in an exponent.
constexpr double kShort = 1e-12;

// Rows of equal length, whole vectors long.
struct Rows {
    double* v;
    int n, length;
    double* operator[](int k) const { return v + size_t(k) * length; }
};

NEURODSR_INLINE double dot(const double* a, const double* b, int n) {
    Lanes<double> sum = {};
    for (int i = 0; i < n; i += kLanes<double>) sum += load(a + i) * load(b + i);
    return sum_lanes(sum);
}

// to += by * a
NEURODSR_INLINE void add_multiple(double by, const double* a, double* to, int n) {
    for (int i = 0; i < n; i += kLanes<double>) store(to + i, load(to + i) + by * load(a + i));
}

// Length of a vector whose square may leave the range of numbers.
inline double length_of(const double* v, int n) {
    const double square = dot(v, v, n);
    if (square > 1e-200 && square < 1e200) return std::sqrt(square);
    double most = 0, sum = 0;
    for (int i = 0; i < n; i++) most = std::fmax(most, std::fabs(v[i]));
    if (!(most > 0)) return std::isnan(square) ? square : 0;
    for (int i = 0; i < n; i++) sum += v[i] / most * (v[i] / most);
    return most * std::sqrt(sum);
}

// In place of a direction that was flattened: any other one, at right angles to the rows before it.
inline void replace(const Rows& rows, int k, int latent) {
    double* v = rows[k];
    for (int i = 0; i < latent; i++) {
        std::fill_n(v, rows.length, 0.0);
        v[i] = 1;
        for (int j = 0; j < 2 * k; j++)  // twice is enough
            add_multiple(-dot(v, rows[j % k], rows.length), rows[j % k], v, rows.length);
        const double square = dot(v, v, rows.length);
        if (square * 2 * latent < 1) continue;  // one of them keeps at least 1 / latent
        for (int m = 0; m < latent; m++) v[m] /= std::sqrt(square);
        return;
    }
}

// Q in place of the rows, |R_ii| in `lengths`; gives the smallest of them.
inline double orthonormalize(const Rows& rows, int latent, double* lengths) {
    double least = std::numeric_limits<double>::infinity();
    for (int k = 0; k < rows.n; k++) {
        lengths[k] = length_of(rows[k], rows.length);
        least = std::fmin(least, lengths[k]);
        if (lengths[k] > 0) {
            const double by = 1 / lengths[k];
            for (int i = 0; i < rows.length; i += kLanes<double>)
                store(rows[k] + i, by * load(rows[k] + i));
        } else {
            replace(rows, k, latent);
        }
        for (int j = k + 1; j < rows.n; j++)
            add_multiple(-dot(rows[k], rows[j], rows.length), rows[k], rows[j], rows.length);
    }
    return least;
}

// One orbit with its tangents.
template <int Fixed, bool Clipped>
class Orbit {
   public:
    Orbit(const Member<double>& member, const Units<double>& units, int n_tangents,
          bool transposed = false)
        : units_(units),
          jacobian_(member, transposed),
          z_(units.padded),
          v_(size_t(n_tangents) * units.padded),
          spare_(units.padded),
          n_(n_tangents) {}

    double* state() { return z_.data(); }
    Rows tangents() { return {v_.data(), n_, units_.padded}; }
    Jacobian& jacobian() { return jacobian_; }

    // The Jacobian of the state as it is, and the state one step on.
    void advance() {
        advance_single<double, Fixed, Clipped>(
            units_, z_.data(), spare_.data(),
            [&](int vector, auto& u, auto& lower) { jacobian_.look<Clipped>(vector, u, lower); });
        jacobian_.settle();
    }

    void carry() { jacobian_.carry<Fixed>(v_.data(), n_); }

    // A whole interval, and the lengths to which the tangents grew.
    void grow(int64_t every, double* lengths) {
        const Buffer<double> z = z_, v = jacobian_.careful() ? Buffer<double>() : v_;
        const double least = try_to_grow(every, lengths);
        if (least > kShort || jacobian_.careful()) return;
        jacobian_.be_careful();
        z_ = z;
        v_ = v;
        try_to_grow(every, lengths);
    }

    bool finite() const {
        const auto is_finite = [](double x) { return std::isfinite(x); };
        return std::all_of(z_.begin(), z_.begin() + units_.latent, is_finite);
    }

   private:
    double try_to_grow(int64_t every, double* lengths) {
        for (int64_t i = 0; i < every; i++) {
            advance();
            carry();
        }
        return orthonormalize(tangents(), units_.latent, lengths);
    }

    const Units<double>& units_;
    Jacobian jacobian_;
    Buffer<double> z_, v_;
    std::vector<Lanes<double>> spare_;
    int n_;
};

template <int Fixed, bool Clipped>
void follow(const Exponents& p, const Member<double>& member, const Units<double>& units, int64_t i,
            int64_t start) {
    const int n = int(p.tangents), latent = member.latent;
    Orbit<Fixed, Clipped> orbit(member, units, n);
    read_sample<double>(p.z0, i, start, 0, 1, latent, orbit.state());
    for (int k = 0; k < n; k++) std::copy_n(p.first + k * latent, latent, orbit.tangents()[k]);
    for (int64_t t = 0; t < p.intervals; t++)
        for (int k = 0; k < n; k++) p.growth.at(i, start, t)[k * p.growth.latent] = 0;
    std::vector<double> lengths(n);
    bool lost = false;
    for (int64_t interval = -p.discarded; interval < p.intervals; interval++) {
        // A state that is not finite never becomes so again, and its tangents mean nothing.
        if (!lost) {
            orbit.grow(p.every, lengths.data());
            lost = !orbit.finite();
        }
        for (int k = 0; interval >= 0 && k < n; k++)
            p.growth.at(i, start, interval)[k * p.growth.latent] +=
                lost ? std::numeric_limits<double>::quiet_NaN() : std::log(lengths[k]);
    }
}

}  // namespace neurodsr
