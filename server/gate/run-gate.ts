/** One gate from its job file to its verdict. Started again in the same folder, it asks the same and says the same. */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AdapterOnDisk, GateJob } from "../../trainer/contract.ts";
import type { AdapterRegistry } from "../adapters/registry.ts";
import { UnretryableJobError } from "../jobs/named-queue.ts";
import type { Artifacts, Store } from "../ports.ts";
import type { AdapterIdentity, Verdict } from "../protocol/index.ts";
import { runTrainer } from "../training/trainer-process.ts";
import type { TrainerRunner } from "../training/trainer-runner.ts";
import { writeHeldOut } from "./held-out.ts";
import type { GateSettings } from "./settings.ts";
import { readVerdict } from "./verdict-file.ts";

export interface GateOptions {
  store: Store;
  registry: Pick<AdapterRegistry, "live">;
  artifacts: Artifacts;
  settings: GateSettings;
  rewardVersion: string;
  /** Checkpoint folder of the base model, and its precision as the server has it loaded. */
  modelFolder: string;
  quantization?: GateJob["quantization"];
  cacheDir?: string;
  /** `trainer/gate/main.ts`. */
  gateEntry: string;
  /** Where the program runs. Default: on this machine. */
  runner?: TrainerRunner | undefined;
  threads: number;
  killAfterMs?: number;
}

export interface GateRequest {
  /** Name of the gate's process in its events. */
  id: string;
  /** Takes the job, its reports and `verdict.json`. */
  folder: string;
  candidate: AdapterIdentity;
  /** Version that the candidate was trained from; 0 is the base, undefined unknown. */
  parent: number | undefined;
  probe: GateJob["probe"];
}

/** Told of every few prompts that have been answered; `steps` are all of them. */
export type GateProgress = (progress: { step: number; steps: number }) => Promise<unknown>;

export interface Gate {
  /** @throws GateFailedError when there is no verdict and starting again would not help; the signal's reason */
  run(request: GateRequest, signal: AbortSignal, onProgress?: GateProgress): Promise<Verdict>;
}

/** The gate could not come to a verdict, for a reason that would come up again. */
export class GateFailedError extends UnretryableJobError {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The same candidate is asked with the same random numbers, whoever asks. */
function seedOf(sha256: string): number {
  return createHash("sha256").update(sha256).digest().readUInt32BE(0);
}

/** What the program reads besides the base model. */
function inputsOf({ candidate, baseline, prompts, heldOut, swaps, judge, reward }: GateJob): string[] {
  const optional = [baseline?.folder ?? null, heldOut, swaps, reward];
  return [candidate.folder, judge, ...prompts, ...optional.filter((path) => path !== null)];
}

export function createGate(options: GateOptions): Gate {
  const { artifacts, registry, settings } = options;

  async function onDisk({ name, version, sha256 }: AdapterIdentity): Promise<AdapterOnDisk> {
    return { name, version, sha256, folder: await artifacts.fetch(`adapters/${version}`) };
  }

  async function prepare(request: GateRequest, jobFile: string, heldOutFile: string): Promise<void> {
    const { id, folder, candidate, parent, probe } = request;
    await mkdir(folder, { recursive: true });
    const { holdoutShare: _, limits, ...shared } = settings;
    const live = registry.live();
    // Only a step from what is live can be asked to be a small one.
    const isStep = parent === live.version;
    const job: GateJob = {
      ...shared,
      runId: id,
      model: options.modelFolder,
      quantization: options.quantization,
      cacheDir: options.cacheDir,
      candidate: await onDisk(candidate),
      baseline: live.version === 0 ? null : await onDisk(live),
      heldOut: heldOutFile,
      limits: isStep ? limits : { ...limits, kl: null },
      probe,
      outputDir: folder,
      threads: options.threads,
      seed: seedOf(candidate.sha256),
    };
    await writeFile(`${jobFile}.partial`, `${JSON.stringify(job, null, 2)}\n`);
    await rename(`${jobFile}.partial`, jobFile);
  }

  /** A job that names another live adapter than the one now live compares with the past. */
  async function isPrepared(jobFile: string, { candidate }: GateRequest): Promise<boolean> {
    try {
      const job: GateJob = JSON.parse(await readFile(jobFile, "utf8"));
      const live = registry.live();
      return job.candidate.sha256 === candidate.sha256 && (job.baseline?.version ?? 0) === live.version;
    } catch {
      return false;
    }
  }

  return {
    async run(request, signal, onProgress = async () => undefined) {
      const { folder } = request;
      const [jobFile, heldOutFile, verdictFile] = [
        join(folder, "gate.json"),
        join(folder, "held-out.jsonl"),
        join(folder, "verdict.json"),
      ];
      if (!(await isPrepared(jobFile, request))) {
        await rm(verdictFile, { force: true });
        await prepare(request, jobFile, heldOutFile);
      }
      const earlier = await readVerdict(verdictFile);
      if (earlier !== null) return earlier;
      const { store, rewardVersion } = options;
      await writeHeldOut({ store, file: heldOutFile, share: settings.holdoutShare, rewardVersion });
      // What people wrote stays in the log alone, where it can be erased.
      return ask(request, signal, onProgress).finally(() => rm(heldOutFile, { force: true }));
    },
  };

  async function ask({ id, folder }: GateRequest, signal: AbortSignal, onProgress: GateProgress): Promise<Verdict> {
    const jobFile = join(folder, "gate.json");
    const outcome = await runTrainer({
      entry: options.gateEntry,
      jobFile,
      runId: id,
      inputs: inputsOf(JSON.parse(await readFile(jobFile, "utf8"))),
      runner: options.runner,
      signal,
      killAfterMs: options.killAfterMs,
      onEvent: async (event) => {
        if (event.type === "metric") await onProgress({ step: event.step, steps: event.steps });
      },
    });
    if (outcome.type === "failed") throw new GateFailedError(outcome.error.code, outcome.error.message);
    signal.throwIfAborted();
    if (outcome.type === "stopped") throw new Error("The gate was stopped from outside; it starts anew");
    if (outcome.type === "crashed") throw new Error(`The gate ended without a verdict: ${outcome.message}`);
    const verdict = await readVerdict(join(folder, "verdict.json"));
    if (verdict === null) throw new Error(`${folder}: the gate said that it was done and left no verdict`);
    return verdict;
  }
}

/** Why the checks speak against a candidate, one sentence a check. */
export function explainFailures({ checks }: Verdict): string {
  return checks
    .filter(({ passed }) => !passed)
    .map(({ name, explanation }) => `${name}: ${explanation}`)
    .join(" ");
}
