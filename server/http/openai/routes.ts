import { randomUUID } from "node:crypto";
import { type Request, type Response, Router } from "express";
import type { Engine } from "../../../engine/types.ts";
import type { LiveReply } from "../../chat/live-reply.ts";
import type { ReplyGenerator } from "../../chat/reply-generator.ts";
import type { PromptBuilder } from "../../pipeline/prompt.ts";
import type { AdapterSource } from "../../ports.ts";
import { RequestError } from "../../request-error.ts";
import { answerStream, answerWhole } from "./completion.ts";
import { type CompletionRequest, parseCompletionRequest } from "./request.ts";
import { modelNameOf } from "./response.ts";

export interface OpenAiRoutesOptions {
  engine: Pick<Engine, "decode">;
  adapters: AdapterSource;
  prompts: PromptBuilder;
  replies: ReplyGenerator;
  consentDefault: boolean;
  maxMessageChars: number;
  startedAt: Date;
  now?: () => Date;
}

function unknownModel(model: string, cause?: unknown): RequestError {
  const message = `The model "${model.slice(0, 100)}" does not exist; GET /v1/models lists those that do`;
  return new RequestError(404, "model_not_found", message, { cause, details: { param: "model" } });
}

/** `/v1/chat/completions` and `/v1/models`, for OpenAI's own clients. */
export function createOpenAiRoutes(options: OpenAiRoutesOptions): Router {
  const { engine, adapters, prompts, replies, startedAt, now = () => new Date() } = options;
  const router = Router();
  const decode = (tokens: readonly number[]) => engine.decode(tokens);

  function modelNames(): string[] {
    return ["rejoinder", ...adapters.versions().map(modelNameOf), "base"];
  }

  function toModel(id: string) {
    return { id, object: "model", created: Math.floor(startedAt.getTime() / 1000), owned_by: "rejoinder" };
  }

  async function start(request: CompletionRequest): Promise<[LiveReply, ...LiveReply[]]> {
    const { prompt, maxTokens } = prompts.render(request.messages, request.maxTokens, request.maxTokensParam);
    const begun: LiveReply[] = [];
    // One for all choices, so that they come from one adapter.
    const conversationId = randomUUID();
    const begin = async (choice: number): Promise<LiveReply> => {
      const { seed } = request;
      const reply = await replies.start({
        prompt,
        owner: "api",
        source: "openai",
        conversationId,
        modelName: request.model,
        sampling: { ...request.sampling, ...(seed === undefined ? {} : { seed: Math.abs(seed) + choice }) },
        maxTokens,
        stop: request.stop,
        ...(request.topLogProbs === null ? {} : { topLogProbs: request.topLogProbs }),
        consent: request.consent ?? options.consentDefault,
      });
      begun.push(reply);
      return reply;
    };
    try {
      const first = await begin(0);
      const others: LiveReply[] = [];
      for (let choice = 1; choice < request.n; choice += 1) others.push(await begin(choice));
      return [first, ...others];
    } catch (error) {
      for (const reply of begun) replies.stop(reply.exchangeId);
      if (error instanceof RequestError && error.code === "unknown_adapter") throw unknownModel(request.model, error);
      throw error;
    }
  }

  router.post("/v1/chat/completions", async (request: Request, response: Response) => {
    const completionRequest = parseCompletionRequest(request.body, options.maxMessageChars);
    const createdAt = now();
    const started = await start(completionRequest);
    const stop = () => {
      if (!response.writableFinished) for (const { exchangeId } of started) replies.stop(exchangeId);
    };
    response.on("close", stop);
    if (response.destroyed) stop();
    const completion = { request: completionRequest, replies: started, createdAt, decode };
    await (completionRequest.stream ? answerStream : answerWhole)(completion, response);
  });

  router.get("/v1/models", (_request, response) => {
    response.json({ object: "list", data: modelNames().map(toModel) });
  });

  router.get("/v1/models/:model", (request, response) => {
    const { model } = request.params;
    if (!modelNames().includes(model)) throw unknownModel(model);
    response.json(toModel(model));
  });

  return router;
}
