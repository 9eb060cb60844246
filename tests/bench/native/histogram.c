/* A histogram of 64 linear buckets per power of two. */
#include "load.h"

#include <string.h>

void histogram_clear(struct histogram *h) { memset(h, 0, sizeof *h); }

static size_t bucket_of(uint64_t value)
{
    int shift;
    size_t bucket;

    if (value < 64)
        return value;
    shift = 63 - __builtin_clzll(value) - 6;
    bucket = (size_t)(shift + 1) * 64 + ((value >> shift) & 63);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static double value_of(size_t bucket)
{
    size_t shift;

    if (bucket < 64)
        return (double)bucket;
    shift = bucket / 64 - 1;
    return ((double)(64 + bucket % 64) + 0.5) * (double)(1ULL << shift);
}

void histogram_add(struct histogram *h, int64_t ns)
{
    uint64_t value = ns < 0 ? 0 : (uint64_t)ns;

    h->count++;
    h->buckets[bucket_of(value)]++;
    if (value > h->max)
        h->max = value;
}

double histogram_quantile(const struct histogram *h, double q)
{
    uint64_t rank = (uint64_t)(q * (double)h->count), seen = 0;
    size_t i;

    if (h->count == 0)
        return 0;
    for (i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > rank)
            return value_of(i) < (double)h->max ? value_of(i) : (double)h->max;
    }
    return (double)h->max;
}
