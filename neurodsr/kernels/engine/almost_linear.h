// The almost-linear map through time: most latents linear, the last few rectified.
//
//     x_t = (1 - a_t) z_t + a_t target_t,      z_{t+1} = A x_t + W bent(x_t) + h + drive_t
//
//     gx_t = A g_{t+1} + bent'(x_t) (W' g_{t+1}),      g_t += (1 - a_t) gx_t
//     to_W = sum over time and samples of g_{t+1} bent(x_t)'
//
// Samples go through time one vector at a time: a second vector beside it would save loads of W, but
// those are not what one waits for.
#pragma once

#include "products.h"
#include "views.h"

namespace neurodsr {

// Rows of a matrix whose sums stay in registers while its columns stream by.
constexpr int kRows = NEURODSR_VECTOR_BYTES == 64 ? 16 : 8;

// Calls visit(first, size) with tiles of `Most` rows, the last of half or a quarter where that is
// enough. The size is a constant, and the last tile may reach beyond the last row.
template <int Most, class Visit>
NEURODSR_INLINE void for_each_tile(int n, Visit visit) {
    int first = 0;
    for (; n - first > Most / 2; first += Most) visit(first, std::integral_constant<int, Most>{});
    if (n - first > Most / 4) visit(first, std::integral_constant<int, Most / 2>{});
    else if (n > first) visit(first, std::integral_constant<int, Most / 4>{});
}

// A square matrix in the order in which it is read: tile of rows, column, row of the tile.
template <class S>
class Square {
   public:
    // The element of a row and a column lies at from[row * row_stride + column * column_stride].
    Square(int n, const S* from, int row_stride, int column_stride)
        : n_(n), weights_(size_t(n + kRows) * n) {
        for_each_tile<kRows>(n, [&](int first, auto size) {
            for (int row = first; row < std::min(first + size, n); row++)
                for (int m = 0; m < n; m++)
                    weights_[size_t(first) * n + size_t(m) * size + row - first] =
                        from[size_t(row) * row_stride + size_t(m) * column_stride];
        });
    }

    // Calls finish(row, start(row) + the row of matrix bent(x)) with every row, where bent rectifies
    // what comes after the first `linear` numbers.
    template <class Start, class Finish>
    void multiply(const S* x, int linear, Start start, Finish finish) const {
        for_each_tile<kRows>(n_, [&](int first, auto size) {
            multiply_tile<size>(first, x, linear, start, finish);
        });
    }

   private:
    template <int Size, class Start, class Finish>
    void multiply_tile(int first, const S* x, int linear, Start start, Finish finish) const {
        const S* weights = &weights_[size_t(first) * n_];
        const int n = n_, W = kLanes<S>, rows = n - first;
        Lanes<S> sums[Size];
#pragma GCC unroll 16
        for (int j = 0; j < Size; j++) sums[j] = j < rows ? start(first + j) : Lanes<S>{};
        for (int m = 0; m < linear; m++, x += W, weights += Size) add_column(sums, load(x), weights);
        for (int m = linear; m < n; m++, x += W, weights += Size) add_column(sums, relu(load(x)), weights);
#pragma GCC unroll 16
        for (int j = 0; j < Size; j++)
            if (j < rows) finish(first + j, sums[j]);
    }

    template <int Size>
    static void add_column(Lanes<S> (&sums)[Size], Lanes<S> x, const S* weights) {
#pragma GCC unroll 16
        for (int j = 0; j < Size; j++) sums[j] += x * weights[j];
    }

    int n_;
    Buffer<S> weights_;
};

// The map of one member; `turned`, W is as the backward sweep reads it.
template <class S>
struct AlmostLinearMap {
    AlmostLinearMap(int latent, int linear, const S* A, const S* W, const S* h, bool turned)
        : latent(latent),
          linear(linear),
          A(A, A + latent),
          h(h, h + latent),
          W(latent, W, turned ? 1 : latent, turned ? latent : 1) {}

    int latent, linear;
    Buffer<S> A, h;
    Square<S> W;
};

// A stretch of time of one vector of samples, everything as [time, latent, lane].
template <class S>
struct AlmostLinearStretch {
    int n_time;
    bool forced, driven;
    const S* alpha;  // null: `constant` everywhere
    S constant;

