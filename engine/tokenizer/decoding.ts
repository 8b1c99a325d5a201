/** What a tokenizer.json's decoder makes of one token, for the three families of spelling that models use. */
import { CheckpointError } from "../types.ts";

/**
 * - byte-level: a character of the spelling is a byte (GPT-2, RoBERTa, Llama 3, Qwen)
 * - pieces: text with a sign for the space, and bytes as <0x0A> where text is lacking (SentencePiece: Llama 2, Gemma)
 * - wordpiece: words, and ## before what goes on with a word (BERT)
 */
export type TokenizerKind = "byte-level" | "pieces" | "wordpiece";

export interface Decoding {
  kind: TokenizerKind;
  /** Replaced in each spelling, in this order. */
  replacements: readonly (readonly [from: string, to: string])[];
  /** <0x0A> stands for a byte. */
  byteFallback: boolean;
  /** Spaces that the beginning of a text loses, as encoding puts one there. */
  leadingSpaces: number;
  /** Before what continues a word, where `kind` is wordpiece. */
  continuation: string;
}

type Json = Record<string, unknown>;

/** @throws CheckpointError naming the decoder that is not known */
export function readDecoding(path: string, decoder: unknown): Decoding {
  const decoding: Decoding = {
    kind: "pieces",
    replacements: [],
    byteFallback: false,
    leadingSpaces: 0,
    continuation: "##",
  };
  const steps = flatten(decoder);
  if (steps.length === 0) throw new CheckpointError(`${path}: has no decoder, so its tokens cannot be made text`);
  for (const step of steps) Object.assign(decoding, readStep(path, step, decoding));
  return decoding;
}

function flatten(decoder: unknown): Json[] {
  if (typeof decoder !== "object" || decoder === null) return [];
  const { type, decoders } = decoder as Json;
  return type === "Sequence" && Array.isArray(decoders) ? decoders.flatMap(flatten) : [decoder as Json];
}

function readStep(path: string, step: Json, known: Decoding): Partial<Decoding> {
  const refuse = (): never => {
    throw new CheckpointError(`${path}: decoder ${JSON.stringify(step)} is not supported`);
  };
  switch (step.type) {
    case "ByteLevel":
      return { kind: "byte-level" };
    case "WordPiece":
      return { kind: "wordpiece", continuation: text(step.prefix) ?? "##", leadingSpaces: 1 };
    case "Metaspace": {
      const never = step.prepend_scheme === "never" || step.add_prefix_space === false;
      const sign = text(step.replacement) ?? "▁";
      return { replacements: [...known.replacements, [sign, " "]], leadingSpaces: never ? 0 : 1 };
    }
    case "Replace": {
      const from = text((step.pattern as Json | null | undefined)?.String);
      const to = text(step.content);
      if (from === undefined || from === "" || to === undefined) return refuse();
      return { replacements: [...known.replacements, [from, to]] };
    }
    case "ByteFallback":
      return { byteFallback: true };
    case "Fuse":
      return {};
    case "Strip": {
      const { content, start, stop } = step;
      // What a text ends with is only known when it has ended, which is too late for a reply that streams.
      if (content !== " " || !Number.isInteger(start) || stop !== 0) return refuse();
      return { leadingSpaces: start as number };
    }
    default:
      return refuse();
  }
}

const text = (value: unknown) => (typeof value === "string" ? value : undefined);
