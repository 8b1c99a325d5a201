import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BpeVocabulary } from "./bpe.ts";
import { chatTemplate, endOfText, endOfTurn, specialTokens } from "./chat-format.ts";

/** Hugging Face's `tokenizer.json` for a byte-level BPE vocabulary whose first ids are the special tokens. */
export function tokenizerJson({ tokens, merges }: BpeVocabulary): object {
  const byteLevel = {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      ...addedToken(content),
    })),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: merges.map(([left, right]) => [tokens[left], tokens[right]]),
    },
  };
}

/** Hugging Face's `tokenizer_config.json` for the same vocabulary. */
export function tokenizerConfig(modelMaxLength: number): object {
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: modelMaxLength,
    clean_up_tokenization_spaces: false,
    bos_token: endOfText,
    eos_token: endOfTurn,
    pad_token: endOfText,
    added_tokens_decoder: Object.fromEntries(specialTokens.map((content, id) => [id, addedToken(content)])),
    chat_template: chatTemplate,
  };
}

function addedToken(content: string): object {
  return {
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
}

/** Writes `tokenizer.json` and `tokenizer_config.json` into `folder`. */
export function writeTokenizer(folder: string, vocabulary: BpeVocabulary, modelMaxLength: number): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tokenizer.json"), `${JSON.stringify(tokenizerJson(vocabulary), null, 1)}\n`);
  writeFileSync(join(folder, "tokenizer_config.json"), `${JSON.stringify(tokenizerConfig(modelMaxLength), null, 2)}\n`);
}
