import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CliError } from "./output.ts";

/** Entry files of the trainer that are commands of their own. */
const entries = {
  pretrain: fileURLToPath(new URL("../../trainer/pretrain/main.ts", import.meta.url)),
  sft: fileURLToPath(new URL("../../trainer/sft/main.ts", import.meta.url)),
};

/** Runs a trainer program with this terminal as its own, all arguments handed on. @throws CliError when it fails */
export async function runTrainerProgram(name: keyof typeof entries, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [entries[name], ...args], { stdio: "inherit" });
  // Ctrl+C reaches both at once; the trainer keeps a checkpoint before it ends.
  const ignore = () => undefined;
  const stop = () => child.kill("SIGTERM");
  process.on("SIGINT", ignore).on("SIGTERM", stop);
  const [code, signal]: unknown[] = await once(child, "close");
  process.off("SIGINT", ignore).off("SIGTERM", stop);
  if (code === 0) return;
  if (code === 75) throw new CliError("Stopped; the same command goes on from its checkpoint.");
  throw new CliError(`The trainer ended with ${signal === null ? `exit code ${code}` : `signal ${signal}`}.`);
}
