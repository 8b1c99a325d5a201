/** The last words of the trainer's command-line programs. */
import { CheckpointError } from "../engine/types.ts";
import { TrainerError } from "./trainer-error.ts";

/** Whatever ends the program is told in a sentence; with its stack where nobody foresaw it. */
export function tellFailures(): void {
  process.once("uncaughtException", (error: NodeJS.ErrnoException) => {
    const isOfTheSystem = error.syscall !== undefined || error.code?.startsWith("ERR_PARSE_ARGS_") === true;
    const foreseen = isOfTheSystem || error instanceof TrainerError || error instanceof CheckpointError;
    process.stderr.write(`${foreseen ? error.message : error.stack}\n`);
    process.exit(1);
  });
}
