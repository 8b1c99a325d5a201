/**
 * An engine whose replies, pace and faults a test dictates, for what no real model does on demand: stay silent, be slow,
 * end without log-probs. One token is one character; its log-prob is -0.5.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Engine, GenerationRequest, GenerationResult } from "../../engine/types.ts";

export interface Script {
  /** What is said, by prompt as text. */
  reply: (prompt: string) => string;
  /** Milliseconds before each token. Default 0. */
  delayMs: number;
  /** Replaces the log-probs of the whole result. */
  spoil?: (result: GenerationResult) => GenerationResult;
}

export interface ScriptedEngine extends Engine {
  script: Script;
  requests: GenerationRequest[];
}

const userTurn = 1;
const assistantTurn = 2;
const systemTurn = 3;
const endOfTurn = 4;

const characters = (text: string) => [...text].map((character) => character.codePointAt(0) ?? 0);

export function createScriptedEngine(contextLength = 256): ScriptedEngine {
  let active = 0;
  let generated = 0;
  const decode = (tokens: readonly number[]) => String.fromCodePoint(...tokens.filter((token) => token > endOfTurn));
  const engine: ScriptedEngine = {
    script: { reply: () => "I hear you.", delayMs: 0 },
    requests: [],
    model: {
      id: "scripted",
      architecture: "none",
      parameters: 0,
      quantization: "none",
      contextLength,
      sha256: "5c".repeat(32),
      hasAdapterSupport: false,
    },
    renderChat: (messages) => [
      ...messages.flatMap(({ role, content }) => {
        const turn = role === "user" ? userTurn : role === "assistant" ? assistantTurn : systemTurn;
        return [turn, ...characters(content), endOfTurn];
      }),
      assistantTurn,
    ],
    countTokens: (text) => characters(text).length,
    decode,
    async *generate(request, { signal } = {}) {
      engine.requests.push(request);
      const { reply, delayMs, spoil = (result) => result } = engine.script;
      const planned = characters(reply(decode(request.promptTokens)));
      const result: GenerationResult = { tokens: [], logProbs: [], text: "", finishReason: "stop" };
      active += 1;
      try {
        for (const token of planned.slice(0, request.maxTokens)) {
          if (delayMs > 0) await sleep(delayMs);
          if (signal?.aborted) return spoil({ ...result, finishReason: "cancelled" });
          generated += 1;
          result.tokens.push(token);
          result.logProbs.push(-0.5);
          result.text += String.fromCodePoint(token);
          const alternatives =
            request.topLogProbs === undefined
              ? {}
              : { alternatives: [[{ token, logProb: -0.5 }].slice(0, request.topLogProbs)] };
          yield { tokens: [token], logProbs: [-0.5], text: String.fromCodePoint(token), ...alternatives };
        }
        if (planned.length > request.maxTokens) return spoil({ ...result, finishReason: "length" });
        result.tokens.push(endOfTurn);
        result.logProbs.push(-0.5);
        return spoil(result);
      } finally {
        active -= 1;
      }
    },
    loadAdapter: () => Promise.reject(new Error("The scripted engine has no adapters")),
    unloadAdapter: () => Promise.resolve(),
    score: ({ tokens, from }) => Promise.resolve(tokens.slice(from).map(() => -0.5)),
    stats: () => ({ active, queued: 0, residentAdapters: [], tokensGenerated: generated }),
    close: () => Promise.resolve(),
  };
  return engine;
}
