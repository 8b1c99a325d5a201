import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { TokenChunks } from "./token-chunks.ts";

const folder = mkdtempSync(join(tmpdir(), "token-chunks-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A token file that counts: token i is i. */
function counting(tokens: number): string {
  const path = join(folder, `${tokens}.bin`);
  writeFileSync(path, new Uint8Array(Uint16Array.from({ length: tokens }, (_, i) => i).buffer));
  return path;
}

describe("TokenChunks", () => {
  it("counts whole chunks of 512 that have one token more to predict", () => {
    expect(new TokenChunks(counting(513), 0).chunks).toBe(1);
    expect(new TokenChunks(counting(1024), 0).chunks).toBe(1);
    expect(new TokenChunks(counting(1025), 0).chunks).toBe(2);
    expect(() => new TokenChunks(counting(512), 0)).toThrow("holds 512 tokens, fewer than one chunk");
  });

  it("reads every chunk once an epoch, each epoch in another order", () => {
    const chunks = new TokenChunks(counting(20 * 512 + 1), 7);
    const epoch = (n: number) => Array.from({ length: 20 }, (_, i) => chunks.start(20 * n + i));
    const all = Array.from({ length: 20 }, (_, i) => 512 * i);
    expect(epoch(0)).not.toEqual(all);
    expect(epoch(0)).not.toEqual(epoch(1));
    expect(epoch(0).toSorted((a, b) => a - b)).toEqual(all);
    expect(epoch(1).toSorted((a, b) => a - b)).toEqual(all);
  });

  it("finds its place by the counter alone, as a resumed run needs", () => {
    const path = counting(20 * 512 + 1);
    const began = new TokenChunks(path, 7);
    const passed = Array.from({ length: 50 }, (_, n) => began.start(n));
    expect(new TokenChunks(path, 7).start(47)).toBe(passed[47]);
    expect(began.start(3)).toBe(passed[3]);
  });

  it("cuts chunks into rows and shifts the targets by one token", () => {
    const chunks = new TokenChunks(counting(4 * 512 + 1), 1);
    const { rows, inputs, targets } = chunks.batch(1, 2, 128);
    expect(rows).toBe(8);
    expect(Number(inputs[0])).toBe(chunks.start(1));
    expect(Number(inputs[512])).toBe(chunks.start(2));
    expect(inputs.every((token, i) => targets[i] === token + 1n)).toBe(true);
  });
});
