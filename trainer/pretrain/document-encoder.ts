import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@huggingface/tokenizers";
import type { CorpusDocument } from "../../datasets/corpus.ts";
import type { Conversation } from "../../datasets/counter-narratives.ts";
import type { Turn } from "../../datasets/types.ts";
import { specialId, specialTokens, withoutSpecialTokens } from "./chat-format.ts";

/** One line of `sft-*.jsonl`. */
export interface EncodedConversation {
  /** The history as the chat template renders it with the generation prompt. */
  promptTokens: number[];
  /** The reply, ending with the end of turn. */
  replyTokens: number[];
  source: string;
  text: { messages: Turn[]; reply: string };
}

const longestPrompt = 384;

/** Encodes documents and conversations in the chat format of the embedded model. */
export class DocumentEncoder {
  readonly #tokenizer: Tokenizer;

  constructor(tokenizer: Tokenizer) {
    for (const [id, token] of specialTokens.entries()) {
      const found = tokenizer.token_to_id(token);
      if (found !== id) throw new Error(`tokenizer: expected ${token} to have id ${id}, got ${found}`);
    }
    this.#tokenizer = tokenizer;
  }

  static fromFolder(folder: string): DocumentEncoder {
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
    return new DocumentEncoder(new Tokenizer(read("tokenizer.json"), read("tokenizer_config.json")));
  }

  get vocabularySize(): number {
    return this.#tokenizer.get_vocab().size;
  }

  /** `<|endoftext|>` and then the turns, or the plain text. */
  document(content: CorpusDocument["content"]): number[] {
    const ids = "text" in content ? this.#text(content.text) : content.turns.flatMap((turn) => this.#turn(turn));
    return [specialId.endOfText, ...ids];
  }

  /**
   * Prompt and reply of one fine-tuning example. Of a prompt longer than 384 tokens the last whole turns are kept that
   * fit; if not even the user's last message fits, its last 384 tokens.
   */
  conversation({ messages, reply, source }: Conversation): EncodedConversation {
    let prompt: number[] = [];
    const kept: Turn[] = [];
    for (const message of messages.toReversed()) {
      const turn = this.#turn(message);
      const tooLong = turn.length + prompt.length + 1 > longestPrompt;
      if (tooLong && kept.length > 0) break;
      prompt = tooLong ? [specialId.user, ...turn.slice(-(longestPrompt - 2))] : [...turn, ...prompt];
      kept.unshift(message);
    }
    return {
      promptTokens: [...prompt, specialId.assistant],
      replyTokens: [...this.#text(reply), specialId.endOfTurn],
      source,
      text: { messages: kept, reply },
    };
  }

  #turn({ role, content }: Turn): number[] {
    return [specialId[role], ...this.#text(content), specialId.endOfTurn];
  }

  #text(text: string): number[] {
    return this.#tokenizer.encode(withoutSpecialTokens(text), {
      add_special_tokens: false,
    }).ids;
  }
}
