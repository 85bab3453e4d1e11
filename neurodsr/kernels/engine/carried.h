// Products of Jacobians along an orbit with vectors: what becomes of small perturbations.
//
//     on:    J(z_{T-1}) ... J(z_0) v          back:  J(z_0)' ... J(z_{T-1})' v
#pragma once

#include "tangent.h"

namespace neurodsr {

struct Products {
    Maps<double> maps;
    int64_t batch, vectors, n_steps;
    View<const double> z0;
    View<double> v;  // [member, start, vector, latent], replaced by its product
    double* states;  // room for [step, latent] on the way back, null on the way on
};

// The vectors of one start. Gives up, with false, where a vector shrinks so much in one step that
// rounding in the Jacobian would show, unless `careful`.
template <bool Clipped>
bool try_to_carry(const Products& p, Orbit<0, Clipped>& orbit, int latent, int64_t i, int64_t start,
                  bool careful) {
    const Rows v = orbit.tangents();
    const auto carry = [&] {
        bool fine = true;
        std::vector<double> before(v.n);
        for (int k = 0; k < v.n; k++) before[k] = dot(v[k], v[k], v.length);
        orbit.carry();
        for (int k = 0; k < v.n; k++)
            fine &= !(dot(v[k], v[k], v.length) < kShort * kShort * before[k]);
        return fine || careful;
    };
    if (careful) orbit.jacobian().be_careful();
    read_sample<double>(p.z0, i, start, 0, 1, latent, orbit.state());
    for (int k = 0; k < v.n; k++)
        for (int m = 0; m < latent; m++) v[k][m] = p.v.at(i, start, k)[m * p.v.latent];
    for (int64_t t = 0; t < p.n_steps; t++) {
        if (p.states) std::copy_n(orbit.state(), latent, p.states + t * latent);
        orbit.advance();
        if (!p.states && !carry()) return false;
    }
    for (int64_t t = p.n_steps - 1; p.states && t >= 0; t--) {
        std::copy_n(p.states + t * latent, latent, orbit.state());
        orbit.advance();
        if (!carry()) return false;
    }
    return true;
}

template <bool Clipped>
void carry_vectors(const Products& p, const Member<double>& member, const Units<double>& units,
                   int64_t i, int64_t start) {
    Orbit<0, Clipped> orbit(member, units, int(p.vectors), p.states != nullptr);
    if (!try_to_carry(p, orbit, member.latent, i, start, false))
        try_to_carry(p, orbit, member.latent, i, start, true);
    for (int k = 0; k < int(p.vectors); k++)
        write_sample(p.v, i, start, k, 1, member.latent, orbit.tangents()[k]);
}

inline void carry_all(const Products& p) {
    for (int64_t i = 0; i < p.maps.members; i++) {
        const Member<double> member(p.maps, i);
        const Units<double> units(member);
        for (int64_t b = 0; b < p.batch; b++)
            member.clipped ? carry_vectors<true>(p, member, units, i, b)
                           : carry_vectors<false>(p, member, units, i, b);
    }
}

}  // namespace neurodsr
