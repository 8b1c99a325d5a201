/** Tells listeners of the jobs they follow, once for each state of a job that is seen. */
import type { JobStatus } from "./named-queue.ts";
import type { QueueBackend } from "./queue-backend.ts";

type Listener = (status: JobStatus) => void;

interface Watched {
  listeners: Set<Listener>;
  /** JSON of what was told last. */
  told: string;
  looking: boolean;
  again: boolean;
}

export function createJobWatch(backend: Pick<QueueBackend, "get">, onError: (error: unknown) => void) {
  const watched = new Map<string, Watched>();

  async function lookOnce(id: string, job: Watched): Promise<void> {
    const status = await backend.get(id);
    const seen = JSON.stringify(status);
    if (status === null || seen === job.told) return;
    job.told = seen;
    for (const listener of job.listeners) listener(status);
  }

  /** One look at a time, so that listeners hear of states in their order. */
  function look(id: string): void {
    const job = watched.get(id);
    if (job === undefined) return;
    if (job.looking) {
      job.again = true;
      return;
    }
    job.looking = true;
    lookOnce(id, job)
      .catch(onError)
      .finally(() => {
        job.looking = false;
        if (job.again) {
          job.again = false;
          look(id);
        }
      });
  }

  return {
    look,

    lookAtAll(): void {
      for (const id of watched.keys()) look(id);
    },

    add(id: string, listener: Listener): () => void {
      const job = watched.get(id) ?? { listeners: new Set(), told: "", looking: false, again: false };
      watched.set(id, job);
      job.listeners.add(listener);
      // A new listener hears of the job as it is, the others once more.
      job.told = "";
      look(id);
      return () => {
        job.listeners.delete(listener);
        if (job.listeners.size === 0) watched.delete(id);
      };
    },

    close: () => watched.clear(),
  };
}
