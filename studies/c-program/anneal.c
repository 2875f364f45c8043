/* Simulated annealing of a tour through 200 cities: anneal SWEEPS SEED START END NEAR
   START and END are temperatures, in lengths of the unit square; a move reverses a part of the tour
   of NEAR cities at most. The answer is one line of JSON: the length of the best tour. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CITIES 200
static double x[CITIES], y[CITIES];
static int tour[CITIES];

static double uniform(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static double leg(int i, int j) { /* from the i-th place of the tour to the j-th */
    int a = tour[i % CITIES], b = tour[j % CITIES];
    return hypot(x[a] - x[b], y[a] - y[b]);
}

int main(int count, char **given) {
    if (count != 6) {
        fprintf(stderr, "usage: %s SWEEPS SEED START END NEAR\n", given[0]);
        return 2;
    }
    int sweeps = atoi(given[1]), near = atoi(given[5]);
    double start = atof(given[3]), end = atof(given[4]), length = 0;
    uint64_t map = 1, state = strtoull(given[2], NULL, 10);
    for (int i = 0; i < CITIES; i++) {
        x[i] = uniform(&map), y[i] = uniform(&map), tour[i] = i;
    }
    for (int i = 0; i < CITIES; i++) length += leg(i, i + 1);
    double best = length;
    for (int sweep = 0; sweep < sweeps; sweep++) {
        double heat = start * pow(end / start, (double)sweep / sweeps);
        for (int move = 0; move < CITIES; move++) {
            int i = (int)(uniform(&state) * CITIES), j = i + 1 + (int)(uniform(&state) * near);
            if (j - i >= CITIES - 1) continue; /* the search may try more than there are */
            double more = leg(i, j) + leg(i + 1, j + 1) - leg(i, i + 1) - leg(j, j + 1);
            if (more > 0 && uniform(&state) >= exp(-more / heat)) continue;
            for (int a = i + 1, b = j; a < b; a++, b--) {
                int city = tour[a % CITIES];
                tour[a % CITIES] = tour[b % CITIES], tour[b % CITIES] = city;
            }
            length += more;
            if (length < best) best = length;
        }
    }
    printf("{\"tour\": %.6f}\n", best);
    return 0;
}
