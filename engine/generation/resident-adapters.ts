/** The adapters that may be generated with, each kept for as long as a reply uses it. */
import { EngineRequestError } from "../types.ts";
import type { StackedAdapter } from "./adapter-stack.ts";

interface Resident {
  adapter: StackedAdapter;
  users: number;
  /** Whoever waits for it to be dropped; null while it is to stay. */
  leaving: (() => void)[] | null;
}

export class ResidentAdapters {
  readonly #residents = new Map<string, Resident>();
  readonly #dropped: (adapter: StackedAdapter) => void;

  /** @param dropped hears of each adapter that nobody uses any more */
  constructor(dropped: (adapter: StackedAdapter) => void) {
    this.#dropped = dropped;
  }

  /** Where the adapter is resident already, it stays even if it was waiting to be dropped, and true is returned. */
  keep(sha256: string): boolean {
    const known = this.#residents.get(sha256);
    if (known !== undefined) this.#stay(known);
    return known !== undefined;
  }

  /** Idempotent by hash. */
  add(adapter: StackedAdapter): void {
    if (this.keep(adapter.sha256)) this.#dropped(adapter);
    else this.#residents.set(adapter.sha256, { adapter, users: 0, leaving: null });
  }

  /** Counts one more user. @throws EngineRequestError for an adapter that is not resident or about to be dropped */
  take(sha256: string | null): StackedAdapter | null {
    if (sha256 === null) return null;
    const resident = this.#residents.get(sha256);
    if (resident === undefined || resident.leaving !== null) {
      throw new EngineRequestError("unknown_adapter", `no adapter with sha256 ${sha256} is loaded`);
    }
    resident.users += 1;
    return resident.adapter;
  }

  /** Counts one user less. */
  release(adapter: StackedAdapter | null): void {
    const resident = adapter === null ? undefined : this.#residents.get(adapter.sha256);
    if (resident === undefined) return;
    resident.users -= 1;
    this.#dropIfUnused(resident);
  }

  /** Takes no new users from now on; resolves when the last has gone. What is not resident is gone already. */
  remove(sha256: string): Promise<void> {
    const resident = this.#residents.get(sha256);
    if (resident === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      resident.leaving = [...(resident.leaving ?? []), resolve];
      this.#dropIfUnused(resident);
    });
  }

  #stay(resident: Resident): void {
    for (const resolve of resident.leaving ?? []) resolve();
    resident.leaving = null;
  }

  #dropIfUnused(resident: Resident): void {
    if (resident.users > 0 || resident.leaving === null) return;
    this.#residents.delete(resident.adapter.sha256);
    this.#dropped(resident.adapter);
    this.#stay(resident);
  }
}
