/** What /metrics shows. No label ever holds text that a person wrote. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Engine } from "../engine/types.ts";
import type { ReplyReport } from "./chat/write-reply.ts";
import { createRolloutMetrics } from "./rollout/rollout-metrics.ts";

export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const replies = new Counter({
    name: "rejoinder_replies_total",
    help: "Replies that have ended, by way in and reason",
    labelNames: ["source", "finish_reason"],
    registers,
  });
  const tokens = new Counter({
    name: "rejoinder_tokens_total",
    help: "Tokens of ended replies: read (prompt) and sampled (reply)",
    labelNames: ["kind"],
    registers,
  });
  const firstText = new Histogram({
    name: "rejoinder_first_text_seconds",
    help: "From the acceptance of a message to the first text of its reply",
    buckets: [0.01, 0.02, 0.04, 0.06, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers,
  });
  const perToken = new Histogram({
    name: "rejoinder_token_seconds",
    help: "Mean time between the tokens of a reply after its first text",
    buckets: [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5],
    registers,
  });
  const toxicity = new Histogram({
    name: "rejoinder_toxicity",
    help: "Toxicity (0..1) of messages and replies",
    labelNames: ["of"],
    buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    registers,
  });
  const requests = new Histogram({
    name: "rejoinder_http_request_seconds",
    help: "HTTP requests by method, route and status; a streamed reply counts whole",
    labelNames: ["method", "route", "status"],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10],
    registers,
  });

  return {
    registry,
    ...createRolloutMetrics(registers),

    replyEnded(report: ReplyReport): void {
      replies.inc({ source: report.source, finish_reason: report.finishReason });
      tokens.inc({ kind: "prompt" }, report.promptTokens);
      tokens.inc({ kind: "reply" }, report.tokens);
      if (report.firstTextMs !== null) {
        firstText.observe(report.firstTextMs / 1000);
        if (report.tokens > 1) perToken.observe((report.totalMs - report.firstTextMs) / 1000 / (report.tokens - 1));
      }
      if (report.toxicity !== null) {
        toxicity.observe({ of: "message" }, report.toxicity.prompt);
        toxicity.observe({ of: "reply" }, report.toxicity.reply);
      }
    },

    requestEnded(method: string, route: string, status: number, seconds: number): void {
      requests.observe({ method, route, status: String(status) }, seconds);
    },

    /** Reads the engine's queue whenever somebody asks for the metrics. */
    watchEngine(engine: Pick<Engine, "stats">, liveVersion: () => number): void {
      new Gauge({
        name: "rejoinder_engine_requests",
        help: "Generations in the engine now, running and waiting",
        labelNames: ["state"],
        registers,
        collect() {
          const { active, queued } = engine.stats();
          this.set({ state: "active" }, active);
          this.set({ state: "queued" }, queued);
        },
      });
      new Gauge({
        name: "rejoinder_live_adapter_version",
        help: "Version of the adapter that is live; 0 is the base model",
        registers,
        collect() {
          this.set(liveVersion());
        },
      });
    },
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
