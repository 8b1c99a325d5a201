/** The sample model with a tokenizer of single bytes and the shipped chat template, for tests in which it talks. */
import { trainBpe } from "./pretrain/bpe.ts";
import { writeTokenizer } from "./pretrain/bpe-files.ts";
import { specialTokens } from "./pretrain/chat-format.ts";
import { sampleModelSize, writeSampleModel } from "./sample-model.ts";

export const sampleChatVocabulary = specialTokens.length + 256;

export function writeSampleChatModel(folder: string): void {
  writeSampleModel(folder, sampleChatVocabulary);
  const bytes = trainBpe(new Map(), { vocabSize: sampleChatVocabulary, specialTokens });
  writeTokenizer(folder, bytes, sampleModelSize.context);
}
