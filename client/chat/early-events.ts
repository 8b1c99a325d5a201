/** Events of exchanges that this session does not know yet, kept until an acknowledgement names the exchange. */
export class EarlyEvents {
  readonly #kept = new Map<string, (() => void)[]>();

  keep(exchangeId: string, replay: () => void): void {
    const kept = this.#kept.get(exchangeId);
    if (kept) kept.push(replay);
    else this.#kept.set(exchangeId, [replay]);
  }

  take(exchangeId: string): (() => void)[] {
    const kept = this.#kept.get(exchangeId) ?? [];
    this.#kept.delete(exchangeId);
    return kept;
  }

  clear(): void {
    this.#kept.clear();
  }
}
