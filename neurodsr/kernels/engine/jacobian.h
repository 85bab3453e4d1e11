// The derivative of the map where an orbit is, kept up to date as units turn on and off.
//
//     J = diag(A) + sum over units that are on of W1[:, unit] W2[unit, :]
//
// From one step to the next few units change, so that most of a sum over all of them can stay. What
// rounding leaves behind is wiped away by a new sum before it can matter. In float64, as exponents are.
#pragma once

#include "single.h"

namespace neurodsr {

// Bit i is set where lane i is above 0.
NEURODSR_INLINE uint32_t positive_lanes(Lanes<double> v) {
#if NEURODSR_VECTOR_BYTES == 64
    return _mm512_cmp_pd_mask(__m512d(v), _mm512_setzero_pd(), _CMP_GT_OQ);
#elif NEURODSR_VECTOR_BYTES == 32
    return uint32_t(_mm256_movemask_pd(_mm256_cmp_pd(__m256d(v), _mm256_setzero_pd(), _CMP_GT_OQ)));
#else
    uint32_t bits = 0;
    for (int i = 0; i < kLanes<double>; i++) bits |= uint32_t(v[i] > 0) << i;
    return bits;
#endif
}

class Jacobian {
   public:
    // With `transposed`, vectors are carried back rather than on.
    Jacobian(const Member<double>& member, bool transposed)
        : latent_(member.latent),
          hidden_(member.hidden),
          padded_(padded_latents<double>(latent_)),
          A_(member.A),
          from_(size_t(hidden_) * latent_),
          to_(size_t(hidden_) * padded_),
          rows_(size_t(latent_) * padded_),
          next_(padded_),
          level_(hidden_ + kSide * kLanes<double>),
          upper_(level_.size()),
          lower_(level_.size()) {
        for (int l = 0; l < hidden_; l++)
            for (int m = 0; m < latent_; m++) {
                const double w1 = member.W1[size_t(m) * member.row + l];
                const double w2 = member.W2[size_t(l) * latent_ + m];
                from_[size_t(l) * latent_ + m] = transposed ? w1 : w2;
                to_[size_t(l) * padded_ + m] = transposed ? w2 : w1;
            }
        sum_anew();
    }

    // Takes in what enters the units of `kSide` vectors: u, and in a clipped layer u - h2 as `lower`.
    template <bool Clipped>
    inline __attribute__((always_inline)) void look(int vector, const Lanes<double>* u,
                                                    const Lanes<double>* lower) {
#pragma GCC unroll 4
        for (int j = 0; j < kSide; j++) {
            const uint32_t on = positive_lanes(u[j]), low = Clipped ? positive_lanes(lower[j]) : 0;
            if ((on ^ upper_[vector + j]) | (low ^ lower_[vector + j])) turn(vector + j, on, low);
        }
    }

    // To be called when all units were looked at.
    void settle() {
        if (n_added_ > 4 * hidden_ || (stale_ && careful_)) sum_anew();
    }

    // From now on a new sum after every change, for directions so short that rounding would show.
    void be_careful() { careful_ = stale_ = true; }
    bool careful() const { return careful_; }

    // v[k] <- J v[k] for n vectors, each padded.
    template <int Fixed>
    void carry(double* v, int n) {
        constexpr int W = kLanes<double>;
        const int latent = latents<Fixed>(latent_);
        const int padded = Fixed ? padded_latents<double>(Fixed) : padded_;
        for (int k = 0; k < n; k++, v += padded) {
#pragma GCC unroll 4
            for (int i = 0; i < padded; i += W) {
                Lanes<double> sum = {};
#pragma GCC unroll 8
                for (int m = 0; m < latent; m++) sum += v[m] * load(&rows_[size_t(m) * padded + i]);
                store(&next_[i], sum);
            }
            std::memcpy(v, next_.data(), padded * sizeof(double));
        }
    }

   private:
    __attribute__((noinline)) void turn(int vector, uint32_t on, uint32_t low) {
        const uint32_t changed = (on ^ upper_[vector]) | (low ^ lower_[vector]);
        upper_[vector] = on;
        lower_[vector] = low;
        for (int i = 0; i < kLanes<double>; i++) {
            if (!(changed >> i & 1)) continue;
            const int unit = vector * kLanes<double> + i, level = int(on >> i & 1) - int(low >> i & 1);
            if (level != level_[unit] && !careful_) add(unit, level - level_[unit]);
            level_[unit] = level;
        }
        stale_ = true;
    }

    void add(int unit, double times) {
        const double *from = &from_[size_t(unit) * latent_], *to = &to_[size_t(unit) * padded_];
        for (int m = 0; m < latent_; m++) {
            const double weight = times * from[m];
            double* row = &rows_[size_t(m) * padded_];
            for (int i = 0; i < padded_; i += kLanes<double>)
                store(row + i, load(row + i) + weight * load(to + i));
        }
        n_added_++;
    }

    void sum_anew() {
        std::fill(rows_.begin(), rows_.end(), 0.0);
        for (int m = 0; m < latent_; m++) rows_[size_t(m) * padded_ + m] = A_[m];
        for (int l = 0; l < hidden_; l++)
            if (level_[l]) add(l, level_[l]);
        n_added_ = 0;
        stale_ = false;
    }

    int latent_, hidden_, padded_, n_added_ = 0;
    bool careful_ = false, stale_ = false;
    const double* A_;
    Buffer<double> from_, to_;  // [unit, latent]: what a unit listens to, what it acts on
    Buffer<double> rows_;       // [from latent, to latent]
    Buffer<double> next_;
    std::vector<int> level_;  // of each unit: 1 on, 0 off, -1 where only the lower relu of a pair is on
    std::vector<uint32_t> upper_, lower_;
};

}  // namespace neurodsr
