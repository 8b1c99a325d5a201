/** Logged exchanges for the tests of this folder. */
import type { Store } from "../ports.ts";
import type { AcceptedExchange, ExchangeOutcome } from "../store/exchanges.ts";

export interface SampleExchange {
  accepted?: Partial<AcceptedExchange>;
  outcome?: Partial<ExchangeOutcome>;
}

/** Logs one exchange that may train, but for what `sample` changes. */
export async function logExchange(store: Store, id: string, sample: SampleExchange = {}): Promise<void> {
  await store.exchanges.accept({
    id,
    conversationId: `conversation of ${id}`,
    owner: "ann",
    clientMessageId: `message ${id}`,
    source: "socket",
    createdAt: new Date("2026-03-01T10:00:00Z"),
    messages: [{ role: "user", content: "They are all lazy." }],
    promptTokens: [1, 2, 3],
    sampling: { temperature: 0.8, topK: 0, topP: 0.95, repetitionPenalty: 1, seed: 7 },
    maxTokens: 64,
    adapter: { name: "rejoinder", version: 1, sha256: "ab" },
    consent: true,
    ...sample.accepted,
  });
  await store.exchanges.complete(id, {
    completedAt: new Date("2026-03-01T10:00:01Z"),
    reply: "Many of them work two jobs.",
    replyTokens: [4, 5],
    logProbs: [-0.5, -1.25],
    finishReason: "stop",
    toxicity: { prompt: 0.75, reply: 0.125, attributes: { INSULT: 0.25 } },
    reward: { version: "reward-1", total: 0.5, terms: { toxicity: 0.5 } },
    ...sample.outcome,
  });
}
