/** A program that makes LoRA training steps when asked, ours or PyTorch's: the protocol of `bench/pytorch/lora_training.py`. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface TrainingSteps {
  /** Wall seconds of each step. */
  seconds: number[];
  /** Processor seconds of each step, all threads together. */
  processorSeconds: number[];
  /** Nats a reply token, before each step's update. */
  losses: number[];
  /** Most memory the process has had so far. */
  peakBytes: number;
}

export interface TrainingContender {
  name: string;
  steps(count: number): Promise<TrainingSteps>;
  stop(): Promise<void>;
}

export interface TrainingProgram {
  name: string;
  command: string;
  arguments: readonly string[];
}

export const ourProgram = (job: string, precision: "fp32" | "int8"): TrainingProgram => ({
  name: precision === "fp32" ? "ours" : "ours int8",
  command: process.execPath,
  arguments: [join(import.meta.dirname, "our-process.ts"), job, precision],
});

export const pytorchProgram = (python: string, job: string, precision: "fp32" | "bf16"): TrainingProgram => ({
  name: `PyTorch ${precision}`,
  command: python,
  arguments: [join(import.meta.dirname, "..", "pytorch", "lora_training.py"), job, precision],
});

/** Starts the program and waits until it is ready. @throws Error with what it said where it ends early */
export async function startTraining({ name, command, arguments: args }: TrainingProgram): Promise<TrainingContender> {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  let complaints = "";
  child.stderr.on("data", (piece) => {
    complaints = (complaints + piece).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done) {
      await ended;
      throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}:\n${complaints}`);
    }
    return JSON.parse(value);
  };
  await next();
  return {
    name,
    async steps(count) {
      child.stdin.write(`${count}\n`);
      return (await next()) as TrainingSteps;
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
