/**
 * What replies have come to, gathered into messages. Each message wakes another thread, which sends on what it gets, and on
 * two cores that interrupts the next step: a fast model's tokens go out together, as often as a display shows them.
 */
import type { GenerationChunk } from "../types.ts";
import type { WireReplyEvent } from "./messages.ts";

/** Milliseconds between messages while tokens come sooner than that: one frame of a usual display. */
const frame = 16;

export class EventFrames {
  readonly #send: (events: WireReplyEvent[]) => void;
  readonly #now: () => number;
  #events: WireReplyEvent[] = [];
  /** Replies that somebody reads by now. */
  readonly #begun = new Set<number>();
  #isUrgent = false;
  #sentAt = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds */
  constructor(send: (events: WireReplyEvent[]) => void, now = () => performance.now()) {
    this.#send = send;
    this.#now = now;
  }

  add(event: WireReplyEvent): void {
    const { id } = event;
    if (!("chunk" in event)) {
      this.#begun.delete(id);
      this.#isUrgent = true;
    } else if (!this.#begun.has(id)) {
      this.#begun.add(id);
      this.#isUrgent = true;
    }
    const waiting = this.#events.find((other) => other.id === id);
    if (waiting !== undefined && "chunk" in waiting && "chunk" in event) {
      waiting.chunk = joined(waiting.chunk, event.chunk);
    } else this.#events.push(event);
  }

  /**
   * Sends what may not wait: beginnings and ends, what has waited for a frame, and all of it before other work than a step
   * of those who speak.
   * @param isStepNext whether such a step comes next
   */
  sendDue(isStepNext: boolean): void {
    if (this.#events.length === 0) return;
    const now = this.#now();
    if (isStepNext && !this.#isUrgent && now - this.#sentAt < frame) return;
    const events = this.#events;
    this.#events = [];
    this.#isUrgent = false;
    this.#sentAt = now;
    this.#send(events);
  }
}

function joined(first: GenerationChunk, second: GenerationChunk): GenerationChunk {
  const alternatives = [...(first.alternatives ?? []), ...(second.alternatives ?? [])];
  return {
    tokens: [...first.tokens, ...second.tokens],
    logProbs: [...first.logProbs, ...second.logProbs],
    text: first.text + second.text,
    ...(alternatives.length > 0 && { alternatives }),
  };
}
