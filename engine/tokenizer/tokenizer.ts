/** A checkpoint's tokenizer and chat template, from its own files. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as FileTokenizer } from "@huggingface/tokenizers";
import { type ChatMessage, CheckpointError } from "../types.ts";
import { type ChatTemplate, chatTemplate } from "./chat-template.ts";
import { decodeTokens } from "./incremental-decoder.ts";
import { type TokenBytes, tokenBytes } from "./token-bytes.ts";

export interface Tokenizer {
  /** Tokens of a conversation ready for the assistant's turn. What messages say is never read as control tokens. */
  renderChat(messages: readonly ChatMessage[]): number[];
  /** Tokens of plain text, in which nothing is a control token. */
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
  /** Tokens that end a reply: where a text begins or ends, and the control tokens of the template. */
  readonly stopTokens: ReadonlySet<number>;
  /** The same in writing: a reply that spells one out has begun somebody else's turn. */
  readonly roleTags: readonly string[];
  readonly bytes: TokenBytes;
}

type Json = Record<string, unknown>;

interface AddedToken {
  id: number;
  content: string;
  special: boolean;
}

function readJson(path: string): Json {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be read as JSON`, { cause });
  }
  throw new CheckpointError(`${path}: is not a JSON object`);
}

function isByteLevel(decoder: unknown): boolean {
  const { type, decoders } = (decoder ?? {}) as { type?: unknown; decoders?: unknown };
  return type === "ByteLevel" || (type === "Sequence" && Array.isArray(decoders) && decoders.some(isByteLevel));
}

function readAddedTokens(path: string, tokenizer: Json): AddedToken[] {
  const added = tokenizer.added_tokens ?? [];
  const isAdded = (token: unknown): token is AddedToken =>
    typeof token === "object" && token !== null && "id" in token && "content" in token && Number.isInteger(token.id);
  if (!Array.isArray(added) || !added.every(isAdded)) throw new CheckpointError(`${path}: added_tokens is malformed`);
  return added;
}

/** End tokens of config.json and generation_config.json. */
function endTokens(folder: string): number[] {
  return ["config.json", "generation_config.json"]
    .flatMap((name) => {
      const path = join(folder, name);
      return existsSync(path) ? ([readJson(path).eos_token_id].flat() as unknown[]) : [];
    })
    .filter((id): id is number => Number.isInteger(id));
}

/** bos_token, eos_token and the like, by name. */
function namedTokens(config: Json): Record<string, string> {
  const named = Object.entries(config).flatMap(([name, value]) => {
    const text = typeof value === "object" && value !== null && "content" in value ? value.content : value;
    return name.endsWith("_token") && typeof text === "string" ? [[name, text] as const] : [];
  });
  return Object.fromEntries(named);
}

function readTemplate(folder: string, config: Json): ChatTemplate {
  const beside = join(folder, "chat_template.jinja");
  const source = config.chat_template ?? (existsSync(beside) ? readFileSync(beside, "utf8") : undefined);
  if (typeof source !== "string") {
    throw new CheckpointError(`${join(folder, "tokenizer_config.json")}: has no chat_template in the form of a text`);
  }
  return chatTemplate(source, namedTokens(config));
}

/** What marks the turns of a template that has no control tokens, such as `<human>:`. */
function writtenTags(template: ChatTemplate): string[] {
  return template([
    { role: "user", content: "?" },
    { role: "assistant", content: "!" },
    { role: "user", content: "?" },
  ]).flatMap(({ from, text }) => (from === "template" ? text.split("\n").map((line) => line.trim()) : []));
}

/**
 * @param vocabularySize number of ids the model knows
 * @throws CheckpointError naming the file and what is wrong with it
 */
export function loadTokenizer(folder: string, vocabularySize: number): Tokenizer {
  const path = join(folder, "tokenizer.json");
  const file = readJson(path);
  const config = readJson(join(folder, "tokenizer_config.json"));
  const { vocab } = (file.model ?? {}) as { vocab?: unknown };
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab) || !isByteLevel(file.decoder)) {
    throw new CheckpointError(`${path}: only byte-level tokenizers with a vocabulary by name are supported`);
  }
  const vocabulary = vocab as Record<string, number>;
  const added = readAddedTokens(path, file);
  const largest = Math.max(...added.map(({ id }) => id), ...Object.values(vocabulary));
  if (!(largest < vocabularySize)) {
    throw new CheckpointError(`${path}: holds token id ${largest}, the model knows ${vocabularySize} tokens`);
  }

  // Runs of white space are added tokens in some checkpoints, but no control tokens: text may use them.
  const control = added.filter(({ content }) => content.trim() !== "");
  const controlText = new Set(control.map(({ content }) => content));
  const withControl = new FileTokenizer(file, config);
  const plain = new FileTokenizer(
    {
      ...file,
      added_tokens: added.filter((token) => !control.includes(token)),
      model: {
        ...(file.model as Json),
        vocab: Object.fromEntries(Object.entries(vocabulary).filter(([spelling]) => !controlText.has(spelling))),
      },
    },
    {},
  );
  const encode = (text: string) => (text === "" ? [] : plain.encode(text, { add_special_tokens: false }).ids);
  const bytes = tokenBytes(vocabulary, new Map(added.map((t) => [t.id, t.special ? null : t.content])), vocabularySize);

  const template = readTemplate(folder, config);
  const render = (messages: readonly ChatMessage[]) =>
    template(messages).flatMap(({ from, text }) =>
      from === "template" ? withControl.encode(text, { add_special_tokens: false }).ids : encode(text),
    );
  const tags = writtenTags(template);
  const { bos_token, eos_token, pad_token } = namedTokens(config);
  const ends = control.filter(({ content }) => [bos_token, eos_token, pad_token].includes(content));
  const used = control.filter(({ content }) => tags.some((tag) => tag.includes(content)));
  return {
    renderChat: render,
    encode,
    decode: (tokens) => decodeTokens(bytes, tokens),
    stopTokens: new Set([...endTokens(folder), ...[...ends, ...used].map(({ id }) => id)]),
    roleTags: [
      ...new Set([
        ...used.map(({ content }) => content),
        ...tags.filter((tag) => tag.length > 2 && ![...controlText].some((text) => tag.includes(text))),
      ]),
    ],
    bytes,
  };
}