    Lanes<S> strength(size_t at) const {
        return alpha ? load(alpha + at) : Lanes<S>{} + (forced ? constant : S(0));
    }
};

// Runs a stretch from `z`. In `x` the targets lie, if there are any, and become the mixed states; in
// `states` the drives, if there are any, and become the states after each step.
template <class S>
void run_stretch(const AlmostLinearMap<S>& map, const AlmostLinearStretch<S>& in, const S* z, S* x,
                 S* states) {
    const int W = kLanes<S>, line = map.latent * W;
    const bool driven = in.driven;
    const S *A = map.A.data(), *h = map.h.data();
    for (int t = 0; t < in.n_time; t++, x += line, z = states, states += line) {
        if (in.forced)
            for (int i = 0; i < line; i += W) {
                const Lanes<S> a = in.strength(size_t(t) * line + i);
                store(x + i, (S(1) - a) * load(z + i) + a * load(x + i));
            }
        else
            std::memcpy(x, z, line * sizeof(S));
        map.W.multiply(
            x, map.linear,
            [=](int m) {
                const Lanes<S> v = load(x + m * W) * A[m] + h[m];
                return driven ? v + load(states + m * W) : v;
            },
            [=](int m, Lanes<S> sum) { store(states + m * W, sum); });
    }
}

// Gradients of one member's map as sweeps leave them: of A and h one vector of lanes each, of W packed
// in tiles of columns.
template <class S>
struct AlmostLinearSums {
    explicit AlmostLinearSums(int n) : n(n), A(n), h(n), W(size_t(n + kTile) * n) {}

    void write(S* to_A, S* to_W, S* to_h) const {
        for (int m = 0; m < n; m++) {
            to_A[m] = sum_lanes(A[m]);
            to_h[m] = sum_lanes(h[m]);
        }
        for_each_tile<kTile>(n, [&](int first, auto size) {
            for (int m = 0; m < n; m++)
                for (int j = first; j < std::min(first + size, n); j++)
                    to_W[size_t(m) * n + j] = W[size_t(first) * n + m * size + j - first];
        });
    }

    int n;
    std::vector<Lanes<S>> A, h;
    Buffer<S> W;
};

// What a backward sweep works on, all but `first` for every bin.
template <class S>
struct AlmostLinearTrail {
    S* g;       // [time, latent, lane], the gradients of the states, which become those in total; what
                // arrives from later times is in the last already
    S* first;   // takes what leaves to earlier times
    S* bent;    // becomes [tile][time, latent of the tile, lane]
    S* target;  // becomes the gradient of the targets; may be null
};

// Back through a stretch.
template <class S>
void retreat_stretch(const AlmostLinearMap<S>& map, const AlmostLinearStretch<S>& in, const S* mixed,
                     const AlmostLinearTrail<S>& trail, AlmostLinearSums<S>& sums) {
    const int n = map.latent, linear = map.linear, W = kLanes<S>, line = n * W;
    const S* A = map.A.data();
    for (int t = in.n_time - 1; t >= 0; t--) {
        const size_t at = size_t(t) * line;
        const S *x = mixed + at, *g = trail.g + at;
        S *before = t ? trail.g + at - line : trail.first;
        S* target = trail.target ? trail.target + at : nullptr;
        for_each_tile<kTile>(n, [&](int start, auto size) {
            S* to = trail.bent + (size_t(start) * in.n_time + size_t(t) * size) * W;
            for (int m = start; m < std::min(start + size, n); m++, to += W) {
                const Lanes<S> v = load(x + m * W), back = load(g + m * W);
                store(to, m < linear ? v : relu(v));
                sums.A[m] += back * v;
                sums.h[m] += back;
            }
        });
        map.W.multiply(
            g, n, [](int) { return Lanes<S>{}; },
            [=](int m, Lanes<S> e) {
                if (m >= linear) e = where_positive(load(x + m * W), e);
                const Lanes<S> gx = load(g + m * W) * A[m] + e, a = in.strength(at + m * W);
                if (target) store(target + m * W, a * gx);
                store(before + m * W, load(before + m * W) + (S(1) - a) * gx);
            });
    }
}

}  // namespace neurodsr
