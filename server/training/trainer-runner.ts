/** Where trainer programs run: on this machine, or on another through the job queue. */

export interface ProgramRun {
  /** Entry file of the program. */
  entry: string;
  /** JSON, its only argument. What it names lies on this machine. */
  jobFile: string;
  runId: string;
  /** Files and folders that the job names for reading, besides the base model. */
  inputs: readonly string[];
  /** Where the program writes: results, checkpoints, and the id of its process. */
  outputDir: string;
  /**
   * Stops the program: SIGTERM, by which it keeps a checkpoint, and SIGKILL when it does not end. A program on another
   * machine is stopped when the reason is that the job was cancelled; when this process closes, it goes on there.
   */
  signal: AbortSignal;
  /** Time between the two, ms. Default 10000. */
  killAfterMs?: number;
  /** Called in the order of the program's messages; the next one waits. */
  onMessage: (message: unknown) => Promise<void>;
}

/** How a program ended. Both `code` and `signal` are null when it was stopped before that could be known. */
export interface ProgramEnd {
  code: number | null;
  signal: string | null;
  /** Last lines of its standard error. */
  said: string;
}

export interface TrainerRunner {
  /** Runs the program to its end; what it has written is in `outputDir` then. @throws what `onMessage` throws */
  run(program: ProgramRun): Promise<ProgramEnd>;
}
