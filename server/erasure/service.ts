/**
 * Erasing a person's data: rows first, in one transaction that also writes down what is left to do; then the copies in
 * files. Whoever is stopped between goes on at the next start.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Artifacts, FanOut, Store } from "../ports.ts";
import type { AdapterIdentity, ErasureReport } from "../protocol/index.ts";
import type { ErasureTask } from "../store/erasures.ts";
import { startRunSchema } from "../training/requests.ts";
import type { TrainingService } from "../training/service.ts";
import { probesAmong, removeProbes } from "./probes.ts";
import { removeFromRunFolders } from "./run-folders.ts";

export interface ErasureServiceOptions {
  store: Store;
  artifacts: Artifacts;
  fanOut: FanOut;
  runsFolder: string;
  /** Null where nobody can stop and start runs: then tasks with a run under way are left to the server's next start. */
  training: Pick<TrainingService, "cancel" | "start"> | null;
  /** Ends what is being said to this owner; resolves when it is logged and forgotten. */
  forgetReplies?: (owner: string) => Promise<void>;
  now?: () => Date;
  /** How long a cancelled run may take to end, ms. Default 60000. */
  patienceMs?: number;
}

export interface ErasureService {
  erase(owner: string): Promise<ErasureReport>;
  /** Finishes what earlier processes left; tells of what it could not. */
  resume(): Promise<void>;
}

class RunUnderWayError extends Error {}

const identityOf = ({ name, version, sha256 }: AdapterIdentity): AdapterIdentity => ({ name, version, sha256 });

export function createErasureService(options: ErasureServiceOptions): ErasureService {
  const { store, artifacts, fanOut, runsFolder, training, now = () => new Date(), patienceMs = 60_000 } = options;
  const alert = (code: string, message: string) => fanOut.ops("alert", { at: now().toISOString(), code, message });

  /** Cancels the runs that are under way and waits for their end. @returns those that were really cut short */
  async function stopRuns(runIds: readonly string[]): Promise<string[]> {
    const stopped: string[] = [];
    for (const id of runIds) {
      if ((await store.runs.get(id))?.finishedAt !== null) continue;
      if (training === null) throw new RunUnderWayError(`Training run ${id} is under way and uses the data`);
      await training.cancel(id);
      for (const deadline = now().getTime() + patienceMs; (await store.runs.get(id))?.finishedAt === null; ) {
        if (now().getTime() > deadline) throw new RunUnderWayError(`Training run ${id} was cancelled and does not end`);
        await sleep(20);
      }
      if ((await store.runs.get(id))?.state === "cancelled") stopped.push(id);
    }
    return stopped;
  }

  async function startAgain(runIds: readonly string[]): Promise<ErasureReport["restarted"]> {
    const restarted: ErasureReport["restarted"] = [];
    for (const id of runIds) {
      const run = await store.runs.get(id);
      if (run === null || training === null) continue;
      const { id: started } = await training.start({ ...startRunSchema.parse(run.settings), trigger: run.trigger });
      restarted.push({ cancelled: id, started });
    }
    return restarted;
  }

  async function finish(task: ErasureTask): Promise<{ marked: number[]; restarted: ErasureReport["restarted"] }> {
    const runs = Object.keys(task.uses);
    const stopped = await stopRuns(runs);
    const marked = await store.erasures.markLate(task, now().toISOString());
    await removeFromRunFolders(runsFolder, new Set(task.exchangeIds), new Set(runs));
    await removeProbes(store, artifacts, task.probes);
    const restarted = await startAgain(stopped);
    await store.erasures.done(task.id);
    return { marked, restarted };
  }

  /** The rows are gone either way; what is left of the task is done at the next start. */
  async function tryToFinish(task: ErasureTask) {
    try {
      return { ...(await finish(task)), pending: false };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      alert("erasure_pending", `Copies of erased data are left in files until the next start: ${why}`);
      return { marked: task.marked, restarted: [], pending: true };
    }
  }

  async function report(marked: readonly number[]): Promise<{ adapters: AdapterIdentity[]; live: boolean }> {
    const adapters = (await store.adapters.list()).filter(({ version }) => marked.includes(version)).reverse();
    const live = adapters.find(({ state }) => state === "live");
    if (live !== undefined) {
      const exchanges = live.erasedData?.exchanges ?? 0;
      alert(
        "live_adapter_erased_data",
        `The live adapter ${live.name}@${live.version} was trained on ${exchanges} exchanges that have been erased. It ` +
          "stays live until it is replaced: train without them (train ppo --without-erased) or roll back.",
      );
    }
    return { adapters: adapters.map(identityOf), live: live !== undefined };
  }

  async function erase(owner: string): Promise<ErasureReport> {
    await options.forgetReplies?.(owner);
    const known = await store.erasures.usesOf(await store.erasures.exchangeIdsOf(owner));
    const probes = await probesAmong(store, artifacts, known);
    const { task, ...counts } = await store.erasures.erase(owner, probes, now().toISOString());
    const { marked, restarted, pending } = await tryToFinish(task);
    return { ...counts, runs: Object.keys(task.uses), restarted, pending, ...(await report(marked)) };
  }

  let before: Promise<unknown> = Promise.resolve();
  return {
    // One after the other: two that met at one run would each start it again.
    erase(owner) {
      const erased = before.then(() => erase(owner));
      before = erased.catch(() => undefined);
      return erased;
    },

    async resume() {
      for (const task of await store.erasures.tasks()) await tryToFinish(task);
    },
  };
}
