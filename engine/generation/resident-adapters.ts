/** The adapters that may be generated with, each kept for as long as a reply uses it. */
import { EngineRequestError } from "../types.ts";
import type { StackableAdapter } from "./adapter-stack.ts";

interface Resident {
  adapter: StackableAdapter;
  users: number;
  /** Whoever waits for it to be dropped; null while it is to stay. */
  leaving: (() => void)[] | null;
}

export class ResidentAdapters {
  readonly #residents = new Map<string, Resident>();

  /** Idempotent by hash. An adapter that was waiting to be dropped stays. */
  add(adapter: StackableAdapter): void {
    const known = this.#residents.get(adapter.sha256);
    if (known === undefined) this.#residents.set(adapter.sha256, { adapter, users: 0, leaving: null });
    else this.#stay(known);
  }

  /** Counts one more user. @throws EngineRequestError for an adapter that is not resident or about to be dropped */
  take(sha256: string | null): StackableAdapter | null {
    if (sha256 === null) return null;
    const resident = this.#residents.get(sha256);
    if (resident === undefined || resident.leaving !== null) {
      throw new EngineRequestError("unknown_adapter", `no adapter with sha256 ${sha256} is loaded`);
    }
    resident.users += 1;
    return resident.adapter;
  }

  /** Counts one user less. */
  release(adapter: StackableAdapter | null): void {
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
    this.#stay(resident);
  }
}
