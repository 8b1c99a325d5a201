/** A request's own stream of random numbers: the same seed gives the same stream on every machine. */

/** splitmix32 (Steele, Lea & Flood 2014): spreads a seed over the state of a larger generator. */
function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

/** 32-bit numbers by xoshiro128** (Blackman & Vigna 2018). @param state four numbers, not all zero; changed in place */
export function xoshiro128(state: Uint32Array): () => number {
  const rotate = (x: number, by: number) => (x << by) | (x >>> (32 - by));
  return () => {
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = state;
    const c = s2 ^ s0;
    const d = s3 ^ s1;
    state[0] = s0 ^ d;
    state[1] = s1 ^ c;
    state[2] = c ^ (s1 << 9);
    state[3] = rotate(d, 11);
    return Math.imul(rotate(Math.imul(s1, 5), 7), 9) >>> 0;
  };
}

/** Uniform numbers in [0, 1) with 53 random bits. @param seed any safe integer */
export function randomStream(seed: number): () => number {
  const low = splitmix32(seed % 2 ** 32);
  // Another starting point than the lower half's, so that equal halves do not make equal streams.
  const high = splitmix32(Math.floor(seed / 2 ** 32) ^ 0x6a09e667);
  const next = xoshiro128(Uint32Array.of(low(), high(), low(), high()));
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}
