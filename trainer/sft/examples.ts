/** Fine-tuning examples: JSONL with `promptTokens` and `replyTokens`, end token included. */
import { readFileSync } from "node:fs";
import type { Architecture } from "../../engine/architectures/architecture.ts";
import { fedLength, type TokenSequence } from "../token-sequences.ts";

/** Reads a file, other fields ignored. @throws Error naming file and line of an example that cannot be trained on */
export function readExamples(path: string, architecture: Architecture): TokenSequence[] {
  const lines = readFileSync(path, "utf8").split("\n");
  const examples: TokenSequence[] = [];
  lines.forEach((line, index) => {
    if (line.trim() === "") return;
    const fail = (what: string): never => {
      throw new Error(`${path}, line ${index + 1}: ${what}`);
    };
    const tokens = (name: string, value: unknown): number[] => {
      const fits = (id: unknown) => Number.isInteger(id) && Number(id) >= 0 && Number(id) < architecture.vocabularySize;
      if (!Array.isArray(value) || value.length === 0 || !value.every(fits)) {
        return fail(`${name} must be a list of token ids below ${architecture.vocabularySize}, not empty`);
      }
      return value;
    };
    let row: Record<string, unknown> = {};
    try {
      row = JSON.parse(line) as Record<string, unknown>;
    } catch {
      fail("is not JSON");
    }
    const example = {
      promptTokens: tokens("promptTokens", row.promptTokens),
      replyTokens: tokens("replyTokens", row.replyTokens),
    };
    if (fedLength(example) > architecture.contextLength) {
      fail(`has ${fedLength(example) + 1} tokens, the model sees ${architecture.contextLength}`);
    }
    examples.push(example);
  });
  if (examples.length === 0) throw new Error(`${path} holds no examples`);
  return examples;
}
