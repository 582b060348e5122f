/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes: a generator of BearSSL's that the CPU's own source seeds. */
#include "services/vmm/random.h"

#include <bearssl_rand.h>
#include <stdint.h>

#include "services/vmm/x86.h"

#define SEED_WORDS   6u /* 384 bits */
#define RESEED_BYTES 65536u
#define PATIENCE     1000u      /* RDSEED may run dry for a while */
#define CPUID_RDRAND (1u << 30) /* leaf 1, ECX */
#define CPUID_RDSEED (1u << 18) /* leaf 7, EBX */

static br_hmac_drbg_context generator;
static size_t left;     /* bytes until it wants new seed */
static bool has_rdseed; /* else RDRAND */

/* SDM vol 1, "Random Number Generator Instructions": the carry flag tells whether there was one. */
static bool draw(uint64_t *word)
{
	for (unsigned i = 0; i < PATIENCE; i++) {
		bool is_good;

		if (has_rdseed)
			__asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(is_good));
		else
			__asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(is_good));
		if (is_good)
			return true;
		__asm__ volatile("pause");
	}
	return false;
}

/* What cannot be had now is left out: the state before it stays as good as it was. */
static unsigned seed(void)
{
	uint64_t words[SEED_WORDS];
	unsigned count = 0;

	while (count < SEED_WORDS && draw(&words[count]))
		count++;
	br_hmac_drbg_update(&generator, words, count * sizeof(words[0]));
	left = RESEED_BYTES;
	return count;
}

bool random_init(void)
{
	uint32_t out[4];

	x86_cpuid(0, 0, out);
	if (out[0] >= 7) {
		x86_cpuid(7, 0, out);
		has_rdseed = out[1] & CPUID_RDSEED;
	}
	x86_cpuid(1, 0, out);
	if (!has_rdseed && !(out[2] & CPUID_RDRAND))
		return false;
	br_hmac_drbg_init(&generator, &br_sha256_vtable, NULL, 0);
	return seed() == SEED_WORDS;
}

void random_fill(void *buffer, size_t size)
{
	if (size > left)
		seed();
	br_hmac_drbg_generate(&generator, buffer, size);
	left = size < left ? left - size : 0;
}
