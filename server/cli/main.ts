/**
 * `npx rejoinder <command>`: exit code 0 only when what was asked for has happened.
 * Commands load the engine and the server only when they run, so that help is there at once.
 */
import { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { createAdapterCommand } from "./adapter-command.ts";
import { createDataCommand } from "./data-command.ts";
import { isExpected } from "./expected-error.ts";
import { createModelCommand } from "./model-command.ts";
import { createScoreCommand } from "./score-command.ts";
import { createServeCommand } from "./serve-command.ts";
import { createTrainCommand } from "./train-command.ts";
import { createWorkerCommand } from "./worker-command.ts";

const program = new Command("rejoinder")
  .description(packageJson.description)
  .version(packageJson.version)
  .enablePositionalOptions()
  .showHelpAfterError("(add --help for what is possible)")
  .addCommand(createServeCommand())
  .addCommand(createWorkerCommand())
  .addCommand(createTrainCommand())
  .addCommand(createAdapterCommand())
  .addCommand(createModelCommand())
  .addCommand(createDataCommand())
  .addCommand(createScoreCommand());

// A reader that has seen enough (`| head`) is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

try {
  await program.parseAsync();
} catch (error) {
  const told = error instanceof Error ? (isExpected(error) ? error.message : error.stack) : String(error);
  process.stderr.write(`${told}\n`);
  process.exitCode = 1;
}
