import { Router } from "express";
import { z } from "zod";
import { CheckpointError } from "../../engine/types.ts";
import { UnknownAdapterError } from "../ports.ts";
import type { Page } from "../protocol/index.ts";
import { RequestError } from "../request-error.ts";
import type { AdapterRegistry } from "./registry.ts";

/** The log says why; what is not said is shown as such. */
const deploymentSchema = z.object({ reason: z.string().trim().min(1).max(500).default("no reason given") });

function reasonOf(body: unknown): string {
  const parsed = deploymentSchema.safeParse(body ?? {});
  if (parsed.success) return parsed.data.reason;
  throw new RequestError(400, "invalid_request", z.prettifyError(parsed.error), { details: parsed.error.issues });
}

function versionOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new RequestError(
    400,
    "invalid_request",
    `Expected the number of an adapter version, got "${text.slice(0, 40)}"`,
  );
}

/** Adapters and deployments are few: one page holds them all. */
function pageOf<T>(items: T[]): Page<T> {
  return { items, nextCursor: null, total: items.length };
}

/** Says in HTTP's terms why a deployment did not happen. Nothing has changed then. */
async function deploying<T>(deployment: Promise<T>): Promise<T> {
  try {
    return await deployment;
  } catch (cause) {
    if (cause instanceof UnknownAdapterError) throw new RequestError(404, cause.code, cause.message, { cause });
    if (cause instanceof CheckpointError) throw new RequestError(422, "bad_adapter", cause.message, { cause });
    throw cause;
  }
}

/**
 * `/api/adapters` and `/api/deployments`. Who acts is taken from the header `x-operator`: until sign-in exists, nobody
 * can be asked to prove it.
 */
export function createAdapterRoutes(registry: AdapterRegistry): Router {
  const router = Router();
  const actorOf = (header: string | undefined) => header?.trim().slice(0, 100) || "anonymous";

  router.get("/api/adapters", async (_request, response) => {
    response.json(pageOf(await registry.list()));
  });

  router.post("/api/adapters/rollback", async (request, response) => {
    const actor = actorOf(request.get("x-operator"));
    response.json(await deploying(registry.rollback(actor, reasonOf(request.body))));
  });

  router.post("/api/adapters/:version/promote", async (request, response) => {
    const actor = actorOf(request.get("x-operator"));
    const version = versionOf(request.params.version);
    response.json(await deploying(registry.promote(version, actor, reasonOf(request.body))));
  });

  router.get("/api/deployments", async (_request, response) => {
    response.json(pageOf(await registry.deployments()));
  });

  return router;
}
