import { setTimeout as sleep } from "node:timers/promises";
import { inSlices } from "../../engine/in-slices.ts";
import { findSuspicions } from "../../reward/annotations/brigading.ts";
import type { Suspicion } from "../../reward/annotations/suspicion.ts";
import type { FanOut, Store } from "../ports.ts";
import type { AnnotationSuspicion } from "../protocol/index.ts";
import { loadJudgements } from "./judgements.ts";

export interface BrigadeWatchOptions {
  store: Store;
  fanOut: FanOut;
  /** Judgements that come within this time of each other are looked at together, ms. Default 1000. */
  settleMs?: number;
  now?: () => Date;
  onError?: (error: unknown) => void;
}

export interface BrigadeWatch {
  /** Call after a judgement was written down. */
  judged(): void;
  /** What looks arranged now, and has not been reviewed. */
  suspicions(): Promise<AnnotationSuspicion[]>;
  close(): void;
}

/** Tells the operators, once each, of judgements that look arranged; see reward/annotations/brigading.ts. */
export function createBrigadeWatch(options: BrigadeWatchOptions): BrigadeWatch {
  const { store, fanOut, settleMs = 1000, now = () => new Date(), onError = () => undefined } = options;
  /** By kind and beginning: a burst that goes on is the same burst. */
  const told = new Set<string>();
  let waiting = false;
  let closed = false;

  const look = async (): Promise<Suspicion[]> => inSlices(findSuspicions(await loadJudgements(store)));

  async function tell(): Promise<void> {
    await sleep(settleMs, undefined, { ref: false });
    waiting = false;
    if (closed) return;
    for (const { kind, from, reason, judges, judgements } of await look()) {
      const key = `${kind} ${from}`;
      if (told.has(key)) continue;
      told.add(key);
      const message = `${reason} (${judges.join(", ")}): ${judgements.length} judgements are set aside until reviewed`;
      fanOut.ops("alert", { at: now().toISOString(), code: "annotation_brigading", message });
    }
  }

  return {
    judged() {
      if (waiting || closed) return;
      waiting = true;
      tell().catch(onError);
    },
    async suspicions() {
      return (await look()).map(({ kind, reason, judges, judgements, from, to }) => {
        return { kind, reason, annotators: judges, annotations: judgements.map(Number), from, to };
      });
    },
    close() {
      closed = true;
    },
  };
}
