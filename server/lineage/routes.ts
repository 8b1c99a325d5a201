import { Router } from "express";
import { z } from "zod";
import { RequestError } from "../request-error.ts";
import type { Store } from "../store/index.ts";
import { toTrainingRun } from "../training/run-progress.ts";
import { adapterLineage, exchangeLineage, setConsent } from "./lineage.ts";

const consentSchema = z.strictObject({ consent: z.boolean() });

const versionSchema = z
  .string()
  .regex(/^\d{1,9}$/, "expected the number of an adapter version")
  .transform(Number);

/** Most exchanges of a run that are listed with its adapter. */
const querySchema = z.strictObject({ limit: z.coerce.number().int().min(0).max(10_000).default(200) });

const unknownExchange = () => new RequestError(404, "unknown_exchange", "There is no such exchange.");

/** `/api/lineage/*` and the consent of an exchange. */
export function createLineageRoutes(store: Store): Router {
  const router = Router();

  router.get("/api/lineage/exchanges/:id", async (request, response) => {
    const lineage = await exchangeLineage(store, request.params.id);
    if (lineage === null) throw unknownExchange();
    response.json(lineage);
  });

  router.get("/api/lineage/adapters/:version", async (request, response) => {
    const version = versionSchema.parse(request.params.version);
    const { limit } = querySchema.parse(request.query);
    const lineage = await adapterLineage(store, version, limit, toTrainingRun);
    if (lineage === null) throw new RequestError(404, "unknown_adapter", `There is no adapter version ${version}.`);
    response.json(lineage);
  });

  router.put("/api/exchanges/:id/consent", async (request, response) => {
    const { consent } = consentSchema.parse(request.body ?? {});
    const change = await setConsent(store, request.params.id, consent);
    if (change === null) throw unknownExchange();
    response.json(change);
  });

  return router;
}
