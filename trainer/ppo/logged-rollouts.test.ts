import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashFile } from "../../engine/checkpoint/file-hash.ts";
import type { ExchangeRecord } from "../contract.ts";
import { readSnapshot, type SnapshotLimits } from "./logged-rollouts.ts";
import { sampleExchange, writeExchanges } from "./sample-log.ts";

const limits: SnapshotLimits = {
  version: 5,
  maxStaleness: 4,
  cutReplies: "penalize",
  maxTokensPerPass: 7,
  baseSha256: "base",
  knownAdapters: new Map([4, 5, 10].map((version) => [version, "ab"])),
  vocabularySize: 24,
  contextLength: 8,
};
const served = (version: number, sha256 = "ab") => ({ name: "rejoinder", version, sha256 });

let folder: string;
let path: string;
const read = (changes: Partial<SnapshotLimits> = {}) => readSnapshot(path, hashFile(path), { ...limits, ...changes });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "snapshot-"));
  path = join(folder, "snapshot.jsonl");
});

afterEach(() => rmSync(folder, { recursive: true }));

describe("reading a snapshot", () => {
  it("keeps logged tokens and log-probs as they are", () => {
    writeExchanges(path, [
      sampleExchange({ id: "a", adapter: served(4), sampling: { ...sampleExchange().sampling, temperature: 0.5 } }),
      sampleExchange({ id: "b", adapter: served(5), finishReason: "length" }),
    ]);
    const { replies, discarded } = read();
    expect(discarded).toEqual({});
    expect(replies.map(({ id, ended }) => [id, ended])).toEqual([
      ["a", true],
      ["b", false],
    ]);
    expect(replies[0]).toMatchObject({ promptTokens: [1, 2, 3], replyTokens: [4, 0], temperature: 0.5, reward: 0.5 });
    expect(replies[0]?.behaviourLogProbs).toEqual(Float32Array.of(-0.5, -1.25));
  });

  const unfit: [string, Partial<ExchangeRecord>][] = [
    ["no_consent", { consent: false }],
    ["cut", { finishReason: "cancelled" }],
    ["cut", { finishReason: "error" }],
    ["empty", { replyTokens: [], logProbs: [] }],
    ["empty", { promptTokens: [] }],
    ["misaligned_log_probs", { logProbs: [-0.5] }],
    ["impossible_log_probs", { logProbs: [-0.5, Number.NaN] }],
    ["impossible_log_probs", { logProbs: [-0.5, 0.25] }],
    ["greedy", { sampling: { ...sampleExchange().sampling, temperature: 0 } }],
    ["no_reward", { reward: { version: "sample", total: Number.NaN, terms: {} } }],
    ["stale", { adapter: served(0, "base") }],
    ["stale", { adapter: served(10) }],
    ["does_not_fit_model", { replyTokens: [4, 24] }],
    ["does_not_fit_model", { promptTokens: [1, 1, 1, 1, 1, 1, 1, 1] }],
    ["longer_than_pass", { promptTokens: [1, 1, 1, 1, 1, 1, 1] }],
    ["unknown_adapter", { adapter: served(6) }],
    ["unknown_adapter", { adapter: served(5, "another") }],
  ];
  it.each(unfit)("leaves out and counts as %s: %o", (reason, changes) => {
    writeExchanges(path, [sampleExchange({ adapter: served(5), ...changes })]);
    expect(read()).toEqual({ replies: [], discarded: { [reason]: 1 } });
  });

  it("leaves out what a limit cut where it is to be masked", () => {
    writeExchanges(path, [sampleExchange({ adapter: served(5), finishReason: "length" })]);
    expect(read().replies).toHaveLength(1);
    expect(read({ cutReplies: "mask" })).toEqual({ replies: [], discarded: { cut_by_limit: 1 } });
  });

  it("refuses a file that is not the one that was frozen", () => {
    writeExchanges(path, [sampleExchange({ adapter: served(5) })]);
    const sha256 = hashFile(path);
    writeExchanges(path, [sampleExchange({ adapter: served(5), reward: { version: "sample", total: 9, terms: {} } })]);
    expect(() => readSnapshot(path, sha256, limits)).toThrow(
      expect.objectContaining({ code: "tampered_snapshot", message: expect.stringContaining(sha256) }),
    );
    rmSync(path);
    expect(() => readSnapshot(path, sha256, limits)).toThrow(expect.objectContaining({ code: "bad_snapshot" }));
  });

  it("leaves out replies of the bare model when it was another one", () => {
    writeExchanges(path, [sampleExchange({ adapter: served(0, "other") })]);
    expect(read({ version: 0 }).discarded).toEqual({ other_base_model: 1 });
  });

  it("names the line of what is no exchange", () => {
    writeExchanges(path, [sampleExchange({ adapter: served(5) })]);
    writeFileSync(path, '{"id":"x"}\n', { flag: "a" });
    expect(() => read()).toThrow(/snapshot\.jsonl, line 2: is not an exchange/);
    writeFileSync(path, "{");
    expect(() => read()).toThrow(/line 1: is not JSON/);
  });
});
