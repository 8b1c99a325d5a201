/**
 * Who is in work, each in a slot of the cache: first those who speak, so that one view takes them all, then those whose
 * prompts are being read. Joining, leaving and beginning to speak move what the slots hold; decoding copies nothing.
 */
import type { KvCache } from "./kv-cache.ts";
import type { PrefixStore } from "./prefix-store.ts";
import type { Turn } from "./turn.ts";

/** Tokens that a slot must have room for: the prompt, or all that was said and one more. */
const needs = ({ reply, cached }: Turn) => Math.max(reply.request.promptTokens.length, cached + 1);

export class Batch {
  readonly cache: KvCache;
  readonly #prefixes: PrefixStore;
  /** By slot. */
  readonly #turns: Turn[] = [];
  #speakers = 0;

  constructor(cache: KvCache, prefixes: PrefixStore) {
    this.cache = cache;
    this.#prefixes = prefixes;
  }

  get size(): number {
    return this.#turns.length;
  }

  /** In slots 0, 1, ... */
  get speaking(): Turn[] {
    return this.#turns.slice(0, this.#speakers);
  }

  /** In the slots behind the speaking. */
  get reading(): Turn[] {
    return this.#turns.slice(this.#speakers);
  }

  /** Gives a turn whose prompt is to be read the next free slot. */
  join(turn: Turn): void {
    this.#turns.push(turn);
  }

  slotOf(turn: Turn): number {
    return this.#turns.indexOf(turn);
  }

  /** Makes room for a prompt and takes over what of it was read before; its last token is read anew for its logits. */
  begin(turn: Turn): void {
    const { promptTokens } = turn.reply.request;
    const slot = this.slotOf(turn);
    this.cache.reserve(slot + 1, promptTokens.length);
    const known = this.#prefixes.longest(turn.adapter?.sha256 ?? null, promptTokens);
    if (known === null) return;
    turn.cached = Math.min(known.length, promptTokens.length - 1);
    this.cache.restore(slot, known.rows, turn.cached);
  }

  /** Puts a turn whose prompt has been read behind the last of the speaking; whoever reads there changes places. */
  speak(turn: Turn): void {
    const slot = this.slotOf(turn);
    const other = this.#turns[this.#speakers] as Turn;
    if (other !== turn) {
      this.cache.swap(slot, this.#speakers, Math.max(turn.cached, other.cached));
      this.#turns[slot] = other;
      this.#turns[this.#speakers] = turn;
    }
    this.#speakers += 1;
  }

  /** Takes a turn out, keeps what the cache holds of a reply that has been said, closes the gap, and gives memory back. */
  leave(turn: Turn): void {
    let slot = this.slotOf(turn);
    if (slot < 0) return;
    if (slot < this.#speakers) {
      if (turn.reply.finishReason !== null) this.#keep(turn, slot);
      this.#speakers -= 1;
      slot = this.#fill(slot, this.#speakers);
    }
    this.#fill(slot, this.#turns.length - 1);
    this.#turns.pop();
    this.cache.shrink(this.size, Math.max(0, ...this.#turns.map(needs)));
  }

  /** Moves the turn of one slot into an empty one. Returns the slot that is empty now. */
  #fill(empty: number, from: number): number {
    const turn = this.#turns[from] as Turn;
    if (empty !== from) this.cache.move(from, empty, turn.cached);
    this.#turns[empty] = turn;
    return from;
  }

  /** The next turn of the conversation begins with what the cache holds of this one. */
  #keep({ reply, adapter, cached }: Turn, slot: number): void {
    if (cached === 0 || !this.#prefixes.takes(this.cache.savedBytes(cached))) return;
    const tokens = [...reply.request.promptTokens, ...reply.result().tokens].slice(0, cached);
    this.#prefixes.put(adapter?.sha256 ?? null, tokens, this.cache.save(slot, cached));
  }
}
