/** One reply while it is being said, and for a while after: what was said by index, and who listens. */
import type { TokenAlternative } from "../../engine/types.ts";
import type { AdapterIdentity, DoneEvent, FailedEvent } from "../protocol/index.ts";

/** A piece of text with the tokens it came from. */
export interface ReplyPiece {
  index: number;
  text: string;
  tokens: readonly number[];
  logProbs: readonly number[];
  alternatives: readonly (readonly TokenAlternative[])[];
}

export interface ReplyListener {
  piece(piece: ReplyPiece): void;
  done(event: DoneEvent): void;
  failed(event: FailedEvent): void;
}

export type ReplyEnd = { type: "done"; event: DoneEvent } | { type: "failed"; event: FailedEvent };

export interface LiveReplyOptions {
  exchangeId: string;
  conversationId: string;
  owner: string;
  adapter: AdapterIdentity;
  promptTokens: number;
  /** Called once nobody has listened to an unfinished reply for `graceMs`. */
  abandoned: () => void;
  graceMs: number;
}

export class LiveReply {
  readonly exchangeId: string;
  readonly conversationId: string;
  readonly owner: string;
  readonly adapter: AdapterIdentity;
  /** Number of prompt tokens. */
  readonly promptTokens: number;
  /** Resolves when the reply has ended and is logged; never rejects. */
  readonly ended: Promise<ReplyEnd>;
  readonly #abandoned: () => void;
  readonly #graceMs: number;
  readonly #pieces: ReplyPiece[] = [];
  readonly #listeners = new Set<ReplyListener>();
  #settle: (end: ReplyEnd) => void = () => undefined;
  #end: ReplyEnd | null = null;
  #grace: NodeJS.Timeout | undefined;

  constructor(options: LiveReplyOptions) {
    this.exchangeId = options.exchangeId;
    this.conversationId = options.conversationId;
    this.owner = options.owner;
    this.adapter = options.adapter;
    this.promptTokens = options.promptTokens;
    this.#abandoned = options.abandoned;
    this.#graceMs = options.graceMs;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get text(): string {
    return this.#pieces.map((piece) => piece.text).join("");
  }

  add(piece: Omit<ReplyPiece, "index">): void {
    const numbered = { index: this.#pieces.length, ...piece };
    this.#pieces.push(numbered);
    for (const listener of this.#listeners) listener.piece(numbered);
  }

  finish(end: ReplyEnd): void {
    if (this.#end !== null) throw new Error(`The reply to exchange ${this.exchangeId} has ended twice`);
    this.#end = end;
    clearTimeout(this.#grace);
    for (const listener of this.#listeners) tell(listener, end);
    this.#settle(end);
  }

  /**
   * Replays the pieces from `fromIndex` and goes on with what follows, without gap or repetition. Listening again
   * with the same listener starts it anew from there.
   */
  listen(listener: ReplyListener, fromIndex: number): void {
    clearTimeout(this.#grace);
    for (const piece of this.#pieces.slice(fromIndex)) listener.piece(piece);
    if (this.#end !== null) tell(listener, this.#end);
    else this.#listeners.add(listener);
  }

  /** When the last listener of an unfinished reply leaves, it has `graceMs` to come back. */
  leave(listener: ReplyListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0 || this.#end !== null) return;
    this.#grace = setTimeout(this.#abandoned, this.#graceMs);
    this.#grace.unref();
  }
}

function tell(listener: ReplyListener, end: ReplyEnd): void {
  if (end.type === "done") listener.done(end.event);
  else listener.failed(end.event);
}
