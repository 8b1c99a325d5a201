/** A request's own stream of random numbers: the same seed gives the same stream on every machine. */

/** 64-bit numbers by splitmix64 (Steele, Lea & Flood 2014): spreads a seed over the state of a larger generator. */
export function splitmix64(seed: bigint): () => bigint {
  let state = BigInt.asUintN(64, seed);
  return () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let mixed = state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return mixed ^ (mixed >> 31n);
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
  const spread = splitmix64(BigInt(seed));
  // Every word of the state depends on the whole seed: the first number out is made of a single word.
  const next = xoshiro128(new Uint32Array(BigUint64Array.of(spread(), spread()).buffer));
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}
