/** A checkpoint's tokenizer and chat template, from its own files. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type ChatMessage, CheckpointError } from "../types.ts";
import { type ChatPiece, type ChatTemplate, chatTemplate } from "./chat-template.ts";
import { decodeTokens } from "./incremental-decoder.ts";
import { findChatTemplate } from "./template-source.ts";
import type { TokenBytes } from "./token-bytes.ts";
import { type AddedToken, type Json, readJson, readTokenizerFile, type TokenizerFile } from "./tokenizer-file.ts";

export interface Tokenizer {
  /** Tokens of a conversation ready for the assistant's turn. What messages say is never read as control tokens. */
  renderChat(messages: readonly ChatMessage[]): number[];
  /** Tokens of a reply as it is to follow a rendered conversation, the one that ends it last. */
  encodeReply(text: string): number[];
  /** Tokens of plain text, in which nothing is a control token. */
  encode(text: string): number[];
  decode(tokens: readonly number[]): string;
  /** Tokens that end a reply: where a text begins or ends, and the control tokens of the template. */
  readonly stopTokens: ReadonlySet<number>;
  /** The same in writing: a reply that spells one out has begun somebody else's turn. */
  readonly roleTags: readonly string[];
  /** Of a reply's tokens. */
  readonly bytes: TokenBytes;
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

/** Splits template text at its control tokens, longest first where one begins with another. */
function controlPattern(control: readonly AddedToken[]): RegExp | null {
  const texts = control.map(({ content }) => content).sort((a, b) => b.length - a.length);
  if (texts.length === 0) return null;
  return new RegExp(`(${texts.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|")})`);
}

/**
 * A rendered conversation as control tokens and the text between them. Only the template's own text is searched for
 * control tokens; then what people wrote joins it, as words and spaces must be seen together.
 */
function splitAtControl(pieces: readonly ChatPiece[], control: readonly AddedToken[]): (AddedToken | string)[] {
  const byText = new Map(control.map((token) => [token.content, token]));
  const pattern = controlPattern(control);
  const parts: (AddedToken | string)[] = [];
  const addText = (text: string) => {
    const last = parts.at(-1);
    if (typeof last === "string") parts[parts.length - 1] = last + text;
    else if (text !== "") parts.push(text);
  };
  for (const { from, text } of pieces) {
    if (from === "message" || pattern === null) addText(text);
    else
      for (const [i, part] of text.split(pattern).entries()) {
        const token = i % 2 === 1 ? byText.get(part) : undefined;
        if (token === undefined) addText(part);
        else parts.push(token);
      }
  }
  return parts;
}

function encodeParts(file: TokenizerFile, parts: readonly (AddedToken | string)[]): number[] {
  return parts.flatMap((part, i) => {
    if (typeof part !== "string") return [part.id];
    const [before, after] = [parts[i - 1], parts[i + 1]];
    let text = part;
    if (typeof before === "object" && before.rstrip) text = text.trimStart();
    if (typeof after === "object" && after.lstrip) text = text.trimEnd();
    return file.encode(text, i === 0);
  });
}

/** What marks turns in words beside or instead of control tokens, such as `<human>:` or `[INST]`. */
function writtenTags(parts: readonly (AddedToken | string)[]): string[] {
  const lines = parts.flatMap((part) => (typeof part === "string" ? part.split("\n").map((line) => line.trim()) : []));
  // A mark is short and shows by its punctuation; "user" alone may stand in any reply.
  return lines.filter((line) => line.length > 2 && line.length <= 32 && /^[^\p{L}\p{N}]|[^\p{L}\p{N}]$/u.test(line));
}

/** The control token that the template puts behind a reply, where it puts one. @param pieces user, assistant, user */
function endOfReply(pieces: readonly ChatPiece[], control: readonly AddedToken[]): number | undefined {
  const [, reply = -1] = pieces.flatMap(({ from }, i) => (from === "message" ? [i] : []));
  const [first, second] = splitAtControl(pieces.slice(reply + 1), control);
  const next = typeof first === "string" && first.trim() === "" ? second : first;
  return typeof next === "object" ? next.id : undefined;
}

/**
 * @param vocabularySize number of ids the model knows
 * @throws CheckpointError naming the file and what is wrong with it
 */
export function loadTokenizer(folder: string, vocabularySize: number): Tokenizer {
  const file = readTokenizerFile(folder, vocabularySize);
  const { config, control, bytes, kind } = file;
  if (kind === "wordpiece") {
    throw new CheckpointError(`${file.path}: a WordPiece tokenizer belongs to an encoder, which cannot chat`);
  }
  const named = namedTokens(config);
  const configPath = join(folder, "config.json");
  const modelType = existsSync(configPath) ? readJson(configPath).model_type : undefined;
  const { template: source, from } = findChatTemplate(folder, config, modelType);
  let template: ChatTemplate;
  let sample: (AddedToken | string)[];
  let replyEnd: number | undefined;
  try {
    template = chatTemplate(source, named);
    // Contents of a line break keep what the template puts around them on lines apart.
    const turns = (["user", "assistant", "user"] as const).map((role) => ({ role, content: "\n" }));
    const pieces = template(turns);
    sample = splitAtControl(pieces, control);
    replyEnd = endOfReply(pieces, control);
  } catch (cause) {
    throw new CheckpointError(`${folder}: the chat template of ${from} cannot be rendered`, { cause });
  }
  const { bos_token, eos_token, pad_token } = named;
  const ends = control.filter(({ content }) => [bos_token, eos_token, pad_token].includes(content));
  const used = control.filter((token) => sample.includes(token));
  // After a prompt such as `<bot>:` the space before the reply is the reply's first token's, and no part of its text.
  const last = sample.at(-1);
  const spaced = typeof last === "string" && /\S$/.test(last) && bytes.leadingSpaces === undefined;
  const ending = replyEnd ?? endTokens(folder)[0] ?? ends.find(({ content }) => content === eos_token)?.id;
  return {
    encodeReply(text) {
      const said = file.encode(spaced ? ` ${text}` : text);
      return ending === undefined ? said : [...said, ending];
    },
    renderChat: (messages) => encodeParts(file, splitAtControl(template(messages), control)),
    encode: (text) => file.encode(text),
    decode: (tokens) => decodeTokens(bytes, tokens),
    stopTokens: new Set([...endTokens(folder), ...[...ends, ...used].map(({ id }) => id)]),
    roleTags: [...new Set([...used.map(({ content }) => content), ...writtenTags(sample)])],
    bytes: spaced ? { ...bytes, leadingSpaces: 1 } : bytes,
  };
}
