/** A checkpoint's tokenizer.json: text to tokens and back, with control tokens kept apart from text. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as FileTokenizer } from "@huggingface/tokenizers";
import { CheckpointError } from "../types.ts";
import { readDecoding, type TokenizerKind } from "./decoding.ts";
import { type TokenBytes, tokenBytes } from "./token-bytes.ts";

export type Json = Record<string, unknown>;

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  /** Takes the white space before or after it along. */
  lstrip?: boolean;
  rstrip?: boolean;
}

export interface TokenizerFile {
  path: string;
  kind: TokenizerKind;
  /** tokenizer_config.json; empty where there is none. */
  config: Json;
  /** Added tokens that are no text: a text never yields one. */
  control: readonly AddedToken[];
  bytes: TokenBytes;
  /** @param begins false for text that follows a control token, as some tokenizers put a space before the first text */
  encode(text: string, begins?: boolean): number[];
  /** Tokens of a text as the model wants to be given it, between its own marks such as [CLS] and [SEP]. */
  encodeMarked(text: string): number[];
  /**
   * The same in windows of at most `longest` tokens, each between the marks, that share `overlap` tokens of the text
   * with the one before; at least one, also for a text without tokens.
   */
  encodeWindows(text: string, longest: number, overlap: number): number[][];
}

