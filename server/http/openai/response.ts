/** The shapes of OpenAI's chat completion objects, with the field `rejoinder` that this server adds. */
import type { ReplyPiece } from "../../chat/live-reply.ts";
import type { AdapterIdentity, DoneEvent, FinishReason } from "../../protocol/index.ts";

/** What this server adds to a reply. */
export interface ReplyProvenance {
  exchange_id: string;
  adapter: AdapterIdentity;
  /** Null when the reply could not be scored. */
  toxicity: { prompt: number; reply: number } | null;
}

interface TokenLogProb {
  token: string;
  logprob: number;
  bytes: number[];
}

export interface ChoiceLogProbs {
  content: (TokenLogProb & { top_logprobs: TokenLogProb[] })[];
  refusal: null;
}

/** OpenAI knows no cancelled replies; what was said until then ended by a stop. */
const finishReasons: Record<FinishReason, "stop" | "length"> = {
  stop: "stop",
  length: "length",
  cancelled: "stop",
  error: "stop",
};

export const toFinishReason = (reason: FinishReason) => finishReasons[reason];

export function toProvenance({ exchangeId, adapter, toxicity }: DoneEvent): ReplyProvenance {
  const scores = toxicity && { prompt: toxicity.prompt, reply: toxicity.reply };
  return { exchange_id: exchangeId, adapter, toxicity: scores };
}

/** `rejoinder@N`, or `base`: what a name such as `rejoinder` stood for in this reply. */
export function modelNameOf({ version }: AdapterIdentity): string {
  return version === 0 ? "base" : `rejoinder@${version}`;
}

export function fingerprintOf({ sha256 }: AdapterIdentity): string {
  return `fp_${sha256.slice(0, 12)}`;
}

/** @param decode text of token ids */
export function toLogProbs(
  { tokens, logProbs, alternatives }: Pick<ReplyPiece, "tokens" | "logProbs" | "alternatives">,
  decode: (tokens: readonly number[]) => string,
): ChoiceLogProbs {
  const entry = (id: number, logprob: number): TokenLogProb => {
    const token = decode([id]);
    return { token, logprob, bytes: [...Buffer.from(token)] };
  };
  const content = tokens.map((id, index) => ({
    ...entry(id, logProbs[index] ?? Number.NaN),
    top_logprobs: (alternatives[index] ?? []).map(({ token, logProb }) => entry(token, logProb)),
  }));
  return { content, refusal: null };
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export function toUsage(promptTokens: number, completionTokens: number): Usage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
