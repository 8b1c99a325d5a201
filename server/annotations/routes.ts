import { Router } from "express";
import { z } from "zod";
import { inSlices } from "../../engine/in-slices.ts";
import { annotatorWeights } from "../../reward/annotations/annotator-weights.ts";
import { judgementContext } from "../../reward/annotations/judgement-term.ts";
import { type AnnotationSuspicion, annotationLabels, type Page } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { Store } from "../store/index.ts";
import { krippendorffAlpha, type PairAgreement, pairwiseKappa } from "./agreement.ts";
import type { BrigadeWatch } from "./brigade-watch.ts";
import { loadJudgements } from "./judgements.ts";
import { annotationQueue } from "./queue.ts";

const annotationSchema = z.strictObject({
  label: z.enum(annotationLabels),
  /** 1 (slight) to 5 (severe). */
  severity: z.int().min(1).max(5).optional(),
  note: z.string().trim().max(2000).optional(),
  rewrite: z.string().trim().min(1).max(8000).optional(),
});

const queueSchema = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(20),
  cursor: z.string().min(1).optional(),
  /** `include`: also what this annotator has judged, after the rest. */
  judged: z.enum(["exclude", "include"]).default("exclude"),
});

const reviewSchema = z.strictObject({
  annotations: z.array(z.int().min(1)).min(1).max(10_000),
  review: z.enum(["accepted", "excluded"], "expected accepted or excluded"),
});

/** Answer of GET /api/annotation/agreement. */
export interface AgreementReport {
  annotators: number;
  /** Exchanges with any label, and with labels of two annotators or more. */
  exchanges: number;
  overlapping: number;
  /** Krippendorff's alpha over all labels; null when nothing can be compared. */
  alpha: number | null;
  /** Cohen's kappa of every two annotators who share an exchange. */
  pairs: PairAgreement[];
  /** What each annotator's word counts in rewards, and why; see reward/annotations/annotator-weights.ts. */
  weights: { annotator: string; weight: number; agreement: number | null; shared: number }[];
}

export interface AnnotationRouteOptions {
  store: Store;
  watch: Pick<BrigadeWatch, "judged" | "suspicions">;
  /** Called after each judgement. */
  judged?: () => void;
  now?: () => Date;
}

/**
 * Until sign-in exists, an annotator is whoever the header `x-annotator` says. Headers hold Latin-1 only, so names of
 * other scripts come percent-encoded.
 */
function annotatorOf(header = ""): string {
  let name = header;
  try {
    name = decodeURIComponent(header);
  } catch {
    // A bare % is part of a name that was not encoded.
  }
  return name.trim().slice(0, 100) || "anonymous";
}

async function weightsOf(store: Store): Promise<AgreementReport["weights"]> {
  const annotators = (await loadJudgements(store)).filter(({ source }) => source === "annotator");
  const { setAside } = await inSlices(judgementContext(annotators));
  const counted = annotators.filter(({ id }) => !setAside.has(id));
  const weights = [...annotatorWeights(counted)].map(([annotator, weight]) => ({ annotator, ...weight }));
  return weights.sort((a, b) => b.weight - a.weight || a.annotator.localeCompare(b.annotator));
}

/** `/api/exchanges/:id/annotations` and `/api/annotation/*`. */
export function createAnnotationRoutes(options: AnnotationRouteOptions): Router {
  const { store, watch, judged = () => undefined, now = () => new Date() } = options;
  const router = Router();

  router.post("/api/exchanges/:id/annotations", async (request, response) => {
    const annotation = annotationSchema.parse(request.body ?? {});
    const exchange = await store.exchanges.get(request.params.id);
    if (exchange === null) {
      throw new RequestError(404, "unknown_exchange", `There is no exchange ${request.params.id.slice(0, 80)}.`);
    }
    if (exchange.status === "streaming") {
      throw new RequestError(409, "still_streaming", "The reply has not ended yet; judge it when it has.");
    }
    const annotator = annotatorOf(request.get("x-annotator"));
    const written = await store.annotations.put(exchange.id, annotator, annotation, now());
    watch.judged();
    judged();
    response.status(201).json(written);
  });

  router.get("/api/annotation/queue", async (request, response) => {
    const { limit, cursor = null, judged } = queueSchema.parse(request.query);
    const annotator = annotatorOf(request.get("x-annotator"));
    response.json(await annotationQueue(store, { annotator, limit, cursor, withJudged: judged === "include" }));
  });

  router.get("/api/annotation/agreement", async (_request, response) => {
    const ratings = (await store.annotations.list()).map(({ exchangeId, annotator, label }) => {
      return { item: exchangeId, annotator, label };
    });
    const labels = new Map<string, number>();
    for (const { item } of ratings) labels.set(item, (labels.get(item) ?? 0) + 1);
    const report: AgreementReport = {
      annotators: new Set(ratings.map((rating) => rating.annotator)).size,
      exchanges: labels.size,
      overlapping: [...labels.values()].filter((count) => count > 1).length,
      alpha: krippendorffAlpha(ratings),
      pairs: pairwiseKappa(ratings),
      weights: await weightsOf(store),
    };
    response.json(report);
  });

  router.get("/api/annotation/suspicions", async (_request, response) => {
    const items = await watch.suspicions();
    const page: Page<AnnotationSuspicion> = { items, nextCursor: null, total: items.length };
    response.json(page);
  });

  router.put("/api/annotation/reviews", async (request, response) => {
    const { annotations, review } = reviewSchema.parse(request.body ?? {});
    response.json({ reviewed: await store.annotations.review(annotations, review) });
  });

  return router;
}
