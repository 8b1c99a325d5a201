import { Router } from "express";
import { z } from "zod";
import { annotationLabels } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { Store } from "../store/index.ts";
import { krippendorffAlpha, type PairAgreement, pairwiseKappa } from "./agreement.ts";
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

/** `/api/exchanges/:id/annotations` and `/api/annotation/*`. */
export function createAnnotationRoutes(store: Store, now: () => Date = () => new Date()): Router {
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
    response.status(201).json(await store.annotations.put(exchange.id, annotator, annotation, now()));
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
    };
    response.json(report);
  });

  return router;
}
