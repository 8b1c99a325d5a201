import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CorpusDocument, corpusDocuments } from "../../datasets/corpus.ts";
import { conversations, loadCounterNarratives, type SplitDialogue } from "../../datasets/counter-narratives.ts";
import { copiesInMixture } from "../../datasets/mixture.ts";
import type { Split } from "../../datasets/types.ts";
import { countPreTokens, trainBpe } from "./bpe.ts";
import { writeTokenizer } from "./bpe-files.ts";
import { specialTokens, withoutSpecialTokens } from "./chat-format.ts";
import { type CorpusSummary, corpusRecipe, finishedSummary, hashDataSets, sha256 } from "./corpus-summary.ts";
import { DocumentEncoder } from "./document-encoder.ts";
import { shuffled } from "./shuffle.ts";

export interface PrepareOptions {
  /** Folder with the public data sets, laid out as `datasets/README.md` says. */
  dataDir: string;
  /** Gets `train.bin`, `heldout.bin`, `sft-*.jsonl` and `corpus.json`. */
  outDir: string;
  /** Where `tokenizer.json` is read from, and written to when it is missing. Default: `outDir`. */
  tokenizerDir?: string;
  /** Size of the vocabulary if a tokenizer must be trained, special tokens included. Default 8,192. */
  vocabSize?: number;
  /** Decides the order of the documents. Default 1. */
  seed?: number;
  /** Longest context the model is meant for, for `tokenizer_config.json`. Default 512. */
  contextLength?: number;
  onProgress?: (stage: string) => void;
}

/**
 * Turns the public data sets into token files for pre-training and fine-tuning the embedded model.
 *
 * `train.bin` and `heldout.bin` hold little-endian Uint16 token ids: documents one after another, each `<|endoftext|>`
 * followed by its turns as the chat template renders them, or by its plain text. `sft-*.jsonl` hold one
 * `EncodedConversation` a line. A run whose inputs, seed and tokenizer are those of the `corpus.json` already in
 * `outDir` returns that at once.
 */
export function prepareCorpus(options: PrepareOptions): CorpusSummary {
  const { dataDir, outDir, tokenizerDir = outDir, seed = 1 } = options;
  const progress = options.onProgress ?? (() => {});
  const tokenizerPath = join(tokenizerDir, "tokenizer.json");
  const hashes = hashDataSets(dataDir);
  if (existsSync(tokenizerPath)) {
    const done = finishedSummary(outDir, seed, { ...hashes, "tokenizer.json": sha256(readFileSync(tokenizerPath)) });
    if (done) return done;
  }

  progress("loading the data sets");
  const counterNarratives = loadCounterNarratives(dataDir);
  const documents = [...corpusDocuments(dataDir, counterNarratives)];
  if (!existsSync(tokenizerPath)) {
    progress("training the tokenizer");
    trainTokenizer(documents, tokenizerDir, options);
  }
  hashes["tokenizer.json"] = sha256(readFileSync(tokenizerPath));
  const encoder = DocumentEncoder.fromFolder(tokenizerDir);

  mkdirSync(outDir, { recursive: true });
  const write = (name: string, bytes: Buffer) => {
    writeFileSync(join(outDir, name), bytes);
    hashes[name] = sha256(bytes);
  };

  progress("encoding the documents");
  const part = (heldOut: boolean) => {
    const copies = (document: CorpusDocument) => {
      const count = heldOut ? 1 : copiesInMixture(document.source, JSON.stringify(document.content));
      return Array.from({ length: count }, () => document);
    };
    return shuffled(documents.filter((document) => document.heldOut === heldOut).flatMap(copies), seed);
  };
  const sources: CorpusSummary["sources"] = {};
  const train = encodeDocuments(part(false), encoder, sources);
  write("train.bin", train);
  const heldOut = encodeDocuments(part(true), encoder, sources);
  write("heldout.bin", heldOut);
  const tokens = { train: train.length / 2, heldOut: heldOut.length / 2 };
  for (const entry of Object.values(sources)) entry.share = entry.tokens / (tokens.train + tokens.heldOut);

  progress("encoding the conversations");
  const encodeSplit = (split: Split) => {
    const { bytes, summary } = encodeConversations(counterNarratives, split, encoder);
    write(`sft-${split}.jsonl`, bytes);
    return summary;
  };
  const sft = { train: encodeSplit("train"), validation: encodeSplit("validation"), test: encodeSplit("test") };

  const { vocabularySize } = encoder;
  const summary = { recipe: corpusRecipe, seed, vocabularySize, hashes, tokens, sources, sft };
  writeFileSync(join(outDir, "corpus.json"), `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}

function trainTokenizer(documents: readonly CorpusDocument[], folder: string, options: PrepareOptions): void {
  const { vocabSize = 8192, contextLength = 512 } = options;
  const counts = countPreTokens(trainingTexts(documents));
  writeTokenizer(folder, trainBpe(counts, { vocabSize, specialTokens }), contextLength);
}

function* trainingTexts(documents: readonly CorpusDocument[]): Generator<string> {
  for (const { heldOut, content } of documents) {
    if (heldOut) continue;
    if ("text" in content) yield withoutSpecialTokens(content.text);
    else for (const turn of content.turns) yield withoutSpecialTokens(turn.content);
  }
}

/** Token ids of the documents as Uint16 bytes; adds what it saw to `sources`. */
function encodeDocuments(
  documents: readonly CorpusDocument[],
  encoder: DocumentEncoder,
  sources: CorpusSummary["sources"],
): Buffer {
  const encoded: number[][] = [];
  let length = 0;
  for (const document of documents) {
    const ids = encoder.document(document.content);
    encoded.push(ids);
    length += ids.length;
    const { documents = 0, tokens = 0 } = sources[document.source] ?? {};
    sources[document.source] = { documents: documents + 1, tokens: tokens + ids.length, share: 0 };
  }
  const bytes = Buffer.alloc(2 * length);
  let offset = 0;
  for (const ids of encoded) for (const id of ids) offset = bytes.writeUInt16LE(id, offset);
  return bytes;
}

function encodeConversations(
  dialogues: readonly SplitDialogue[],
  split: Split,
  encoder: DocumentEncoder,
): { bytes: Buffer; summary: CorpusSummary["sft"][Split] } {
  const part = dialogues.filter((dialogue) => dialogue.split === split);
  const lines = conversations(part).map((example) => encoder.conversation(example));
  const bySource: Record<string, number> = {};
  for (const { source } of lines) bySource[source] = (bySource[source] ?? 0) + 1;
  const replyTokens = lines.reduce((sum, line) => sum + line.replyTokens.length, 0);
  return {
    bytes: Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join("")),
    summary: { examples: lines.length, replyTokens, bySource },
  };
}
