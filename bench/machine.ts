/** What a measurement was made on. */
import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../test/support/running-server.ts";

export function describeMachine(): string {
  const manifest = JSON.parse(readFileSync(join(projectFolder, "package.json"), "utf8"));
  const runtime: string = manifest.dependencies["onnxruntime-node"];
  const [first] = cpus();
  return (
    `${cpus().length} x ${first?.model.trim() ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GiB, ` +
    `${process.platform}-${process.arch}, Node ${process.versions.node}, onnxruntime-node ${runtime}`
  );
}
