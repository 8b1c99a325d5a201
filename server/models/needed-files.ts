/** Which files of a model's repository are needed to run it. */
import { HubError } from "./hub-error.ts";

export interface HubFile {
  path: string;
  /** Bytes. */
  size: number;
  /** What the content is checked against: sha256 for large files, for others git's hash of it. */
  checksum: { kind: "sha256" | "git-blob"; value: string };
}

const described = new Set([
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
  // How sentence embeddings are pooled.
  "modules.json",
  "1_Pooling/config.json",
]);
const weights = "model.safetensors";
const shard = /^model-\d{5}-of-\d{5}\.safetensors$/;
const papers = /^(?:README|LICEN[SC]E|NOTICE|USE_POLICY)(?:[.-]\w+)?$/i;

/** @throws HubError where the repository lacks what no model can run without */
export function neededFiles(files: readonly HubFile[], name: string): HubFile[] {
  const paths = new Set(files.map(({ path }) => path));
  for (const path of ["config.json", "tokenizer.json"]) {
    if (!paths.has(path)) throw new HubError(`${name} has no ${path}: it cannot be run without one`);
  }
  const inShards = !paths.has(weights);
  if (inShards && !paths.has(`${weights}.index.json`)) {
    throw new HubError(`${name} has no ${weights} and no index of shards: weights are read as safetensors only`);
  }
  const isWeights = (path: string) =>
    inShards ? path === `${weights}.index.json` || shard.test(path) : path === weights;
  return files.filter(({ path }) => described.has(path) || papers.test(path) || isWeights(path));
}
