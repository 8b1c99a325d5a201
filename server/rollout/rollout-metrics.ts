/** What /metrics shows of candidates and of the watcher. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { Trial } from "../protocol/index.ts";
import type { ShadowOutcome } from "./shadow-answers.ts";
import type { Chapter } from "./watch-period.ts";

export interface RolloutSources {
  trial: () => Trial | null;
  chapters: () => Record<"live" | "canary", Chapter | null>;
  shadowWaiting: () => number;
}

const mean = ({ n, sum }: { n: number; sum: number }) => (n === 0 ? 0 : sum / n);

export function createRolloutMetrics(registers: Registry[]) {
  const alerts = new Counter({
    name: "rejoinder_alerts_total",
    help: "Alerts to operators, by code",
    labelNames: ["code"],
    registers,
  });
  const shadows = new Counter({
    name: "rejoinder_shadow_replies_total",
    help: "Exchanges drawn for the candidate in shadow, by outcome",
    labelNames: ["outcome"],
    registers,
  });

  return {
    alerted: (code: string): void => alerts.inc({ code }),
    shadowAnswered: (outcome: ShadowOutcome): void => shadows.inc({ outcome }),

    /** Reads what serves whenever somebody asks for the metrics. */
    watchRollout({ trial, chapters, shadowWaiting }: RolloutSources): void {
      new Gauge({
        name: "rejoinder_shadow_queue",
        help: "Exchanges that wait for the shadow's reply",
        registers,
        collect() {
          this.set(shadowWaiting());
        },
      });
      new Gauge({
        name: "rejoinder_trial_share",
        help: "Share of exchanges (shadow) or conversations (canary) of the candidate on trial, by stage and version",
        labelNames: ["stage", "version"],
        registers,
        collect() {
          this.reset();
          const now = trial();
          if (now !== null) this.set({ stage: now.stage, version: String(now.version) }, now.share);
        },
      });
      new Gauge({
        name: "rejoinder_watched",
        help: "What the watcher has of the live adapter and the canary in their latest chapter of 1,000 replies",
        labelNames: ["stage", "measure"],
        registers,
        collect() {
          this.reset();
          for (const [stage, chapter] of Object.entries(chapters())) {
            if (chapter === null) continue;
            this.set({ stage, measure: "replies" }, chapter.failed.n);
            this.set({ stage, measure: "toxicity_rate" }, mean(chapter.toxic));
            this.set({ stage, measure: "mean_toxicity" }, mean(chapter.toxicity));
            this.set({ stage, measure: "error_rate" }, mean(chapter.failed));
          }
        },
      });
    },
  };
}
