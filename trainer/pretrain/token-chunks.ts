/** The order in which a token file is read: fixed chunks, shuffled anew each epoch, told by a counter alone. */
import { readFileSync } from "node:fs";
import { shuffled } from "./shuffle.ts";

/** Tokens that belong together; a row of a batch is a chunk or an even part of one. */
export const chunkLength = 512;

export class TokenChunks {
  readonly tokens: Uint16Array;
  readonly chunks: number;
  private readonly seed: number;
  private epoch = -1;
  private order: number[] = [];

  constructor(path: string, seed: number) {
    const bytes = readFileSync(path);
    this.tokens = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
    // Each chunk needs one token more, which the last prediction is checked against.
    this.chunks = Math.floor((this.tokens.length - 1) / chunkLength);
    this.seed = seed;
    if (this.chunks === 0) throw new Error(`${path} holds ${this.tokens.length} tokens, fewer than one chunk`);
  }

  /** Where the n-th chunk of the run begins, n counting from 0 through all epochs. */
  start(n: number): number {
    const epoch = Math.floor(n / this.chunks);
    if (epoch !== this.epoch) {
      this.order = shuffled(
        Array.from({ length: this.chunks }, (_, index) => index),
        this.seed + epoch,
      );
      this.epoch = epoch;
    }
    return (this.order[n % this.chunks] as number) * chunkLength;
  }

  /** Inputs and targets of `count` chunks from the n-th on, cut into rows of `time` tokens. */
  batch(n: number, count: number, time: number): { rows: number; inputs: BigInt64Array; targets: BigInt64Array } {
    const inputs = new BigInt64Array(count * chunkLength);
    const targets = new BigInt64Array(count * chunkLength);
    for (let chunk = 0; chunk < count; chunk++) {
      const start = this.start(n + chunk);
      for (let i = 0; i < chunkLength; i++) {
        inputs[chunk * chunkLength + i] = BigInt(this.tokens[start + i] as number);
        targets[chunk * chunkLength + i] = BigInt(this.tokens[start + i + 1] as number);
      }
    }
    return { rows: (count * chunkLength) / time, inputs, targets };
  }
}
