import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import { resolve } from "node:path";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { Command, Option } from "commander";
import { toRecord } from "../store/exchange-mapping.ts";
import { addEraseCommand } from "./erase-command.ts";
import { addExchangeLineageCommand } from "./lineage-command.ts";
import { openLocalStore } from "./local-data.ts";
import { CliError, printNote, startProgress } from "./output.ts";
import { type PlaceOptions, withPlace } from "./place.ts";
import { addRescoreCommand } from "./rescore-command.ts";

interface ExportOptions extends PlaceOptions {
  out?: string;
  consented: boolean;
}

async function writeLine(output: Writable, line: string): Promise<void> {
  if (!output.write(`${line}\n`)) await once(output, "drain");
}

/** One JSON object a line, as CONTRACT's exchange export; incomplete exchanges are left out and counted. */
async function exportExchanges(options: ExportOptions): Promise<void> {
  const store = await openLocalStore(options);
  const target = options.out === undefined ? null : resolve(options.out);
  const output = target === null ? process.stdout : createWriteStream(`${target}.partial`);
  const progress = startProgress("export", options.json || target === null);
  let exported = 0;
  let incomplete = 0;
  try {
    const filter = options.consented ? { consent: true } : {};
    const { total } = await store.exchangeQueries.page(filter, 1, null);
    for await (const exchange of store.exchangeQueries.each(filter)) {
      const record = toRecord(exchange);
      if (record === null) {
        incomplete += 1;
        continue;
      }
      await writeLine(output, JSON.stringify(record));
      exported += 1;
      progress.update(exported + incomplete, total, "");
    }
    if (target !== null) {
      output.end();
      await finished(output);
      await rename(`${target}.partial`, target);
    }
  } catch (cause) {
    throw new CliError(
      `The export ended after ${exported} exchanges: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    );
  } finally {
    progress.stop();
    await store.close();
  }
  if (target === null) return;
  if (options.json) process.stdout.write(`${JSON.stringify({ file: target, exported, incomplete })}\n`);
  else printNote(`Exported ${exported} exchanges to ${target}; ${incomplete} incomplete ones left out`);
}

export function createDataCommand(): Command {
  return new Command("data")
    .description("work on logged exchanges")
    .addCommand(
      withPlace(new Command("export"))
        .description("write the data folder's complete exchanges as JSONL")
        .addOption(new Option("--out <file>", "where to; standard output when not given"))
        .addOption(new Option("--consented", "only exchanges that may train").default(false))
        .action(exportExchanges),
    )
    .addCommand(addExchangeLineageCommand(new Command("lineage")))
    .addCommand(addRescoreCommand(new Command("re-score")))
    .addCommand(addEraseCommand(new Command("erase")));
}
