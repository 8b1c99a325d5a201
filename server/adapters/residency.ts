import type { Engine } from "../../engine/types.ts";
import { CheckpointError } from "../../engine/types.ts";

/** Gives the adapter back; more often than once does nothing. */
export type Release = () => void;

export interface Residency {
  /**
   * Counts one more user of the adapter and loads it if it is not resident.
   * @param locate gives the folder, checked; called only when the adapter must be loaded
   */
  take(sha256: string, locate: () => Promise<string>): Promise<Release>;
  /** Resolves when the loads and unloads begun so far have ended. */
  settled(): Promise<void>;
}

interface Resident {
  users: number;
  loaded: boolean;
  /** Loads and unloads of one adapter happen one after the other; each looks at `users` when its turn comes. */
  turn: Promise<void>;
}

/**
 * Keeps adapters on the engine for as long as somebody uses them: a reply in flight, or the registry for the live one.
 * The last one to give an adapter back has it unloaded.
 */
export function createResidency(
  engine: Pick<Engine, "loadAdapter" | "unloadAdapter">,
  onError: (error: unknown) => void,
): Residency {
  const residents = new Map<string, Resident>();

  function unloadWhenUnused(sha256: string, resident: Resident): void {
    resident.turn = resident.turn.then(async () => {
      if (resident.users > 0) return;
      if (resident.loaded) {
        resident.loaded = false;
        await engine.unloadAdapter(sha256).catch(onError);
      }
      if (resident.users === 0 && residents.get(sha256) === resident) residents.delete(sha256);
    });
  }

  return {
    async take(sha256, locate) {
      const resident = residents.get(sha256) ?? { users: 0, loaded: false, turn: Promise.resolve() };
      residents.set(sha256, resident);
      resident.users += 1;
      const load = resident.turn.then(async () => {
        if (resident.loaded) return;
        const folder = await locate();
        const info = await engine.loadAdapter(folder);
        if (info.sha256 !== sha256) {
          await engine.unloadAdapter(info.sha256);
          throw new CheckpointError(`${folder}: expected weights with sha256 ${sha256}, loaded ${info.sha256}`);
        }
        resident.loaded = true;
      });
      resident.turn = load.catch(() => undefined);
      let given = false;
      const release = () => {
        if (given) return;
        given = true;
        resident.users -= 1;
        if (resident.users === 0) unloadWhenUnused(sha256, resident);
      };
      try {
        await load;
      } catch (error) {
        release();
        throw error;
      }
      return release;
    },

    async settled() {
      await Promise.all([...residents.values()].map((resident) => resident.turn));
    },
  };
}
