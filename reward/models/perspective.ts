/** A reward model that asks the Perspective API, or whatever answers as it does. */
import { setTimeout } from "node:timers/promises";
import pRetry, { AbortError } from "p-retry";
import pThrottle from "p-throttle";
import { z } from "zod";
import type { RewardModel, ToxicityScore } from "../types.ts";
import { versionOf } from "../version.ts";

export interface PerspectiveOptions {
  /** Address of `comments:analyze`. */
  endpoint: string;
  /** Sent as `?key=`; absent for a server that asks for none. */
  key?: string;
  /** What to ask for besides TOXICITY, by Perspective's names. */
  attributes: readonly string[];
  /** Language of the texts, ISO 639-1; absent lets the API guess. */
  language?: string;
  /** Most requests begun within a second; more wait. Perspective's default quota is 1. */
  requestsPerSecond: number;
  /** Milliseconds until an attempt is given up. */
  timeoutMs: number;
  /** Attempts after the first that failed for a reason that may pass: no answer, 429 or 5xx. */
  retries: number;
  /** Milliseconds before the first of them, doubled each time; `Retry-After` prolongs it. */
  backoffMs: number;
}

/** A `Retry-After` beyond this is an error: nobody waits a minute for a reply's score. */
const longestPauseMs = 60_000;
/** Probabilities are kept from 0 and 1, where log-odds are infinite: 0.001 is the API's own precision. */
const precision = 0.001;
/** Log-odds of a text without a word, which the API refuses: as clean as most clean texts, but no cleaner. */
const emptyLogit = -4;

const answerSchema = z.object({
  attributeScores: z.record(z.string(), z.object({ summaryScore: z.object({ value: z.number().min(0).max(1) }) })),
});
const errorSchema = z.object({ error: z.object({ message: z.string() }) });

/** Nothing is sent before the first text is scored. Every request says `doNotStore`. */
export function createPerspectiveModel(options: PerspectiveOptions): RewardModel {
  const { endpoint, key, language, requestsPerSecond, timeoutMs, retries, backoffMs } = options;
  const attributes = [...new Set(["TOXICITY", ...options.attributes])].sort();
  const { host } = new URL(endpoint);
  const closed = new AbortController();
  // One at a time, evenly spaced: no burst ever exceeds a quota.
  const throttle = pThrottle({ limit: 1, interval: 1000 / requestsPerSecond, strict: true, signal: closed.signal });

  const ask = throttle(async (text: string): Promise<Response> => {
    const url = new URL(endpoint);
    if (key !== undefined) url.searchParams.set("key", key);
    return fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        comment: { text, type: "PLAIN_TEXT" },
        ...(language === undefined ? {} : { languages: [language] }),
        requestedAttributes: Object.fromEntries(attributes.map((name) => [name, {}])),
        doNotStore: true,
      }),
      signal: AbortSignal.any([closed.signal, AbortSignal.timeout(timeoutMs)]),
    });
  });

  async function attempt(text: string): Promise<ToxicityScore> {
    const response = await ask(text).catch((cause: unknown) => {
      throw new Error(`${host} does not answer: ${reasonOf(cause, timeoutMs)}`, { cause });
    });
    if (response.ok) return toScore(await response.json().catch(() => null), host);
    const said = errorSchema.safeParse(await response.json().catch(() => null));
    const error = new Error(explain(response.status, said.success ? said.data.error.message : "", host));
    if (response.status !== 429 && response.status < 500) throw new AbortError(error);
    const pauseMs = pauseOf(response.headers.get("retry-after"));
    if (pauseMs > longestPauseMs) throw new AbortError(error);
    throw Object.assign(error, { pauseMs });
  }

  async function score(text: string): Promise<ToxicityScore> {
    if (!/[\p{L}\p{N}]/u.test(text)) {
      const toxicity = sigmoid(emptyLogit);
      return {
        logit: emptyLogit,
        toxicity,
        attributes: Object.fromEntries(attributes.map((name) => [name, toxicity])),
      };
    }
    return pRetry(() => attempt(text), {
      retries,
      minTimeout: backoffMs,
      randomize: true,
      signal: closed.signal,
      // What `Retry-After` asks for comes before the back-off.
      async onFailedAttempt({ error, retriesLeft }) {
        const pauseMs = "pauseMs" in error ? Number(error.pauseMs) : 0;
        if (retriesLeft > 0 && pauseMs > 0) await setTimeout(pauseMs, undefined, { signal: closed.signal });
      },
    });
  }

  return {
    name: `perspective ${host}`,
    version: versionOf({ code: 1, endpoint, attributes, language }),
    score: (texts) => Promise.all(texts.map(score)),
    async dispose() {
      closed.abort(new Error("the reward model was closed"));
    },
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function toScore(answer: unknown, host: string): ToxicityScore {
  const parsed = answerSchema.safeParse(answer);
  const scores = parsed.success ? parsed.data.attributeScores : {};
  const toxicity = scores.TOXICITY?.summaryScore.value;
  if (toxicity === undefined) throw new AbortError(`${host} answered without attributeScores.TOXICITY.summaryScore`);
  const kept = Math.max(precision, Math.min(1 - precision, toxicity));
  return {
    toxicity,
    logit: Math.log(kept / (1 - kept)),
    attributes: Object.fromEntries(
      Object.entries(scores).map(([name, { summaryScore }]) => [name, summaryScore.value]),
    ),
  };
}

/** A sentence that says what to do about it; keys and texts stay out of it. */
function explain(status: number, said: string, host: string): string {
  const told = said === "" ? `HTTP ${status}` : `HTTP ${status}, "${said}"`;
  if (status === 401 || status === 403 || (status === 400 && /api key/i.test(said))) {
    return `${host} refuses the API key (${told}): set a valid one, for a project that may use the API`;
  }
  if (status === 429) return `the quota of ${host} is used up (${told}): lower requestsPerSecond or ask for more`;
  return status >= 500 ? `${host} is out of order (${told})` : `${host} refuses the request (${told})`;
}

/** Milliseconds that a `Retry-After` in seconds or as a date asks for; 0 without one. */
function pauseOf(header: string | null): number {
  if (header === null) return 0;
  const pause = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(pause) ? Math.max(0, pause) : 0;
}

function reasonOf(cause: unknown, timeoutMs: number): string {
  if (cause instanceof DOMException && cause.name === "TimeoutError") return `no answer within ${timeoutMs} ms`;
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
}
