import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Router } from "express";
import { z } from "zod";
import { annotationLabels, type ExchangeSummary, type Page } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import { toRecord, toSummary } from "../store/exchange-mapping.ts";
import type { ExchangeFilter } from "../store/exchange-queries.ts";
import type { Store } from "../store/index.ts";

const flag = z.enum(["true", "false"]).transform((value) => value === "true");
const date = z.iso.datetime({ offset: true }).transform((value) => new Date(value).toISOString());

const filterShape = {
  conversationId: z.string().max(200).optional(),
  adapterVersion: z.coerce.number().int().min(0).optional(),
  status: z.enum(["streaming", "complete", "cut"]).optional(),
  finishReason: z.enum(["stop", "length", "cancelled", "error"]).optional(),
  consent: flag.optional(),
  feedback: z.coerce.number().int().min(-1).max(1).optional(),
  label: z.enum(annotationLabels).optional(),
  minPromptToxicity: z.coerce.number().min(0).max(1).optional(),
  minReplyToxicity: z.coerce.number().min(0).max(1).optional(),
  since: date.optional(),
  until: date.optional(),
  text: z.string().min(1).max(200).optional(),
};

const pageSchema = z.strictObject({
  ...filterShape,
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, "expected the nextCursor of a page")
    .optional(),
});

const exportFormats = ["jsonl"] as const;
const exportSchema = z.strictObject({
  ...filterShape,
  format: z.enum(exportFormats, `expected one of the supported formats: ${exportFormats.join(", ")}`),
});

async function* toLines(store: Store, filter: ExchangeFilter): AsyncGenerator<string, void, void> {
  for await (const exchange of store.exchangeQueries.each(filter)) {
    const record = toRecord(exchange);
    if (record !== null) yield `${JSON.stringify(record)}\n`;
  }
}

/** `/api/exchanges`: the log, to look at and to take away. Exports hold what completed. */
export function createExchangeRoutes(store: Store): Router {
  const router = Router();

  router.get("/api/exchanges", async (request, response) => {
    const { limit, cursor, ...filter } = pageSchema.parse(request.query);
    const page = await store.exchangeQueries.page(filter, limit, cursor ?? null);
    const answer: Page<ExchangeSummary> = { ...page, items: page.items.map(toSummary) };
    response.json(answer);
  });

  router.get("/api/exchanges/export", async (request, response) => {
    const { format, ...filter } = exportSchema.parse(request.query);
    response.type("application/x-ndjson").attachment(`exchanges.${format}`);
    await pipeline(Readable.from(toLines(store, { ...filter, status: "complete" })), response);
  });

  router.get("/api/exchanges/:id", async (request, response) => {
    const exchange = await store.exchanges.get(request.params.id);
    if (exchange === null) throw new RequestError(404, "unknown_exchange", "There is no such exchange.");
    response.json(toSummary(exchange));
  });

  return router;
}
