/** `POST /v1alpha1/comments:analyze`: Perspective's request and response, answered by the local reward model. */
import { Router } from "express";
import { z } from "zod";
import { checkMessageText } from "../chat/message-text.ts";
import type { Scorer } from "../chat/scorer.ts";
import { describeError } from "../error-description.ts";
import { RequestError } from "../request-error.ts";

const analyzeSchema = z.object({
  comment: z.object({ text: z.unknown(), type: z.enum(["PLAIN_TEXT", "HTML"]).optional() }),
  languages: z.array(z.string()).optional(),
  requestedAttributes: z
    .record(
      z.string(),
      z.object({ scoreType: z.string().optional(), scoreThreshold: z.number().min(0).max(1).optional() }),
    )
    .refine((attributes) => Object.keys(attributes).length > 0, "expected at least one attribute"),
  spanAnnotations: z.boolean().optional(),
  doNotStore: z.boolean().optional(),
  clientToken: z.string().optional(),
});

/** Google's names for the statuses that can occur here. */
const statusNames: Record<number, string> = { 400: "INVALID_ARGUMENT", 413: "INVALID_ARGUMENT", 503: "UNAVAILABLE" };

/** An error in the words of Google's APIs. */
export function toPerspectiveError(error: unknown): { status: number; body: unknown } {
  const { status, error: told } = describeError(error);
  return {
    status,
    body: { error: { code: status, message: told.message, status: statusNames[status] ?? "INTERNAL" } },
  };
}

/** Nothing that is analysed is stored, whatever `doNotStore` says. */
export function createPerspectiveRoutes(scorer: Scorer, maxMessageChars: number): Router {
  const router = Router();

  router.post("/v1alpha1/comments\\:analyze", async (request, response) => {
    const body = analyzeSchema.parse(request.body ?? {});
    const text = checkMessageText(body.comment.text, maxMessageChars);
    const scores = await scorer.attributes(text);
    const attributeScores: Record<string, unknown> = {};
    for (const [name, { scoreThreshold = 0 }] of Object.entries(body.requestedAttributes)) {
      const value = scores[name];
      if (value === undefined) {
        const known = Object.keys(scores).join(", ");
        throw new RequestError(400, "unknown_attribute", `Attribute ${name} is not scored here; known are ${known}.`);
      }
      if (value < scoreThreshold) continue;
      const score = { value, type: "PROBABILITY" };
      attributeScores[name] = {
        // One span, the whole comment, as Perspective gives where it has no finer ones.
        spanScores: [{ begin: 0, end: text.length, score }],
        summaryScore: score,
      };
    }
    response.json({
      attributeScores,
      languages: body.languages ?? ["en"],
      detectedLanguages: ["en"],
      ...(body.clientToken === undefined ? {} : { clientToken: body.clientToken }),
    });
  });

  return router;
}
