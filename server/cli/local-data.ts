import { join } from "node:path";
import { readCheckpoint } from "../../engine/checkpoint/checkpoint.ts";
import { type AdapterCatalog, openAdapterCatalog } from "../adapters/catalog.ts";
import { createFolderArtifacts } from "../artifacts/folder.ts";
import { type Config, readConfig } from "../config.ts";
import { openStore, type Store } from "../store/index.ts";
import type { PlaceOptions } from "./place.ts";

export function configOf({ dataDir }: PlaceOptions): Config {
  return readConfig(process.env, ["--data-dir", dataDir]);
}

/** The log of the data folder. */
export function openLocalStore(options: PlaceOptions): Promise<Store> {
  return openStore(join(configOf(options).dataDir, "rejoinder.sqlite"));
}

export interface LocalCatalog {
  store: Store;
  catalog: AdapterCatalog;
  close(): Promise<void>;
}

/** The data folder's adapters, without an engine to serve them. */
export async function openLocalCatalog(options: PlaceOptions): Promise<LocalCatalog> {
  const { dataDir, modelDir } = configOf(options);
  const baseSha256 = readCheckpoint(modelDir).sha256;
  const store = await openLocalStore(options);
  const artifacts = createFolderArtifacts(join(dataDir, "artifacts"));
  const catalog = await openAdapterCatalog({ store, artifacts, baseSha256 });
  return { store, catalog, close: () => store.close() };
}
