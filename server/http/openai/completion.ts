/** Answers a completion with replies of the chat: as one object, or as server-sent events while they are said. */
import type { Response } from "express";
import type { LiveReply, ReplyPiece } from "../../chat/live-reply.ts";
import type { DoneEvent } from "../../protocol/index.ts";
import { RequestError } from "../../request-error.ts";
import { toOpenAiError } from "./errors.ts";
import type { CompletionRequest } from "./request.ts";
import { fingerprintOf, modelNameOf, toFinishReason, toLogProbs, toProvenance, toUsage } from "./response.ts";

export interface Completion {
  request: CompletionRequest;
  /** One a choice, `n` in all. */
  replies: readonly [LiveReply, ...LiveReply[]];
  createdAt: Date;
  decode: (tokens: readonly number[]) => string;
}

interface Ended {
  done: DoneEvent;
  pieces: ReplyPiece[];
}

/** Follows one reply to its end. @throws RequestError with the reply's own error when it failed */
function follow(reply: LiveReply, onPiece: (piece: ReplyPiece) => void = () => undefined): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const pieces: ReplyPiece[] = [];
    const listener = {
      piece(piece: ReplyPiece) {
        pieces.push(piece);
        onPiece(piece);
      },
      done: (done: DoneEvent) => resolve({ done, pieces }),
      failed: ({ error }: { error: { code: string; message: string } }) =>
        reject(new RequestError(error.code === "busy" ? 503 : 500, error.code, error.message)),
    };
    reply.listen(listener, 0);
  });
}

function head({ replies: [first], createdAt }: Completion) {
  return {
    id: `chatcmpl-${first.exchangeId}`,
    created: Math.floor(createdAt.getTime() / 1000),
    model: modelNameOf(first.adapter),
    system_fingerprint: fingerprintOf(first.adapter),
  };
}

function usageOf({ replies: [first] }: Completion, ended: readonly Ended[]) {
  const completionTokens = ended.reduce((sum, { done }) => sum + done.tokens, 0);
  return toUsage(first.promptTokens, completionTokens);
}

/** @throws RequestError when a reply failed; nothing has been sent then */
export async function answerWhole(completion: Completion, response: Response): Promise<void> {
  const { replies, request, decode } = completion;
  const ended = await Promise.all(replies.map((reply) => follow(reply)));
  const choices = ended.map(({ done, pieces }, index) => {
    const said = {
      tokens: pieces.flatMap((piece) => [...piece.tokens]),
      logProbs: pieces.flatMap((piece) => [...piece.logProbs]),
      alternatives: pieces.flatMap((piece) => [...piece.alternatives]),
    };
    return {
      index,
      message: { role: "assistant", content: done.text, refusal: null, annotations: [] },
      logprobs: request.topLogProbs === null ? null : toLogProbs(said, decode),
      finish_reason: toFinishReason(done.finishReason),
      rejoinder: toProvenance(done),
    };
  });
  response.json({
    object: "chat.completion",
    ...head(completion),
    choices,
    usage: usageOf(completion, ended),
    rejoinder: choices[0]?.rejoinder,
  });
}

/** Sends the role first, then text as it comes, each choice's end with its provenance, usage if wanted, `[DONE]`. */
export async function answerStream(completion: Completion, response: Response): Promise<void> {
  const { replies, request, decode } = completion;
  response.status(200).set({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
  });
  response.flushHeaders();
  const common = { ...head(completion), object: "chat.completion.chunk" };
  const usage = request.includeUsage ? { usage: null } : {};
  const send = (event: unknown) => response.write(`data: ${JSON.stringify(event)}\n\n`);
  const sendChoice = (index: number, delta: object, rest: object = {}, added: object = {}) =>
    send({
      ...common,
      choices: [{ index, delta, logprobs: null, finish_reason: null, ...rest }],
      ...usage,
      ...added,
    });

  const streams = replies.map(async (reply, index) => {
    sendChoice(index, { role: "assistant", content: "", refusal: null });
    const ended = await follow(reply, (piece) => {
      const logprobs = request.topLogProbs === null ? null : toLogProbs(piece, decode);
      sendChoice(index, { content: piece.text }, { logprobs });
    });
    const rejoinder = toProvenance(ended.done);
    sendChoice(index, {}, { finish_reason: toFinishReason(ended.done.finishReason) }, { rejoinder });
    return ended;
  });
  try {
    const ended = await Promise.all(streams);
    if (request.includeUsage) send({ ...common, choices: [], usage: usageOf(completion, ended) });
    response.write("data: [DONE]\n\n");
  } catch (error) {
    // The status has gone out; the official clients raise an `error` event that comes in its place.
    send(toOpenAiError(error).body);
  }
  response.end();
}
