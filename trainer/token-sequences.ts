/** Prompts with their replies as one right-padded batch of a scoring graph. */
import type { HostTensor } from "../engine/runtime/session.ts";
import { causalBias } from "./language-model-graph.ts";

export interface TokenSequence {
  promptTokens: readonly number[];
  replyTokens: readonly number[];
}

export interface PackedSequences {
  /** `tokens`, `positions`, `attentionBias`, `places` and `targets` of `scoringExpressions`; every reply token is a target. */
  feeds: Record<"tokens" | "positions" | "attentionBias" | "places" | "targets", HostTensor>;
  /** Targets in all. */
  targets: number;
  /** Where each sequence's reply tokens lie among the targets. */
  spans: { start: number; end: number }[];
}

/** The last token of a sequence predicts nothing and is not fed. */
export function fedLength({ promptTokens, replyTokens }: TokenSequence): number {
  return promptTokens.length + replyTokens.length - 1;
}

/** @throws RangeError for a sequence without a prompt token, as nothing would predict its first reply token */
export function packSequences(sequences: readonly TokenSequence[]): PackedSequences {
  const rows = sequences.length;
  const time = Math.max(...sequences.map(fedLength));
  const count = sequences.reduce((sum, { replyTokens }) => sum + replyTokens.length, 0);
  const tokens = new BigInt64Array(rows * time);
  const places = new BigInt64Array(count);
  const targets = new BigInt64Array(count);
  const spans: PackedSequences["spans"] = [];
  let next = 0;
  sequences.forEach(({ promptTokens, replyTokens }, row) => {
    if (promptTokens.length === 0) throw new RangeError(`sequence ${row} of the batch has no prompt token`);
    const all = [...promptTokens, ...replyTokens];
    for (let i = 0; i < all.length - 1; i++) tokens[row * time + i] = BigInt(all[i] as number);
    const start = next;
    replyTokens.forEach((token, i) => {
      places[next] = BigInt(row * time + promptTokens.length - 1 + i);
      targets[next++] = BigInt(token);
    });
    spans.push({ start, end: next });
  });
  const positions = BigInt64Array.from({ length: rows * time }, (_, i) => BigInt(i % time));
  return {
    feeds: {
      tokens: { data: tokens, shape: [rows, time] },
      positions: { data: positions, shape: [rows, time] },
      attentionBias: causalBias(time),
      places: { data: places, shape: [count] },
      targets: { data: targets, shape: [count] },
    },
    targets: count,
    spans,
  };
}
