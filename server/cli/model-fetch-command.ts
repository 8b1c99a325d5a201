import { basename, join, resolve } from "node:path";
import { Command, Option } from "commander";
import { readConfig } from "../config.ts";
import { printResult, startProgress } from "./output.ts";
import { jsonOption } from "./place.ts";

interface FetchCommandOptions {
  json: boolean;
  revision: string;
  out?: string;
  endpoint: string;
  token?: string;
}

const megabytes = (bytes: number) => Math.round(bytes / 1e6);

async function fetch(name: string, options: FetchCommandOptions): Promise<void> {
  const { fetchModel } = await import("../models/fetch-model.ts");
  const folder = options.out ?? join(readConfig(process.env).dataDir, "models", basename(name));
  const progress = startProgress("MB", options.json);
  try {
    const fetched = await fetchModel({
      name,
      revision: options.revision,
      target: resolve(folder),
      access: { url: options.endpoint.replace(/\/+$/, ""), ...(options.token ? { token: options.token } : {}) },
      onProgress: ({ done, total, file }) => progress.update(megabytes(done), megabytes(total), file),
    });
    progress.stop();
    const words = [
      `${name} at ${fetched.commit} is in ${fetched.folder}: ${fetched.files.length} files, checked against the hub`,
      `Look at it: npx rejoinder model inspect ${folder}`,
      `Serve it:   MODEL=${folder} npm start`,
    ];
    printResult(options.json, fetched, words.join("\n"));
  } finally {
    progress.stop();
  }
}

export function createFetchCommand(): Command {
  return new Command("fetch")
    .description("download a model from the Hugging Face Hub; run again, it goes on where it broke off")
    .argument("<name>", "as ORGANISATION/NAME")
    .addOption(jsonOption())
    .addOption(new Option("--revision <revision>", "branch, tag or commit").default("main"))
    .addOption(new Option("--out <folder>", "must not exist yet (default: models/NAME in the data folder)"))
    .addOption(
      new Option("--endpoint <url>", "a server that speaks the hub's API")
        .env("HF_ENDPOINT")
        .default("https://huggingface.co"),
    )
    .addOption(new Option("--token <token>", "access token for private and gated models").env("HF_TOKEN"))
    .action(fetch);
}
