import { Router } from "express";
import { z } from "zod";
import { type DeploymentStage, deploymentStages, type Page } from "../protocol/index.ts";
import type { AdapterRegistry } from "./registry.ts";

const reasonSchema = z.string().trim().min(1).max(500);
/** The log says why; what is not said is shown as such. */
const optionalReason = reasonSchema.default("no reason given");

const rollbackSchema = z.strictObject({ reason: optionalReason });

const destination = { stage: z.enum(deploymentStages).default("live"), share: z.number().min(0).max(1).optional() };
/** Whoever passes the gate by has a reason to give. */
const promotionSchema = z
  .union([
    z.strictObject({ ...destination, reason: reasonSchema, force: z.literal(true) }),
    z.strictObject({ ...destination, reason: optionalReason, force: z.literal(false).default(false) }),
  ])
  .refine(({ stage, share }) => stage !== "live" || share === undefined, {
    path: ["share"],
    message: "a share goes with the stages shadow and canary only",
  });

export const versionSchema = z
  .string()
  .regex(/^\d{1,9}$/, "expected the number of an adapter version")
  .transform(Number);

/** Adapters and deployments are few: one page holds them all. */
function pageOf<T>(items: T[]): Page<T> {
  return { items, nextCursor: null, total: items.length };
}

/** Until sign-in exists, an operator is whoever the header `x-operator` says. */
function actorOf(header: string | undefined): string {
  return header?.trim().slice(0, 100) || "anonymous";
}

/** `/api/adapters` and `/api/deployments`. @param shares what a stage gets when nothing is said */
export function createAdapterRoutes(registry: AdapterRegistry, shares: Record<DeploymentStage, number>): Router {
  const router = Router();

  router.get("/api/adapters", async (_request, response) => {
    response.json(pageOf(await registry.list()));
  });

  router.post("/api/adapters/rollback", async (request, response) => {
    const { reason } = rollbackSchema.parse(request.body ?? {});
    response.json(await registry.rollback(actorOf(request.get("x-operator")), reason));
  });

  router.post("/api/adapters/:version/promote", async (request, response) => {
    const version = versionSchema.parse(request.params.version);
    const { reason, stage, share = shares[stage], force } = promotionSchema.parse(request.body ?? {});
    const actor = actorOf(request.get("x-operator"));
    response.json(await registry.promote(version, actor, reason, { stage, share, force }));
  });

  router.get("/api/deployments", async (_request, response) => {
    response.json(pageOf(await registry.deployments()));
  });

  return router;
}
