// The maps of all members as the caller has them, and clipped layers recognized among them.
//
// A clipped shallow layer arrives in the canonical form [W1, -W1], [W2; W2], [h2; 0], with every unit
// twice; told apart, it costs half.
#pragma once

#include <cstring>

#include "sweep.h"

namespace neurodsr {

// Contiguous, with a leading member axis.
template <class S>
struct Maps {
    int64_t members, latent, hidden;
    const S *A, *W1, *W2, *h1, *h2;
};

// One member's map; of a clipped one only the first half of the units.
template <class S>
struct Member {
    Member(const Maps<S>& maps, int64_t i)
        : latent(int(maps.latent)),
          row(int(maps.hidden)),
          A(maps.A + i * latent),
          h1(maps.h1 + i * latent),
          W1(maps.W1 + size_t(i) * latent * row),
          W2(maps.W2 + size_t(i) * latent * row),
          h2(maps.h2 + i * row),
          clipped(is_clipped()),
          hidden(clipped ? row / 2 : row) {}

    // The map as samples in lanes read it.
    Map<S> in_tiles() const {
        Map<S> map(latent, hidden);
        map.A.assign(A, A + latent);
        map.h1.assign(h1, h1 + latent);
        std::vector<S> w1;
        for (int m = 0; m < latent; m++) w1.insert(w1.end(), W1 + m * row, W1 + m * row + hidden);
        map.layer.pack(w1.data(), W2, h2);
        return map;
    }

    int latent, row;  // row: from one latent's W1 to the next
    const S *A, *h1, *W1, *W2, *h2;
    bool clipped;
    int hidden;

   private:
    // Exactly so: a layer that is nearly clipped is none.
    bool is_clipped() const {
        const int half = row / 2;
        if (row % 2 || !row) return false;
        for (int l = 0; l < half; l++)
            if (h2[half + l] != 0) return false;
        for (size_t i = 0; i < size_t(half) * latent; i++)
            if (W2[i] != W2[size_t(half) * latent + i]) return false;
        for (int m = 0; m < latent; m++)
            for (int l = 0; l < half; l++)
                if (W1[m * row + l] != -W1[m * row + half + l]) return false;
        return true;
    }
};

// Calls a function template with the number of latents as a constant where that pays, else with 0, and
// with whether the layer is clipped.
template <class S, class Call>
void with_form(int64_t latent, bool clipped, Call call) {
    const auto with = [&](auto fixed) {
        if (clipped) call(fixed, std::true_type{});
        else call(fixed, std::false_type{});
    };
    switch (latent) {
        case 2: return with(std::integral_constant<int, 2>{});
        case 3: return with(std::integral_constant<int, 3>{});
        case 4: return with(std::integral_constant<int, 4>{});
        case 5: return with(std::integral_constant<int, 5>{});
        case 6: return with(std::integral_constant<int, 6>{});
        default: return with(std::integral_constant<int, 0>{});
    }
}

}  // namespace neurodsr