/** @throws CheckpointError naming the file */
export function readJson(path: string): Json {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be read as JSON`, { cause });
  }
  throw new CheckpointError(`${path}: is not a JSON object`);
}

function readAddedTokens(path: string, tokenizer: Json): AddedToken[] {
  const added = tokenizer.added_tokens ?? [];
  const isAdded = (token: unknown): token is AddedToken =>
    typeof token === "object" &&
    token !== null &&
    "id" in token &&
    "content" in token &&
    Number.isInteger(token.id) &&
    typeof token.content === "string" &&
    token.content !== "";
  if (!Array.isArray(added) || !added.every(isAdded)) throw new CheckpointError(`${path}: added_tokens is malformed`);
  return added;
}

/** Spellings with their ids: by name, or in the order of the ids with a score each (unigram). */
function readVocabulary(path: string, { vocab }: Json): [string, number][] {
  const isScored = (entry: unknown): entry is [string, number] =>
    Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number";
  if (Array.isArray(vocab) && vocab.every(isScored)) return vocab.map(([spelling], id) => [spelling, id]);
  if (typeof vocab === "object" && vocab !== null && !Array.isArray(vocab)) {
    const entries = Object.entries(vocab);
    if (entries.every((entry): entry is [string, number] => Number.isInteger(entry[1]))) return entries;
  }
  throw new CheckpointError(`${path}: the vocabulary is neither ids by spelling nor a list of spellings and scores`);
}

/**
 * The model without its control tokens, so that no text can spell one out. What stands for the unknown stays: it is
 * what such text may become.
 */
function withoutControl(model: Json, controlText: ReadonlySet<string>): Json {
  const { vocab } = model;
  if (Array.isArray(vocab)) {
    // Ids are places in the list, so entries are not taken out but put under names that nobody can write.
    const hidden = vocab.map(([spelling, score]) => [controlText.has(spelling) ? randomUUID() : spelling, score]);
    return { ...model, vocab: hidden };
  }
  const unknown = model.ignore_merges === true ? undefined : model.unk_token;
  const kept = Object.entries(vocab as Json).filter(([spelling]) => spelling === unknown || !controlText.has(spelling));
  return { ...model, vocab: Object.fromEntries(kept) };
}

/**
 * @param vocabularySize number of ids the model knows
 * @throws CheckpointError naming the file and what is wrong with it
 */
export function readTokenizerFile(folder: string, vocabularySize: number): TokenizerFile {
  const path = join(folder, "tokenizer.json");
  const configPath = join(folder, "tokenizer_config.json");
  const file = readJson(path);
  const config = existsSync(configPath) ? readJson(configPath) : {};
  const model = (file.model ?? {}) as Json;
  const vocabulary = readVocabulary(path, model);
  const decoding = readDecoding(path, file.decoder);
  const added = readAddedTokens(path, file);
  const ids = [...vocabulary.map(([, id]) => id), ...added.map(({ id }) => id)];
  const largest = ids.reduce((most, id) => Math.max(most, id), -1);
  if (!(largest < vocabularySize)) {
    throw new CheckpointError(`${path}: holds token id ${largest}, the model knows ${vocabularySize} tokens`);
  }
  const bytes = tokenBytes(
    vocabulary,
    new Map(added.map((token) => [token.id, token.special ? null : token.content])),
    vocabularySize,
    decoding,
  );

  // Runs of white space are added tokens in some checkpoints, but no control tokens: text may use them.
  const control = added.filter(({ content }) => content.trim() !== "");
  // Stands before text that does not begin the sequence; unguessable, so that no text holds it.
  const mark = randomUUID();
  const complete = { normalizer: null, pre_tokenizer: null, post_processor: null, ...file };
  let whole: FileTokenizer;
  let plain: FileTokenizer;
  try {
    whole = new FileTokenizer({ ...complete, added_tokens: added }, config);
    plain = new FileTokenizer(
      {
        ...complete,
        added_tokens: [
          ...added.filter((token) => !control.includes(token)),
          { id: vocabularySize, content: mark, special: true, normalized: false },
        ],
        model: withoutControl(model, new Set(control.map(({ content }) => content))),
      },
      {},
    );
  } catch (cause) {
    throw new CheckpointError(`${path}: ${cause instanceof Error ? cause.message : "cannot be used"}`, { cause });
  }
  const byteIds = byteTokens(model, new Map(vocabulary));
  const encode = (text: string, begins = true): number[] => {
    if (text === "") return [];
    const encoded = plain.encode(begins ? text : mark + text, { add_special_tokens: false });
    return encoded.ids.flatMap((id: number, place: number): number[] => {
      if (id === vocabularySize) return [];
      const token = encoded.tokens[place] ?? "";
      const unknown = byteIds !== null && plain.token_to_id(token) === undefined;
      if (unknown) return [...Buffer.from(token, "utf8")].map((byte) => byteIds[byte] as number);
      return Number.isInteger(id) ? [id] : [];
    });
  };
  const [before, after] = marksAround(whole);
  return {
    path,
    kind: decoding.kind,
    config,
    control,
    bytes,
    encode,
    encodeMarked: (text) => [...before, ...encode(text), ...after],
    encodeWindows(text, longest, overlap) {
      const ids = encode(text);
      const room = Math.max(1, longest - before.length - after.length);
      const step = Math.max(1, room - overlap);
      const count = 1 + Math.ceil(Math.max(0, ids.length - room) / step);
      return Array.from({ length: count }, (_, i) => [...before, ...ids.slice(i * step, i * step + room), ...after]);
    },
  };
}

/** Ids of <0x00> to <0xFF> for a unigram model that falls back to bytes, which the package does for BPE alone. */
function byteTokens({ vocab, byte_fallback }: Json, ids: ReadonlyMap<string, number>): readonly number[] | null {
  if (!Array.isArray(vocab) || byte_fallback !== true) return null;
  const found = Array.from({ length: 256 }, (_, byte) =>
    ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  );
  return found.every((id) => id !== undefined) ? found : null;
}

/** What the tokenizer puts before and after any text. */
function marksAround(whole: FileTokenizer): [number[], number[]] {
  const bare: number[] = whole.encode("a", { add_special_tokens: false }).ids;
  const marked: number[] = whole.encode("a", { add_special_tokens: true }).ids;
  const extra = marked.length - bare.length;
  const before = Array.from({ length: extra + 1 }, (_, start) => start).find((start) =>
    bare.every((id, i) => marked[start + i] === id),
  );
  return before === undefined ? [[], []] : [marked.slice(0, before), marked.slice(before + bare.length)];
}
